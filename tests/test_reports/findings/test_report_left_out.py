"""What the inventory leaves out: every format tells it with the reason, counted apart, as text and nothing else."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from checks.outcome import Result
from checks.scan import Scan
from reports.findings.grouping import digest
from reports.findings.headline import headline
from reports.render import console, markdown
from reports.scan import html, junit
from reports.scan import json as json_report
from scanner.files.results import read_results

MakeResult = Callable[..., Result]
MakeScan = Callable[..., Scan]

WHY = "the hosters run SQL Server, ticket 4711"
FORMATS: dict[str, Callable[[Scan], str]] = {
    "console": lambda scan: console.render(scan, color=False, width=4000),
    "verbose": lambda scan: console.render(scan, color=False, width=4000, verbose=True),
    "html": html.render,
    "json": json_report.render,
    "junit": junit.render,
    "markdown": markdown.render,
}


def left_out(make_result: MakeResult, check: str, node: str | None, reason: str = WHY) -> Result:
    return make_result(check, "skip", f"left out: {reason}", node=node, left_out=reason)


@pytest.fixture
def scan(make_result: MakeResult, make_scan: MakeScan) -> Scan:
    return make_scan(
        (
            left_out(make_result, "sql-server-version", "sql1"),
            left_out(make_result, "sql-server-version", "sql2"),
            left_out(make_result, "app-version-match", None),
            make_result("windows-version", "skip", "no target is set"),
            make_result("dotnet-framework", "pass", "fine"),
        )
    )


@pytest.mark.parametrize("name", FORMATS)
def test_each_tells_the_check_and_the_reason(scan: Scan, name: str) -> None:
    text = FORMATS[name](scan)
    assert f"left out: {WHY}" in text
    assert "sql-server-version" in text
    assert "app-version-match" in text


def test_a_go_says_that_something_was_left_out(scan: Scan) -> None:
    assert headline(scan, digest(scan)) == "Nothing stands in the way; 2 checks left out."
    for name in ("console", "html", "markdown"):
        text = FORMATS[name](scan)
        assert "2 checks left out" in text
        assert "1 of 5 planned results evaluated; 1 not applicable, 0 waived, 0 not evaluated, 3 left out" in text


def test_where_all_is_left_out_there_is_no_answer(make_result: MakeResult, make_scan: MakeScan) -> None:
    scan = make_scan((left_out(make_result, "sql-server-version", "sql1"),))
    assert (str(scan.verdict), scan.exit_code) == ("UNKNOWN", 3)
    assert headline(scan, digest(scan)) == "Nothing that matters was evaluated; 1 check left out."
    root = ET.fromstring(junit.render(scan).encode())  # noqa: S314  our own document
    assert [case.get("name") for case in root.iter("testcase") if case.find("error") is not None] == ["verdict"]


def test_what_is_left_out_stands_apart_from_what_is_moot(scan: Scan) -> None:
    text = console.render(scan, color=False, width=400)
    out, moot = text.index("LEFT OUT by the inventory (3)"), text.index("SKIPPED\n")
    assert f"  left out: {WHY}\n    vault-prod: sql1, sql2, whole cluster - 2 checks" in text[out:moot]
    assert "### Left out by the inventory (3)" in markdown.render(scan)
    page = html.render(scan)
    assert "Left out by the inventory" in page
    assert page.count(">left out<") >= 3
    assert ">n/a<" in page


def test_ci_skips_it_with_the_reason_in_message_and_text(scan: Scan) -> None:
    root = ET.fromstring(junit.render(scan).encode())  # noqa: S314  our own document
    skips = [case[0] for case in root.iter("testcase") if (case.get("name") or "").startswith("sql-server-version")]
    assert len(skips) == 2
    for skip in skips:
        assert skip.tag == "skipped"
        assert skip.get("message") == f"left out: {WHY}"
        assert (skip.text or "").startswith(f"left out: {WHY}")
    told = {item.get("name"): item.get("value") for item in root.iter("property")}
    assert (told["left_out"], told["not_applicable"]) == ("3", "1")


def test_programs_read_the_reason_and_the_number(scan: Scan, tmp_path: Path) -> None:
    text = json_report.render(scan)
    found = json.loads(text)
    jsonschema.validate(found, json_report.schema())
    assert found["coverage"]["left_out"] == 3
    assert [row.get("left_out") for row in found["results"]] == [WHY, WHY, WHY, None, None]
    (tmp_path / "results.json").write_text(text, encoding="utf-8")
    assert [row.left_out for row in read_results(tmp_path / "results.json")] == [WHY, WHY, WHY, "", ""]


@pytest.mark.parametrize("name", FORMATS)
def test_a_reason_formats_nothing(name: str, make_result: MakeResult, make_scan: MakeScan) -> None:
    nasty = "<script>alert(1)</script> [x](http://evil.example) \u202e @all `"
    text = FORMATS[name](make_scan((left_out(make_result, "sql-server-version", "sql1", nasty),)))
    assert "\u202e" not in text
    if name in ("html", "junit", "markdown"):
        assert "<script>alert" not in text
    if name == "markdown":
        assert "[x](" not in text
        assert "@all" not in text.replace("@\u200b", "")
