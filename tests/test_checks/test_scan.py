from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from checks.history.model import FindingAge, FindingKey, ScanHistory
from checks.outcome import Result, Severity, Status
from checks.scan import (
    ATTESTATIONS,
    ClusterRecord,
    Coverage,
    FailOn,
    Scan,
    Verdict,
    coverage_of,
    gravest,
    verdict_of,
)


def results(*statuses: str, check: str = "size") -> list[Result]:
    return [
        Result(
            check=check,
            title="T",
            severity=Severity.LOW,
            cluster="prod",
            node="web1",
            status=Status(status.removeprefix("un")),
            message="m",
            not_evaluated=status in ("error", "unskip"),
        )
        for status in statuses
    ]


GO, NO_GO, UNKNOWN = Verdict.GO, Verdict.NO_GO, Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("statuses", "verdict"),
    [
        (["pass"], GO),
        (["pass", "warn"], GO),
        (["warn"], GO),
        (["pass", "skip"], GO),
        (["pass", "waived"], GO),
        (["pass", "fail"], NO_GO),
        (["error", "fail"], NO_GO),
        (["pass", "error"], UNKNOWN),
        (["error"], UNKNOWN),
        ([], UNKNOWN),
        (["skip"], UNKNOWN),
        (["waived"], UNKNOWN),
        (["skip", "waived"], UNKNOWN),
    ],
)
def test_the_verdict_is_never_go_by_accident(statuses: list[str], verdict: Verdict) -> None:
    assert verdict_of(results(*statuses)) is verdict


def test_strict_counts_a_warning_as_a_failure() -> None:
    assert verdict_of(results("pass", "warn"), strict=True) is NO_GO
    assert verdict_of(results("pass"), strict=True) is GO


def test_a_partial_run_can_prove_a_failure_and_never_a_go() -> None:
    assert verdict_of(results("pass"), partial=True) is UNKNOWN
    assert verdict_of(results("pass", "fail"), partial=True) is NO_GO


def test_that_nodes_answered_is_no_judgement_unless_it_was_all_that_was_asked() -> None:
    answered = results("pass", check="connectivity")
    assert verdict_of(answered) is GO
    assert verdict_of([*answered, *results("skip")]) is UNKNOWN
    assert verdict_of([*answered, *results("pass")]) is GO
    assert verdict_of([*results("error", check="connectivity"), *results("pass")]) is UNKNOWN


def test_coverage_adds_up_and_tells_moot_from_missed() -> None:
    found = coverage_of(results("pass", "warn", "fail", "skip", "unskip", "error", "waived"))
    assert found == Coverage(planned=7, evaluated=3, not_applicable=1, waived=1, not_evaluated=2)
    assert coverage_of([]) == Coverage(planned=0, evaluated=0, not_applicable=0, waived=0, not_evaluated=0)


def row(status: str, cluster: str = "prod", check: str = "size", node: str | None = "web1", **more: Any) -> Result:
    made = Result(
        check=check,
        title="T",
        severity=Severity.LOW,
        cluster=cluster,
        node=node,
        status=Status(status),
        message="m",
        not_evaluated=status == "error",
    )
    return replace(made, **more)


def scan(*rows: Result, **more: Any) -> Scan:
    now = datetime(2026, 11, 21, tzinfo=UTC)
    return Scan(
        tool_version="1",
        started=now,
        finished=now,
        inventory="i",
        nodes=(),
        results=rows,
        clusters=tuple(ClusterRecord(name=name) for name in ("prod", "test")),
        **more,
    )


@pytest.mark.parametrize(
    ("severity", "key", "strict", "verdict"),
    [
        (Severity.CRITICAL, "dpapi", True, NO_GO),
        (Severity.CRITICAL, "dpapi", False, GO),
        (Severity.HIGH, "dpapi", True, GO),
        (Severity.CRITICAL, "", True, GO),
    ],
)
def test_what_nobody_declared_of_a_critical_check_is_no_go_where_warnings_count(
    severity: Severity, key: str, strict: bool, verdict: Verdict
) -> None:
    undeclared = row("skip", severity=severity, not_declared=key)
    assert verdict_of([row("pass"), undeclared], strict=strict) is verdict
    assert coverage_of([undeclared]) == Coverage(
        planned=1, evaluated=0, not_applicable=int(not key), waived=0, not_evaluated=0, not_declared=int(bool(key))
    )


def test_what_is_left_out_and_not_declared_is_counted_once() -> None:
    found = coverage_of([row("skip", left_out="why", not_declared="dpapi"), row("skip", left_out="why"), row("skip")])
    assert (found.planned, found.left_out, found.not_declared, found.not_applicable) == (3, 2, 0, 1)


def test_what_is_waived_and_was_not_evaluated_is_counted_once() -> None:
    found = coverage_of([row("waived", not_evaluated=True), row("waived")])
    assert (found.planned, found.waived, found.not_evaluated, found.evaluated) == (2, 1, 1, 0)


@pytest.mark.parametrize(
    ("verdicts", "gravest_of_them"),
    [
        ((), UNKNOWN),
        ((GO,), GO),
        ((GO, UNKNOWN), UNKNOWN),
        ((UNKNOWN, GO), UNKNOWN),
        ((GO, UNKNOWN, NO_GO), NO_GO),
        ((NO_GO, GO), NO_GO),
    ],
)
def test_the_gravest_verdict_counts(verdicts: tuple[Verdict, ...], gravest_of_them: Verdict) -> None:
    assert gravest(verdicts) is gravest_of_them


@pytest.mark.parametrize(
    ("rows", "verdicts", "whole"),
    [
        ([row("pass"), row("pass", "test")], {"prod": GO, "test": GO}, GO),
        # A cluster of which nothing was judged is no GO because the other one is.
        ([row("pass")], {"prod": GO, "test": UNKNOWN}, UNKNOWN),
        ([row("pass"), row("fail", "test")], {"prod": GO, "test": NO_GO}, NO_GO),
        ([row("error"), row("fail", "test")], {"prod": UNKNOWN, "test": NO_GO}, NO_GO),
        ([row("pass"), row("pass", "test"), row("error", "")], {"prod": GO, "test": GO}, UNKNOWN),
        ([row("pass"), row("pass", "test"), row("fail", "")], {"prod": GO, "test": GO}, NO_GO),
        ([row("pass"), row("pass", "test"), row("fail", "dev")], {"prod": GO, "test": GO, "dev": NO_GO}, NO_GO),
        ([row("pass"), row("pass", "test"), row("warn", "dev", ATTESTATIONS)], {"prod": GO, "test": GO}, GO),
        ([row("pass"), row("pass", "test"), row("warn", "test", ATTESTATIONS)], {"prod": GO, "test": GO}, GO),
    ],
)
def test_each_cluster_has_its_verdict_and_the_scan_the_gravest(
    rows: list[Result], verdicts: dict[str, Verdict], whole: Verdict
) -> None:
    made = scan(*rows)
    assert {judged.record.name: judged.verdict for judged in made.cluster_verdicts} == verdicts
    assert made.verdict is whole
    assert made.exit_code == {GO: 0, NO_GO: 1, UNKNOWN: 3}[whole]
    assert sum(judged.coverage.planned for judged in made.cluster_verdicts) == sum(
        judged.counts.total() for judged in made.cluster_verdicts
    )


def test_strict_and_partial_hold_for_each_cluster() -> None:
    rows = (row("warn"), row("pass", "test"))
    assert [judged.verdict for judged in scan(*rows, strict=True).cluster_verdicts] == [NO_GO, GO]
    interrupted = scan(*rows, partial=True)
    assert [judged.verdict for judged in interrupted.cluster_verdicts] == [UNKNOWN, UNKNOWN]
    assert (interrupted.verdict, interrupted.exit_code) == (UNKNOWN, 130)


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ([row("pass"), row("fail", "test")], 0),
        ([row("error"), row("fail", "test")], 3),
        ([row("fail"), row("fail", "test")], 1),
        # What belongs to no cluster lies before all of them.
        ([row("pass"), row("pass", "test"), row("error", "")], 3),
        ([row("pass"), row("pass", "test"), row("fail", "")], 1),
    ],
)
def test_to_fail_on_all_is_to_go_where_one_may(rows: list[Result], code: int) -> None:
    assert scan(*rows, fail_on=FailOn.ALL).exit_code == code


def test_to_fail_on_all_of_no_cluster_is_no_go() -> None:
    assert replace(scan(fail_on=FailOn.ALL), clusters=()).exit_code == 3


YESTERDAY = datetime(2026, 11, 20, tzinfo=UTC)


def aged(found: Result, *, new: bool, before: str | None = None) -> FindingAge:
    return FindingAge(
        subject=FindingKey(found.check, found.cluster, found.node),
        status=found.status,
        since=YESTERDAY,
        open_start=False,
        runs=1 if new else 2,
        new=new,
        before=Status(before) if before else None,
    )


OLD_FAIL, OLD_ERROR = row("fail", check="old"), row("error", check="old")
NEW_FAIL, NEW_ERROR, NEW_WARN = row("fail", check="new"), row("error", check="new"), row("warn", check="new")


@pytest.mark.parametrize(
    ("rows", "ages", "code"),
    [
        ([row("pass"), OLD_FAIL], [aged(OLD_FAIL, new=False, before="fail")], 0),
        ([row("pass"), OLD_ERROR], [aged(OLD_ERROR, new=False, before="error")], 0),
        ([row("pass"), OLD_FAIL], [aged(OLD_FAIL, new=False, before="warn")], 1),
        ([row("pass"), OLD_FAIL, NEW_FAIL], [aged(OLD_FAIL, new=False), aged(NEW_FAIL, new=True)], 1),
        ([row("pass"), OLD_FAIL, NEW_ERROR], [aged(OLD_FAIL, new=False), aged(NEW_ERROR, new=True)], 3),
        ([row("pass"), OLD_FAIL, NEW_WARN], [aged(OLD_FAIL, new=False), aged(NEW_WARN, new=True)], 0),
        ([row("pass")], [], 0),
        # A scan that judged nothing is no GO because yesterday's was no better.
        ([row("skip")], [], 3),
        ([], [], 3),
    ],
)
def test_to_fail_on_what_is_new_is_to_go_with_what_is_known(
    rows: list[Result], ages: list[FindingAge], code: int
) -> None:
    history = ScanHistory(last=YESTERDAY, standings=tuple(ages))
    alone = (ClusterRecord(name="prod"),)
    made = replace(scan(*rows, fail_on=FailOn.NEW, history=history), clusters=alone)
    assert made.exit_code == code
    # Where there is nothing to hold it to, it is held to all.
    for unknown in (None, ScanHistory(last=None)):
        first = replace(made, history=unknown)
        assert first.exit_code == {GO: 0, NO_GO: 1, UNKNOWN: 3}[first.verdict]
    assert replace(made, fail_on=FailOn.ANY).exit_code == {GO: 0, NO_GO: 1, UNKNOWN: 3}[made.verdict]


def test_a_new_warning_counts_where_warnings_count() -> None:
    history = ScanHistory(last=YESTERDAY, standings=(aged(NEW_WARN, new=True),))
    rows = (row("pass"), row("pass", "test"), NEW_WARN)
    assert scan(*rows, fail_on=FailOn.NEW, history=history, strict=True).exit_code == 1
    assert scan(*rows, fail_on=FailOn.NEW, history=history).exit_code == 0
