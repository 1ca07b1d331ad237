"""What a verdict is for: each cluster's product, versions, phase and verdict, in every format."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from xml.etree import ElementTree as ET

import jsonschema
import pytest

from checks.outcome import Result, Severity
from checks.scan import ClusterRecord, RunBy, Scan
from reports.render import console, markdown
from reports.scan import html, junit
from reports.scan import json as json_report

MakeResult = Callable[..., Result]
MakeScan = Callable[..., Scan]

VAULT = ClusterRecord(
    name="vault-prod",
    product="secret-server",
    title="Secret Server",
    installed="10.9.000064 (web1), 11.7.000049 (web2)",
    target="11.7.000049",
    target_from="inventory",
    nodes=3,
    asked=3,
    reached=2,
    owner="Vault team",
    contact="vault@corp.example",
)
CHEF = ClusterRecord(
    name="chef-prod",
    product="chef-backend",
    title="Chef Backend",
    installed="2.2.5",
    target="2.3.16",
    target_from="command line",
    nodes=3,
    asked=3,
    reached=3,
)
FORMATS: dict[str, Callable[[Scan], str]] = {
    "console": lambda scan: console.render(scan, color=False, width=300),
    "markdown": markdown.render,
    "html": html.render,
}


@pytest.fixture
def scan(make_result: MakeResult, make_scan: MakeScan) -> Scan:
    rows = (
        make_result("dotnet-framework", "fail", "too old", node="web1"),
        make_result("windows-version", "pass", "fine", node="web2"),
        make_result("disk-space", "pass", "fine", node="b1", cluster="chef-prod"),
    )
    made = make_scan(rows)
    return replace(made, clusters=(VAULT, CHEF), run_by=RunBy("preflight", "bastion"), inventory_digest="ab" * 32)


def red(scan: Scan) -> dict[str, str]:
    root = ET.fromstring(junit.render(scan).encode())  # noqa: S314  our own document
    ends = {case.get("name", ""): [child.tag for child in case] for case in root.iter("testcase")}
    return {name: (tags or ["green"])[0] for name, tags in ends.items() if name.startswith("verdict")}


def test_every_format_says_what_each_verdict_is_for(scan: Scan) -> None:
    for name, render in FORMATS.items():
        text = " ".join(render(scan).replace("&gt;", ">").replace("\\", "").split())
        told = "Secret Server 10.9.000064 (web1), 11.7.000049 (web2) -> 11.7.000049, 2 of 3 nodes reached"
        assert told in text, name
        assert "Chef Backend 2.2.5 -> 2.3.16 (--target), 3 of 3 nodes reached" in text, name


def test_programs_get_a_row_per_cluster(scan: Scan) -> None:
    found = json.loads(json_report.render(scan))
    jsonschema.validate(found, json_report.schema())
    assert (found["phase"], found["run_by"]) == ("before", {"user": "preflight", "host": "bastion"})
    assert found["inventory_digest"] == "ab" * 32
    vault, chef = found["clusters"]
    assert (vault["verdict"], chef["verdict"], found["verdict"]) == ("NO-GO", "GO", "NO-GO")
    assert (vault["product"], vault["target"], vault["target_from"]) == ("secret-server", "11.7.000049", "inventory")
    assert (vault["owner"], chef["owner"]) == ("Vault team", None)
    assert vault["counts"] == {"pass": 1, "warn": 0, "fail": 1, "error": 0, "skip": 0, "waived": 0}


def test_a_clusters_case_is_as_red_as_its_verdict(scan: Scan, make_result: MakeResult) -> None:
    assert red(scan) == {"verdict": "skipped", "verdict [vault-prod]": "failure", "verdict [chef-prod]": "green"}
    silent = make_result("connectivity", "error", "refused", node="b2", cluster="chef-prod", not_evaluated=True)
    assert red(replace(scan, results=(*scan.results, silent)))["verdict [chef-prod]"] == "error"
    assert red(replace(scan, partial=True))["verdict"] == "error"


def test_a_cluster_of_which_nothing_is_known_makes_no_go_of_the_whole(scan: Scan, make_result: MakeResult) -> None:
    moot = make_result("disk-space", "skip", "no requirement", node="b1", cluster="chef-prod")
    quiet = replace(scan, results=(make_result("windows-version", "pass", "fine", node="web1"), moot))
    assert [str(one.verdict) for one in quiet.cluster_verdicts] == ["GO", "UNKNOWN"]
    assert str(quiet.verdict) == "UNKNOWN"
    assert red(quiet) == {"verdict": "skipped", "verdict [vault-prod]": "green", "verdict [chef-prod]": "error"}


def test_the_window_is_named(scan: Scan) -> None:
    for render in FORMATS.values():
        assert "in the window" in render(replace(scan, phase="window"))


def test_hundreds_of_clusters_are_cut_with_a_count(scan: Scan, make_result: MakeResult) -> None:
    names = [f"c{number}" for number in range(200)]
    rows = tuple(make_result("disk-space", "pass", "fine", node="n", cluster=name) for name in names)
    bad = make_result("disk-space", "fail", "full", node="n", cluster="c150")
    many = replace(scan, results=(*rows, bad), clusters=tuple(replace(CHEF, name=name) for name in names))
    text = console.render(many, color=False, width=100)
    assert text.splitlines()[2].split()[:2] == ["NO-GO", "c150"], "what needs somebody comes first"
    assert "and 180 more clusters" in text
    assert "c199" not in text


def test_what_is_not_declared_has_its_own_count_and_word(scan: Scan, make_result: MakeResult) -> None:
    rows = (
        make_result("windows-version", "pass", "fine", node="web1"),
        make_result("backup-recent", "skip", "no backup is declared", node=None, not_declared="backup"),
        make_result("clock-skew", "skip", "one node", node=None),
    )
    quiet = replace(scan, results=rows, clusters=(VAULT,))
    assert str(quiet.verdict) == "GO"
    for name, render in FORMATS.items():
        text = render(quiet)
        assert "1 check not declared: backup-recent" in text, name
        assert "1 not applicable" in text, name
        assert "ot declared in the inventory" in text.replace("OT DECLARED", "ot declared"), name
    found = json.loads(json_report.render(quiet))
    assert (found["coverage"]["not_declared"], found["coverage"]["not_applicable"]) == (1, 1)
    assert [row.get("not_declared") for row in found["results"]] == [None, "backup", None]


def test_a_strict_scan_counts_a_critical_check_that_is_not_declared(scan: Scan, make_result: MakeResult) -> None:
    def verdict(severity: Severity) -> str:
        fine = make_result("windows-version", "pass", "fine", node="web1")
        open_ = make_result("backup-recent", "skip", "no backup", node=None, not_declared="backup", severity=severity)
        return str(replace(scan, results=(fine, open_), clusters=(VAULT,), strict=True).verdict)

    assert [verdict(severity) for severity in (Severity.CRITICAL, Severity.HIGH)] == ["NO-GO", "GO"]
