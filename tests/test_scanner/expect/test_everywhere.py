"""Checks of one's own count wherever checks count: reports, evidence, baselines, waivers, `skip`, options, plans."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from scanner.lab.lab import Lab
from tests.test_scanner.conftest import Preflight

DAYS = 'reason = "r"\nowner = "o"\nexpires = 2999-12-31\n'


@pytest.fixture(scope="module")
def inventory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The lab's cluster with expectations of its own, and one evidence file of it for all tests."""
    folder = tmp_path_factory.mktemp("expect")
    with Lab("expect-chef") as lab:
        yield lab.write(folder)


@pytest.fixture(scope="module")
def evidence(inventory: Path) -> Path:
    path = inventory.parent / "kept.evidence"
    subprocess.run([sys.executable, "-m", "scanner", "collect", str(inventory), "-o", str(path)], check=True)
    return path


def changed(inventory: Path, name: str, *pairs: tuple[str, str], more: str = "") -> Path:
    text = inventory.read_text()
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    path = inventory.parent / name
    path.write_text(text + more)
    return path


def results(path: Path) -> dict[tuple[str, str | None], dict[str, Any]]:
    return {(row["check"], row["node"]): row for row in json.loads(path.read_text())["results"]}


def test_one_round_trip_and_every_format(inventory: Path, evidence: Path, tmp_path: Path, preflight: Preflight) -> None:
    out = {kind: tmp_path / f"out.{kind}" for kind in ("json", "junit", "html", "markdown")}
    options = [part for kind, path in out.items() for part in (f"--{kind}", path)]
    assert preflight("scan", inventory, "--from", evidence, *options).code == 1
    whole = json.loads(out["json"].read_text())
    assert {node["connections"] for node in whole["nodes"]} == {node["commands"] for node in whole["nodes"]} == {1}
    assert results(out["json"])["auditd", "backend-2"]["status"] == "fail"
    cases = {case.get("name") for case in ET.fromstring(out["junit"].read_text()).iter("testcase")}  # noqa: S314  written by ourselves a moment ago
    assert {"auditd [backend-2]", "hosts-same [chef]"} <= cases
    assert "The audit daemon runs" in out["html"].read_text()
    assert "service auditd: does not run" in out["markdown"].read_text()
    assert "who is root leaves no name in the log" in out["html"].read_text()


def test_another_question_is_not_answered_by_what_was_kept(
    inventory: Path, evidence: Path, tmp_path: Path, preflight: Preflight
) -> None:
    other = changed(inventory, "other.toml", ('file = "/etc/hosts"', 'file = "/etc/hosts.allow"'))
    preflight("scan", other, "--from", evidence, "--json", tmp_path / "out.json")
    row = results(tmp_path / "out.json")["hosts-same", None]
    assert row["status"] == "error"
    assert "probe expect.hosts-same asked something else then" in row["message"]
    # What is wanted of the same answer may change.
    laxer = changed(inventory, "laxer.toml", ('max_mode = "0600"', 'max_mode = "0644"'))
    preflight("scan", laxer, "--from", evidence, "--json", tmp_path / "laxer.json")
    assert "mode is 0644" not in results(tmp_path / "laxer.json")["sshd-config", "backend-3"]["message"]


def test_waived_left_out_and_chosen(inventory: Path, evidence: Path, tmp_path: Path, preflight: Preflight) -> None:
    more = f'\n[[waivers]]\ncheck = "auditd"\nnode = "backend-2"\n{DAYS}\n[clusters.chef.skip]\nshadow = "seen to"\n'
    milder = changed(inventory, "milder.toml", more=more)
    preflight("scan", milder, "--from", evidence, "--json", tmp_path / "out.json")
    rows = results(tmp_path / "out.json")
    assert rows["auditd", "backend-2"]["status"] == "waived"
    assert rows["shadow", "backend-3"]["status"] == "skip"
    ended = preflight("scan", inventory, "--from", evidence, "--check", "no-telnet", "--check", "kernel")
    assert ended.code == 0
    assert "did you mean 'no-telnet'" in preflight("scan", inventory, "--check", "no-telnt").err
    skipping = preflight("scan", inventory, "--from", evidence, "--skip-check", "auditd", "-v")
    assert "auditd" in skipping.out.partition("left out by the selection")[2]


def test_drift_tells_what_was_not_approved(
    inventory: Path, evidence: Path, tmp_path: Path, preflight: Preflight
) -> None:
    baseline = tmp_path / "approved.json"
    assert preflight("baseline", inventory, "--from", evidence, "-o", baseline).code == 0
    text = baseline.read_text()
    assert "expect-kernel" in text
    assert preflight("drift", inventory, "--from", evidence, "--baseline", baseline).code == 0
    stricter = changed(inventory, "stricter.toml", ('version = ">=3.10"', 'version = ">=4"'))
    drifted = preflight("drift", stricter, "--from", evidence, "--baseline", baseline)
    assert drifted.code == 1
    assert "kernel" in drifted.out


def test_a_plan_is_gated_by_them(inventory: Path, evidence: Path, preflight: Preflight) -> None:
    plan = preflight("plan", inventory, "--from", evidence)
    assert "auditd" in plan.out


def test_they_are_listed_explained_and_printed(inventory: Path, preflight: Preflight) -> None:
    assert "auditd" in preflight("checks", inventory).out
    assert "auditd" not in preflight("checks").out
    told = preflight("explain", "sshd-config", inventory).out
    assert "who is root leaves no name in the log" in told
    assert "mode at most 0600" in told
    sent = preflight("probes", inventory, "--check", "kernel").out
    assert "run as the inventory gives it" in sent
    assert "uname -r" in sent
