"""A new format is one file and one line: with them, every document can be had in it."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

import reports.format
from checks.baseline.drift import Difference
from checks.outcome import Status
from checks.runbook.model import Runbook, numbered_steps
from checks.scan import Scan
from reports.format import DRIFT, FORMATS, RUNBOOK, SCAN, Format, every_document, formats_of
from reports.text import one_line
from scanner.cli.report_options import takes_reports
from tests.test_reports import asciidoc
from tests.test_reports.drift.test_drift_reports import check, drift, fact
from tests.test_scanner.test_plan import book

NEW = Format(
    name="asciidoc",
    writes="Write AsciiDoc.",
    about="For a book.",
    example="preflight.adoc",
    render=every_document("tests.test_reports.asciidoc"),
    suffixes=(".adoc",),
)


@pytest.fixture(autouse=True)
def one_line_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports.format, "FORMATS", (*FORMATS, NEW))


@pytest.mark.parametrize("document", [SCAN, DRIFT, RUNBOOK])
def test_every_document_can_be_had_in_it(document: str) -> None:
    assert NEW in formats_of(document)


@pytest.mark.parametrize("document", [SCAN, DRIFT])
def test_the_commands_have_its_option(document: str) -> None:
    command = takes_reports(document)(lambda reports: None)
    assert "asciidoc" in inspect.signature(command).parameters


def test_it_is_one_file_that_names_no_document() -> None:
    text = Path(asciidoc.__file__).read_text(encoding="utf-8")
    assert not [name for name in ("checks.scan", "checks.baseline", "checks.runbook") if name in text]


def test_it_tells_every_finding_of_a_scan(rich_scan: Scan) -> None:
    text = "".join(NEW.written(SCAN, rich_scan))
    told = [row for row in rich_scan.results if row.status in (Status.FAIL, Status.ERROR, Status.WARN)]
    assert len(told) > 4
    for row in told:
        for part in (row.check, row.message, row.remediation.summary, row.remediation.command):
            assert one_line(part) in text
    for notice in rich_scan.notices:
        assert notice in text


def test_it_tells_every_difference_of_a_drift() -> None:
    found = drift(
        fact("windows-version.build", "changed", 17763, 20348),
        fact("web-root.efs", "not-compared", "no", None, note="access denied"),
        checks=(check("app-version-match", "changed", "pass", "fail", "web2 differs"),),
        notices=("only a part was looked at",),
    )
    assert {row.difference for row in found.facts} == {Difference.CHANGED, Difference.NOT_COMPARED}
    text = "".join(NEW.written(DRIFT, found))
    for part in ("windows-version.build", "17763", "20348", "access denied", "app-version-match", "web2 differs"):
        assert part in text
    assert found.notices[0] in text


def test_it_tells_every_step_of_a_plan_and_what_is_typed() -> None:
    made = book("vault-two-step")
    text = "".join(NEW.written(RUNBOOK, made))
    (plan,) = made.plans
    assert isinstance(plan, Runbook)
    for number, _, step in numbered_steps(plan):
        assert f"{number} {step.title}" in text
        for command in step.commands:
            assert one_line(command.text, 4_000) in text
    for trouble in plan.troubles:
        assert trouble.sign in text
