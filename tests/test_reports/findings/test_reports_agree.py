"""Whatever the scan, every format tells the same story, and tells it again the same way."""

from __future__ import annotations

import copy
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checks.outcome import Result, Status
from checks.scan import Scan, Verdict
from reports.findings.folding import Folded, fold
from reports.findings.grouping import digest, grouped
from reports.findings.headline import coverage_line, headline
from reports.render import console, markdown
from reports.scan import html, junit
from reports.scan import json as json_report

MakeResult = Callable[..., Result]
MakeScan = Callable[..., Scan]


def _console(scan: Scan) -> str:
    return console.render(scan, color=False, width=400)


FORMATS: dict[str, Callable[[Scan], str]] = {
    "console": _console,
    "html": html.render,
    "json": json_report.render,
    "junit": junit.render,
    "markdown": markdown.render,
}

ROWS = st.lists(
    st.tuples(
        st.sampled_from(["connectivity", "windows-version", "app-version-match"]),
        st.sampled_from(list(Status)),
        st.sampled_from(["", "missed", "left out"]),
    ),
    max_size=6,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, strict=st.booleans(), partial=st.booleans())
def test_every_format_says_the_same_verdict_and_counts(
    make_result: MakeResult,
    make_scan: MakeScan,
    rows: list[tuple[str, Status, str]],
    strict: bool,
    partial: bool,
) -> None:
    results = [
        make_result(
            check,
            status,
            f"message {number}",
            node=f"n{number}",
            not_evaluated=mood == "missed" or status is Status.ERROR,
            left_out="a reason" if (status, mood) == (Status.SKIP, "left out") else "",
        )
        for number, (check, status, mood) in enumerate(rows)
    ]
    scan = make_scan(tuple(results), strict=strict, partial=partial)
    said = {name: render(scan) for name, render in FORMATS.items()}
    verdict = str(scan.verdict)

    assert said["console"].startswith(f"{verdict}  {headline(scan, digest(scan))}")
    assert f"preflight: {verdict}\n" in said["markdown"]
    assert f"<h1>{verdict}</h1>" in said["html"]
    assert json.loads(said["json"])["verdict"] == verdict
    root = ET.fromstring(said["junit"].encode())  # noqa: S314  our own document
    told = {item.get("name"): item.get("value") for item in root.iter("property")}
    assert (told["verdict"], told["exit_code"]) == (verdict, str(scan.exit_code))

    for name in ("console", "markdown", "html"):
        assert coverage_line(scan) in said[name]
    assert json.loads(said["json"])["coverage"] == {
        key: int(told[key] or "")
        for key in (
            "planned",
            "evaluated",
            "not_applicable",
            "not_declared",
            "waived",
            "not_evaluated",
            "left_out",
        )
    }
    failures, errors = (sum(int(suite.get(key, "")) for suite in root) for key in ("failures", "errors"))
    blockers = len(digest(scan).blockers)
    assert failures == blockers
    assert f'Blockers <span class="n">{blockers}</span>' in said["html"] or not blockers
    assert f"BLOCKERS ({blockers})" in said["console"] or not blockers
    assert f"### Blockers ({blockers})" in said["markdown"] or not blockers
    # A gate that counts only these is green exactly where the exit code is 0.
    assert (failures + errors == 0) == (scan.exit_code == 0)
    if scan.verdict is Verdict.GO:
        assert scan.exit_code == 0


@pytest.mark.parametrize("name", FORMATS)
def test_rendering_twice_gives_the_same_bytes(rich_scan: Scan, hostile_scan: Scan, name: str) -> None:
    for scan in (rich_scan, hostile_scan):
        first = FORMATS[name](scan).encode("utf-8")
        assert FORMATS[name](copy.deepcopy(scan)).encode("utf-8") == first


@pytest.mark.parametrize("name", FORMATS)
def test_nothing_hostile_comes_through(hostile_scan: Scan, name: str) -> None:
    text = FORMATS[name](hostile_scan)
    text.encode("utf-8")
    assert re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff]", text) is None


@pytest.mark.parametrize("name", FORMATS)
def test_every_message_and_notice_is_told(rich_scan: Scan, name: str) -> None:
    text = FORMATS[name](rich_scan)
    for row in rich_scan.results:
        # A console tells skips in numbers, and the rest of the story with -v.
        if row.status is not Status.PASS and not (name == "console" and row.status is Status.SKIP):
            assert row.message in text
    for notice in rich_scan.notices:
        assert notice in text


def test_a_digest_holds_every_result_once(rich_scan: Scan) -> None:
    for scan in (rich_scan, replace(rich_scan, strict=True)):
        parts = digest(scan)
        rows = [
            id(row)
            for groups in (
                parts.blockers,
                parts.undetermined,
                parts.warnings,
                parts.not_evaluated,
                parts.waived,
                parts.left_out,
                parts.not_applicable,
                parts.passed,
            )
            for group in groups
            for row in group.results
        ]
        assert sorted(rows) == sorted(id(row) for row in scan.results)


def test_groups_are_by_cause_and_the_gravest_comes_first(make_result: MakeResult) -> None:
    rows = [
        make_result("windows-version", "fail", "too old", node="a"),
        make_result("sql-server-version", "fail", "too old", node="b"),
        make_result("windows-version", "fail", "too old", node="c"),
        make_result("windows-version", "fail", "a client", node="d"),
        make_result("windows-version", "warn", "too old", node="e"),
    ]
    found = [(group.check, group.message, [row.node for row in group.results]) for group in grouped(rows)]
    assert found == [
        ("sql-server-version", "too old", ["b"]),
        ("windows-version", "too old", ["a", "c"]),
        ("windows-version", "a client", ["d"]),
        ("windows-version", "too old", ["e"]),
    ]


@pytest.mark.parametrize("kind", ["console", "html", "markdown"])
def test_the_results_are_grouped_once(kind: str, rich_scan: Scan, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten thousand of them take their time."""
    folded: list[int] = []

    def counted(results: Iterable[Result]) -> Folded:
        folded.append(1)
        return fold(results)

    monkeypatch.setattr("reports.findings.grouping.fold", counted)
    assert FORMATS[kind](rich_scan)
    assert folded == [1]
