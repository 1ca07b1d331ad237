"""Where in the inventory a node stands, for CI systems that put what failed beside the line that is to blame."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from scanner.inventory.model import Inventory
from scanner.lab.lab import Lab
from scanner.lab.scenario import load_scenario
from scanner.loading.inventory import lines_of
from tests.recordings.collect import FOLDER, evidence_path
from tests.test_reports.scan.test_report_junit import assert_strict


def test_each_suite_says_where_its_node_stands(preflight: Callable[..., Any], tmp_path: Path) -> None:
    with Lab(load_scenario("dotnet-4.7.2")) as lab:
        inventory = lab.write(tmp_path)
        assert preflight("scan", inventory, "--junit", tmp_path / "r.xml").code == 1
    text = (tmp_path / "r.xml").read_text(encoding="utf-8")
    lines = inventory.read_text(encoding="utf-8").splitlines()
    root = ET.fromstring(text.encode())  # noqa: S314  our own document
    assert_strict(root)
    for name, table in (("vault.web2", "[clusters.vault.nodes.web2]"), ("vault.cluster", "[clusters.vault]")):
        (suite,) = (suite for suite in root if suite.get("name") == name)
        told = {item.get("name"): item.get("value") or "" for item in suite.iter("property")}
        assert told["file"] == str(inventory)
        assert lines[int(told["line"]) - 1] == table
    (failure,) = (case[0] for case in root.iter("testcase") if case.get("name") == "dotnet-framework [web2]")
    line = lines.index("[clusters.vault.nodes.web2]") + 1
    assert f"inventory: {inventory}:{line}" in (failure.text or "")


def test_an_inventory_that_can_be_read_but_once_has_its_lines_all_the_same(tmp_path: Path) -> None:
    text = (FOLDER / "chef-healthy.inventory.toml").read_text(encoding="utf-8")
    scan = ("scan", "/dev/stdin", "--from", evidence_path("chef-healthy"), "--junit", tmp_path / "r.xml", "-q")
    command = [sys.executable, "-m", "scanner", *map(str, scan)]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode in (0, 1, 3), done.stderr
    root = ET.parse(tmp_path / "r.xml").getroot()  # noqa: S314  our own document
    told = {item.get("value") for item in root.iter("property") if item.get("name") == "line"}
    tables = [line for line in text.splitlines() if re.match(r"\[clusters\.[^.]+(\.nodes\.[^.]+)?\]", line)]
    assert len(told) == len(tables)


def test_a_text_that_nobody_can_read_costs_the_lines_alone() -> None:
    assert lines_of(Inventory(path=Path("none.toml"), clusters=())) == {}
    assert lines_of(Inventory(path=Path("none.toml"), clusters=(), text="[")) == {}
