from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from checks.outcome import Result
from checks.scan import Scan
from reports.render.json_text import json_safe
from reports.scan.json import document, render, schema

MakeResult = Callable[..., Result]
MakeScan = Callable[..., Scan]


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


def test_rendering_keeps_to_the_schema(rich_scan: Scan, hostile_scan: Scan, make_scan: MakeScan) -> None:
    for scan in (rich_scan, hostile_scan, replace(rich_scan, strict=True, partial=True), make_scan(())):
        jsonschema.validate(json.loads(render(scan)), schema())


def test_the_shape_is_the_promised_one(rich_scan: Scan) -> None:
    found = json.loads(render(rich_scan))
    assert list(found) == [
        "schema",
        "tool",
        "started",
        "finished",
        "partial",
        "strict",
        "inventory",
        "phase",
        "verdict",
        "exit_code",
        "clusters",
        "coverage",
        "notices",
        "nodes",
        "results",
    ]
    assert (found["schema"], found["tool"]) == ("preflight.result/1", {"name": "preflight", "version": "0.1.0"})
    assert (found["started"], found["finished"]) == ("2026-11-21T01:02:03.456Z", "2026-11-21T01:02:07.706Z")
    assert found["coverage"] == {
        "planned": 22,
        "evaluated": 15,
        "not_applicable": 1,
        "not_declared": 0,
        "waived": 1,
        "not_evaluated": 5,
        "left_out": 0,
    }
    (row,) = (item for item in found["results"] if item["check"] == "sql-server-version")
    assert row == {
        "check": "sql-server-version",
        "title": "SQL Server is recent enough for the target",
        "severity": "critical",
        "cluster": "vault-prod",
        "node": "sql1",
        "status": "fail",
        "message": "SQL Server 2008 R2 is older than SQL Server 2012",
        "expected": "SQL Server 2012 (11.0) or later, because the target is 11.7.000049",
        "observed": "10.50.6000.34 (instance MSSQLSERVER)",
        "remediation": row["remediation"],
        "evidence": {"instances": [{"name": "MSSQLSERVER", "version": "10.50.6000.34", "edition": "Standard"}]},
    }
    assert list(row["remediation"]) == ["summary", "command", "url", "links"]
    assert found["nodes"][0] == {
        "cluster": "vault-prod",
        "node": "web1",
        "host": "web1.corp.example",
        "transport": "winrm",
        "reachable": True,
        "connections": 1,
        "commands": 1,
        "requests": 7,
        "seconds": 1.235,
    }


def _drop(path: str) -> Callable[[dict[str, Any]], None]:
    def change(found: dict[str, Any]) -> None:
        target: Any = found
        *steps, last = path.split(".")
        for step in steps:
            target = target[int(step) if step.isdigit() else step]
        del target[last]

    return change


def _set(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(found: dict[str, Any]) -> None:
        target: Any = found
        *steps, last = path.split(".")
        for step in steps:
            target = target[int(step) if step.isdigit() else step]
        target[last] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        *(_drop(path) for path in ("schema", "strict", "notices", "coverage.waived", "results.0.node", "nodes.0.host")),
        _drop("results.0.remediation.url"),
        _set("schema", "preflight.result/2"),
        _set("phase", "later"),
        _set("clusters.0.verdict", "MAYBE"),
        _set("clusters.0.counts.fine", 1),
        _set("results.0.status", "ok"),
        _set("results.0.severity", "fatal"),
        _set("results.0.evidence", []),
        _set("started", "2026-11-21T01:02:03+01:00"),
        _set("verdict", "MAYBE"),
        _set("verdict", "GO"),
        _set("exit_code", 0),
        _set("partial", value=True),
        _set("coverage.planned", -1),
        _set("nodes.0.seconds", "1"),
    ],
)
def test_the_schema_refuses_anything_else(rich_scan: Scan, change: Callable[[dict[str, Any]], None]) -> None:
    found = copy.deepcopy(document(rich_scan))
    change(found)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(found, schema())


@pytest.mark.parametrize("place", ["extra", "results.0.extra", "nodes.0.extra", "clusters.0.extra", "coverage.extra"])
def test_the_schema_takes_what_later_versions_add(rich_scan: Scan, place: str) -> None:
    found = copy.deepcopy(document(rich_scan))
    _set(place, 1)(found)
    jsonschema.validate(found, schema())


def test_evidence_survives_whatever_it_holds() -> None:
    cyclic: list[object] = []
    cyclic.append(cyclic)
    found = json_safe(
        {1: (1, 2.5, None, True), "set": {"b", "a"}, "nan": float("nan"), "raw": b"\xff", "lone": "\ud800", "c": cyclic}
    )
    assert found["1"] == [1, 2.5, None, True]
    assert (found["set"], found["nan"], found["raw"], found["lone"]) == (["a", "b"], "nan", "\\xff", "\\ud800")
    json.dumps(found, allow_nan=False)


def test_values_come_back_as_they_were_said(make_result: MakeResult, make_scan: MakeScan) -> None:
    said = "Zürich \x1b[31m \u202e <script> \U000e0041"
    text = render(make_scan((make_result("windows-version", "fail", said),)))
    assert json.loads(text)["results"][0]["message"] == said
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "Zürich" in text


def test_a_text_of_megabytes_is_cut() -> None:
    shown = json_safe({"said": "\ud800" * 3_000_000})["said"]
    assert shown.endswith("... (2,967,232 more characters)")
    assert len(shown) < 250_000
