"""Whatever a check, a plugin or a reason says: no secret is in what is reported and kept; no format breaks by it."""

from __future__ import annotations

import dataclasses
import gzip
import json
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from checks.outcome import Remediation, Result, Severity, Status
from reports.scan import json as json_report
from scanner.lab.lab import Lab
from scanner.lab.scenario import load_scenario
from scanner.secrets import redaction
from scanner.secrets.last_door import without_secrets
from scanner.secrets.secret import Secret

TOP = Path(__file__).parents[3]
CANARY = 'Canary-"7f3a9c"<&>-Kanari'
HALVES = ("Canary-", "7f3a9c", "-Kanari")

PLUGIN = '''
import base64, os, sys
from checks.check import ClusterCheck, NodeCheck
from checks.outcome import Remediation, Severity, failed
from scanner.plugins import Plugin

S = os.environ["PREFLIGHT_CANARY"]
CODED = base64.b64encode(S.encode("utf-16-le")).decode()

class Own(str):
    """A text that shows more than it is."""

def judge(view):
    print(S, CODED)
    print(S, file=sys.stderr)
    return failed(
        f"it is {S}", expected=Own(f"not {S}"), observed=CODED, remediation=Remediation(f"Forget {S}.", f"rm '{S}'"),
        deep=[{S: [S, {"x": f"password=Hunter2-{S}"}]}], plain="Pwd=Hunter2-Kanari;", number=3,
    )

def crash(view):
    error = ValueError(Own(S), S.encode(), [S])
    error.add_note(S)
    raise error from OSError(5, S, S)

def leave(view):
    raise SystemExit(S)

def check(name, judge, kind=NodeCheck):
    return kind(
        id=name, title=name, severity=Severity.LOW, doc=f"x {S}", remediation=Remediation(f"see {S}"), products=(),
        judge=judge,
    )

PLUGIN = Plugin(
    (
        check("canary-says", judge), check("canary-crashes", crash), check("canary-leaves", leave),
        check("canary-all", judge, ClusterCheck),
    )
)
'''
WAIVERS = """
[[waivers]]
cluster = "chef"
check = "canary-all"
reason = 'the password is Canary-"7f3a9c"<&>-Kanari, and Password=Hunter2-too;'
owner = 'Ada Canary-"7f3a9c"<&>-Kanari'
expires = 2999-01-01

[[attestations]]
cluster = "chef"
statement = 'it is Canary-"7f3a9c"<&>-Kanari'
by = "Ada"
date = 2026-01-01
expires = 2999-01-01
"""


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    yield
    redaction.forget()


def test_what_a_plugin_or_a_reason_says_is_clean_in_every_file_and_every_format(tmp_path: Path) -> None:
    site, place = tmp_path / "site", tmp_path / "place"
    site.mkdir()
    place.mkdir()
    (site / "canary_plugin.py").write_text(PLUGIN)
    info = site / "canary-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: canary\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[preflight.checks]\nx = canary_plugin:PLUGIN\n")
    environment = {
        **os.environ,
        "PYTHONPATH": f"{TOP}{os.pathsep}{site}",
        "PREFLIGHT_CANARY": CANARY,
        "PREFLIGHT_TRACEBACK": "1",
    }
    said: list[str] = []

    def run(code: int, *arguments: object) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "scanner", *map(str, arguments)],
            capture_output=True,
            text=True,
            env=environment,
            cwd=place,
            check=False,
            timeout=120,
        )
        said.append(done.stdout + done.stderr)
        assert done.returncode == code, said[-1]

    kinds = ("html", "junit", "json", "markdown", "csv", "prometheus")
    with Lab(load_scenario("chef-healthy")) as lab:
        inventory = lab.write(tmp_path / "lab")
        text = inventory.read_text(encoding="utf-8")
        key = '[defaults.ssh]\npassword_env = "PREFLIGHT_CANARY"\n'
        inventory.write_text(text.replace("[defaults.ssh]\n", key) + WAIVERS, encoding="utf-8")
        reports = [part for kind in kinds for part in (f"--{kind}", f"scan.{kind}")]
        keeping = ("--history", "history.db", "--evidence", "evidence.json.gz")
        run(1, "scan", inventory, "-v", *reports, *keeping)
        why = ("--by", f"Ada {CANARY}", "--reason", f"first {CANARY}")
        run(0, "baseline", inventory, "-o", "approved.json", *why)
        drift = [part for kind in kinds[:4] for part in (f"--{kind}", f"drift.{kind}")]
        run(0, "drift", inventory, "--baseline", "approved.json", "-v", *drift, "--history", "history.db")
        run(1, "plan", inventory, "-o", "plan.md", "--json", "plan.json")
        run(0, "history", "history.db")

    files = {path.name: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    files["evidence.json.gz"] = gzip.decompress(files["evidence.json.gz"])
    assert len(files) > 13
    texts = {**{name: data.decode("utf-8", "replace") for name, data in files.items()}, "said": "\n".join(said)}
    found = [(name, half) for name, text in texts.items() for half in (*HALVES, "Hunter2") if half in text]
    assert found == []
    assert not any("Traceback" in text for text in said)
    for name in ("scan.json", "scan.html", "scan.junit", "scan.markdown", "scan.csv", "drift.json", "plan.md"):
        assert "***" in texts[name], name
    jsonschema.validate(json.loads(files["scan.json"]), json_report.schema())
    for name in ("scan.junit", "drift.junit"):
        ET.fromstring(files[name])  # noqa: S314  our own
    rows = {row["check"]: row for row in json.loads(files["scan.json"])["results"] if row["node"] != "backend-2"}
    assert rows["canary-says"]["message"] == "it is ***"
    assert rows["canary-says"]["evidence"]["deep"] == [{"***": ["***", {"x": "password=***"}]}]
    assert rows["canary-says"]["evidence"]["number"] == 3
    assert "ValueError" in rows["canary-crashes"]["message"]
    assert rows["canary-all"]["status"] == "waived"


@dataclasses.dataclass(frozen=True, slots=True)
class Odd:
    texts: frozenset[str]
    parts: tuple[Any, ...] = ()
    node: str = ""


def test_what_has_no_secret_is_not_made_anew() -> None:
    redaction.learn(Secret("Canary-7f3a9c"))
    clean = Odd(frozenset({"a", "b"}), ({"x": [1, None, 2.5, b"y"]}, Status.PASS, "password"))
    assert without_secrets(clean) is clean


def test_every_kind_of_container_is_looked_into_and_names_stay() -> None:
    redaction.learn(Secret("Canary-7f3a9c"))
    redaction.learn(Secret("Pw-1"))
    told = without_secrets(
        Odd(
            frozenset({"xCanary-7f3a9c"}),
            ({"Canary-7f3a9c": ["with Pw-1!"]}, Status.PASS, ("a", {"Canary-7f3a9c"})),
            node="Canary-7f3a9c",
        )
    )
    assert told == Odd(frozenset({"x***"}), ({"***": ["with ***!"]}, Status.PASS, ("a", {"***"})), node="Canary-7f3a9c")
    assert told.parts[1] is Status.PASS


def test_a_large_scan_is_looked_through_in_no_time() -> None:
    """A thousand nodes with thirty checks each."""
    for number in range(20):
        redaction.learn(Secret(f"Canary-7f3a9c-{number}"), "operator")
    advice = Remediation("Set the same zone everywhere.", "timedatectl set-timezone Etc/UTC")
    rows = tuple(
        Result(
            check=f"check-{check}",
            title="A check",
            severity=Severity.LOW,
            cluster="c",
            node=f"node-{node}",
            status=Status.PASS,
            message=f"{node % 7 + check} GiB free on C:",
            expected="at least 1 GiB",
            observed=f"{node % 7 + check} GiB",
            remediation=advice,
            evidence={"free_gib": node, "drive": "C:"},
        )
        for node in range(1000)
        for check in range(30)
    )
    began = time.process_time()
    assert without_secrets(rows) is rows
    assert time.process_time() - began < 3
