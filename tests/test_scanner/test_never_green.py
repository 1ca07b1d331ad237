"""Never green by accident: whatever goes wrong, the exit code says so, all formats agree, other results stand."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from checks.registry import BUILTIN
from scanner import plugins
from scanner.lab.lab import Lab
from scanner.lab.scenario import load_scenario
from scanner.run import prepare

CASES = {
    "all nodes down": ("ssh-all-down", "winrm-all-down"),
    "one of three down": ("ssh-down", "winrm-down"),
    "wrong password": ("ssh-wrong-password", "winrm-wrong-password"),
    "wrong host key": ("ssh-wrong-host-key", "ssh-unknown-host-key"),
    "untrusted certificate": ("winrm-untrusted-certificate", "winrm-wrong-certificate-name"),
    "cut in mid-answer": ("ssh-cut", "winrm-cut"),
    "hang": ("ssh-hang", "winrm-hang"),
    "garbage": ("ssh-garbage", "ssh-not-ssh", "winrm-garbage", "winrm-garbage-answer"),
    "empty answer": ("ssh-empty", "winrm-empty", "winrm-empty-answer"),
    "truncated frame": ("ssh-truncated", "winrm-truncated"),
    "non-UTF-8": ("ssh-non-utf8",),  # WinRM's answer is whole among the odd bytes: winrm-non-utf8 is a GO
    "50 MB": ("ssh-babble", "winrm-babble"),
    "sudo denied": ("chef-sudo-denied", "chef-sudo-missing"),
    "command missing": ("chef-command-missing",),
}
"""What can go wrong on the way to the nodes; the lab's scenarios that have it in an otherwise healthy cluster."""
HEALTHY = {"winrm": "secret-server-healthy", "ssh": "chef-healthy"}
FORMATS = ("html", "junit", "json", "markdown")


def scanned(preflight: Callable[..., Any], scenario: str, folder: Path, *options: str) -> tuple[Any, dict[str, Any]]:
    """The ended command and its results, once every format has been found to say the same."""
    folder.mkdir(exist_ok=True)
    with Lab(load_scenario(scenario)) as lab:
        reports = [part for kind in FORMATS for part in (f"--{kind}", folder / f"report.{kind}")]
        ended = preflight("scan", lab.write(folder), *reports, *options)
    results: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    verdict = results["verdict"]
    html = re.sub(r"<[^>]*>", " ", (folder / "report.html").read_text(encoding="utf-8"))
    suites = ET.parse(folder / "report.junit").getroot()  # noqa: S314  written by ourselves a moment ago
    (told,) = (item.get("value") for item in suites.iter("property") if item.get("name") == "verdict")
    assert told == verdict
    assert any(case.find(bad) is not None for case in suites.iter("testcase") for bad in ("failure", "error")) == (
        verdict != "GO"
    )
    assert ended.out.lstrip().split()[0].rstrip(":") == verdict
    assert f"preflight: {verdict}" in (folder / "report.markdown").read_text(encoding="utf-8").splitlines()[0]
    others = {"GO", "NO-GO", "UNKNOWN"} - {verdict}
    assert re.search(rf"\b{verdict}\b", html)
    assert not any(re.search(rf"(?<!NO-)\b{other}\b(?!-)", html.split("coverage")[0][:600]) for other in others)
    assert ended.code == results["exit_code"] == {"GO": 0, "NO-GO": 1, "UNKNOWN": 3}[verdict]
    return ended, results


def judged(results: dict[str, Any]) -> dict[tuple[str, str], tuple[str, str]]:
    """Every node's own results: check and node to status and message."""
    return {(row["check"], row["node"]): (row["status"], row["message"]) for row in results["results"] if row["node"]}


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[tuple[str, str], tuple[str, str]]]:
    """The results of the healthy clusters, which all others are compared with."""
    from scanner.cli import answers
    from scanner.inventory.select import select
    from scanner.loading.inventory import load_inventory
    from scanner.run.collect import scan

    found = {}
    for kind, name in HEALTHY.items():
        with Lab(load_scenario(name)) as lab:
            selection = select(load_inventory(lab.write(tmp_path_factory.mktemp(name))), (), (), {})
            done = scan(answers.with_credentials(prepare.build_request(selection), selection))
        found[kind] = {(row.check, row.node): (row.status.value, row.message) for row in done.results if row.node}
    return found


@pytest.mark.parametrize(
    ("case", "scenario"), [(case, scenario) for case, scenarios in CASES.items() for scenario in scenarios]
)
def test_it_is_no_go(case: str, scenario: str, tmp_path: Path, preflight: Callable[..., Any], healthy: Any) -> None:
    _, results = scanned(preflight, scenario, tmp_path)
    assert results["verdict"] == "UNKNOWN"
    assert not results["partial"]
    found = judged(results)
    whole = healthy["winrm" if scenario.startswith("winrm") else "ssh"]
    assert set(found) == set(whole), "no result is missing"
    spoiled = {node for (_, node), (status, _) in found.items() if status == "error"}
    assert spoiled or case in ("sudo denied", "command missing", "non-UTF-8"), (
        "there, what the cluster's check cannot know is its own error"
    )
    for (check, node), said in found.items():
        if node not in spoiled:
            assert said == whole[check, node], "the others' results stand"
    down = {node for node in spoiled if found["connectivity", node][0] == "error"}
    for node in down:
        rest = [status for (check, name), (status, _) in found.items() if name == node and check != "connectivity"]
        assert "error" not in rest, "one cause, one red line"
    if case == "all nodes down":
        assert not {status for status, _ in found.values()} & {"pass", "warn"}
    if not scenario.startswith("winrm"):
        (chef,) = (row["status"] for row in results["results"] if row["check"] == "chef-cluster-status")
        assert chef == "error"


def test_a_check_that_raises(tmp_path: Path, preflight: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> Any:
        raise RecursionError("\x1b[31m<script>alert(1)</script>")

    checks = [dataclasses.replace(check, judge=broken) if check.id == "windows-version" else check for check in BUILTIN]
    monkeypatch.setattr(plugins, "BUILTIN", tuple(checks))
    _, results = scanned(preflight, "secret-server-healthy", tmp_path)
    assert results["verdict"] == "UNKNOWN"
    statuses = {row["check"]: row["status"] for row in results["results"] if row["node"] == "web1"}
    assert statuses["windows-version"] == "error"
    assert statuses["dotnet-framework"] == "pass"


def test_a_plugin_that_does_not_load(
    tmp_path: Path, preflight: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = importlib.metadata.EntryPoint("broken", "no_such_module_anywhere:PLUGIN", "preflight.checks")
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **_: [broken])
    _, results = scanned(preflight, "chef-healthy", tmp_path)
    assert results["verdict"] == "UNKNOWN"
    assert [row["check"] for row in results["results"] if row["status"] == "error"] == ["plugin-broken"]


@pytest.mark.parametrize(
    ("inventory", "options"),
    [
        ("", ()),
        ("[clusters]", ()),
        ("[clusters.c]\nproduct = 'chef-backend'", ()),
        ("[clusters.c]\nproduct = 'chef-backend'\n[clusters.c.nodes]", ()),
        ("[clusters.c]\nproduct = 'chef-backend'\nnodes.b = {roles = ['backend']}", ("--check", "windows-version")),
        ("[clusters.c]\nproduct = 'chef-backend'\nnodes.b = {roles = ['backend']}", ("--node", "a")),
    ],
)
def test_nothing_to_do_is_no_go_either(
    inventory: str, options: tuple[str, ...], tmp_path: Path, preflight: Callable[..., Any]
) -> None:
    path = tmp_path / "inventory.toml"
    path.write_text(inventory, encoding="utf-8")
    reports = [part for kind in FORMATS for part in (f"--{kind}", tmp_path / f"report.{kind}")]
    ended = preflight("scan", path, *reports, *options)
    assert ended.code == 2
    assert ended.err
    assert not list(tmp_path.glob("report.*")), "no report could be taken for a good one"
