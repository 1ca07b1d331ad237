from __future__ import annotations

import pytest

from checks.outcome import Result, Severity, Status
from checks.scan import Coverage, Verdict, coverage_of, verdict_of


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
