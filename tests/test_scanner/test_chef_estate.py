"""An ordinary estate, three backends and two frontends in order, before each of the vendor's upgrades."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scanner.lab.lab import Lab
from scanner.lab.scenario import load_scenario
from tests.test_scanner.conftest import Preflight

DOWN = "chef: 1.4.6 to 2.3.16: no rolling upgrade, the full cluster goes down"


@pytest.mark.parametrize("manager", ["rpm", "deb"])
@pytest.mark.parametrize(
    ("current", "target", "index", "frontend"),
    [
        ("1.4.6", "2.3.16", "2.3.1", "12.17.33"),
        ("2.1.0", "2.3.16", "5.6.16", "13.2.0"),
        ("2.3.16", "3.1.1", "5.6.16", "14.16.19"),
    ],
)
def test_an_estate_in_order_is_go_without_a_warning(
    tmp_path: Path, preflight: Preflight, current: str, target: str, index: str, frontend: str, manager: str
) -> None:
    release = "-1.el7" if manager == "rpm" else "-1"
    nodes = "".join(f'[clusters.chef.nodes.be{at}]\nroles = ["backend"]\n' for at in (1, 2, 3))
    for at in (1, 2):
        linux = f'{{manager = "{manager}", package = "{frontend}{release}"}}'
        nodes += f'[clusters.chef.nodes.fe{at}]\nroles = ["frontend"]\nlinux = {linux}\n'
    file = tmp_path / "scenario.toml"
    file.write_text(
        f'title = "In order"\n[clusters.chef]\nproduct = "chef-backend"\ninventory = {{target = "{target}"}}\n'
        f'defaults = {{chef = {{version = "{current}"}}, linux = {{index = "{index}", manager = "{manager}"}}}}\n'
        f"{nodes}",
        encoding="utf-8",
    )
    with Lab(load_scenario(file)) as lab:
        inventory = lab.write(tmp_path)
        scanned = preflight("scan", inventory, "--strict", "--json", tmp_path / "results.json")
        planned = preflight("plan", inventory, "-q")
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["results"]
    assert [row["message"] for row in results if row["status"] not in ("pass", "skip")] == []
    assert (scanned.code, planned.code) == (0, 0)
    assert (DOWN in scanned.out) == (target == "2.3.16" and current == "1.4.6")
    assert ("with the whole cluster down" in planned.out) == (current == "1.4.6")
    tool = "dpkg -iEG" if manager == "deb" else "rpm -Uvh --nopostun"
    assert planned.out.count(f"sudo {tool} '<the package of Chef Infra Server") == 2
