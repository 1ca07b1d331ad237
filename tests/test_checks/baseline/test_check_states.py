"""How checks ended, as a snapshot keeps it: what could not be judged is no skip, and what is no state is not there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from checks.baseline.snapshot import LEFT_OUT, NOT_EVALUATED, CheckKey, CheckState, check_states
from checks.outcome import Result, Severity, Status
from checks.scan import ATTESTATIONS, CONNECTIVITY

ROW = Result(
    check="size",
    title="T",
    severity=Severity.LOW,
    cluster="vault",
    node="web1",
    status=Status.PASS,
    message="fine",
)
SKIP = replace(ROW, status=Status.SKIP)


@pytest.mark.parametrize(
    ("row", "state"),
    [
        (ROW, "pass"),
        (replace(ROW, status=Status.FAIL), "fail"),
        (replace(ROW, status=Status.ERROR, not_evaluated=True), "error"),
        (replace(ROW, status=Status.WAIVED), "waived"),
        (SKIP, "skip"),
        (replace(SKIP, not_evaluated=True), NOT_EVALUATED),
        (replace(SKIP, left_out="ticket 4711"), LEFT_OUT),
    ],
)
def test_each_ending_has_its_word(row: Result, state: str) -> None:
    assert dict(check_states([row])) == {CheckKey("vault", "web1", "size"): CheckState(state, "fine")}
    assert list(dict(check_states([replace(row, node=None)]))) == [CheckKey("vault", "", "size")]


@pytest.mark.parametrize(
    "row",
    [
        replace(ROW, check=CONNECTIVITY),
        replace(ROW, check=ATTESTATIONS),
        replace(ROW, check=ATTESTATIONS, cluster=""),
        replace(ROW, cluster="", node=None),
    ],
)
def test_what_is_no_state_of_a_cluster_is_not_kept(row: Result) -> None:
    assert list(check_states([row])) == []


def test_a_key_is_told_by_the_parts_that_it_has() -> None:
    assert str(CheckKey("vault", "web1", "size")) != str(CheckKey("vault", "", "size"))
    assert all(part in str(CheckKey("vault", "web1", "size")) for part in ("vault", "web1", "size"))
