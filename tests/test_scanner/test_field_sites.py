"""Real Secret Server sites, healthy ones and broken ones, each with the right conclusion in its `[expect]`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scanner.lab.lab import Lab
from scanner.lab.scenario import load_scenario
from tests.test_scanner.test_scan_scenarios import assert_as_expected

FOLDER = Path(__file__).parents[1] / "field" / "secret_server"
SITES = sorted(path.stem for path in FOLDER.glob("*.toml") if path.name != "provenance.toml")


def scanned(
    preflight: Callable[..., Any], scenario: Path, folder: Path, *options: object
) -> tuple[Any, dict[str, Any]]:
    with Lab(load_scenario(str(scenario))) as lab:
        inventory = lab.write(folder)
        ended = preflight("scan", inventory, *options, "--json", folder / "out.json")
    return ended, json.loads((folder / "out.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", SITES)
def test_a_site_comes_to_its_right_conclusion(name: str, tmp_path: Path, preflight: Callable[..., Any]) -> None:
    path = FOLDER / f"{name}.toml"
    expected = load_scenario(str(path)).expect
    assert expected is not None
    ended, results = scanned(preflight, path, tmp_path, "--phase", expected.phase)
    assert_as_expected(results["results"], expected)
    assert ended.code == results["exit_code"] == expected.exit_code
