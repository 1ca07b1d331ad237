"""Where in the inventory a node stands, for CI systems that put what failed beside the line that is to blame."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from scanner.inventory.load import lines_of
from scanner.lab.lab import Lab
from scanner.lab.scenario import load_scenario
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


def test_a_file_that_has_gone_costs_the_lines_alone(tmp_path: Path) -> None:
    assert lines_of(tmp_path / "none.toml") == {}
