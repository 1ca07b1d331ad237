"""What a nightly mail is sent for, and when somebody is reminded of what still stands."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from checks.history.model import ClosedFinding, FindingAge, FindingKey, Flapping, ScanHistory
from checks.history.news import fresh, is_fresh, is_news, reminder_is_due
from checks.outcome import Status

FIRST = datetime(2026, 11, 1, 2, 15, tzinfo=UTC)
DISK = FindingKey("disk-space", "vault", "web1")
WEEK = timedelta(days=7)


def day(number: float) -> datetime:
    return FIRST + timedelta(days=number)


def standing(status: str, before: str = "", *, new: bool = False, since: float = 0) -> FindingAge:
    return FindingAge(
        subject=DISK,
        status=Status(status),
        since=day(since),
        open_start=False,
        runs=1,
        new=new,
        before=Status(before) if before else None,
    )


@pytest.mark.parametrize(
    ("found", "news"),
    [
        (standing("fail", new=True), True),
        (standing("error", new=True), True),
        (standing("fail", "fail"), False),
        (standing("fail", "warn"), True),
        (standing("warn", "fail"), True),
        (standing("waived", "fail"), True),
        (standing("waived", "waived"), False),
        (standing("error", "fail"), False),
        (standing("error", "pass"), False),
        (standing("fail"), False),
    ],
)
def test_what_is_new_or_is_another_thing_than_it_was(found: FindingAge, news: bool) -> None:
    assert is_fresh(found) is news
    history = ScanHistory(last=day(0), standings=(found,))
    assert fresh(history) == ({DISK} if news else frozenset())
    assert is_news(history) is news


CLOSED = ClosedFinding(
    subject=DISK, was=Status.FAIL, message="full", since=FIRST, open_start=False, runs=1, now=Status.PASS
)
QUIET = ScanHistory(last=FIRST, standings=(standing("fail", "fail"),))


@pytest.mark.parametrize(
    ("history", "news"),
    [
        (None, True),
        (ScanHistory(last=None), True),
        (ScanHistory(last=FIRST), False),
        (QUIET, False),
        (replace(QUIET, resolved=(CLOSED,)), True),
        (replace(QUIET, gone=(CLOSED,)), True),
        (replace(QUIET, flapping=(Flapping(DISK, 3, 10),)), True),
    ],
)
def test_the_first_run_and_whatever_changed_is_news(history: ScanHistory | None, news: bool) -> None:
    assert is_news(history) is news


@pytest.mark.parametrize(
    ("last", "now", "due"),
    [
        (5, 6, False),
        (6, 6.99, False),
        (6, 7, True),
        (6, 7.5, True),
        (7, 8, False),
        (13, 14, True),
        # Whenever the run is made: two weeks without one are told once.
        (6, 22, True),
        (22, 23, False),
        # The last run was made before the finding began.
        (-30, 6, False),
        (-1, 7, True),
    ],
)
@pytest.mark.parametrize("status", ["fail", "error"])
def test_a_reminder_is_due_in_the_first_run_after_each_whole_week(
    status: str, last: float, now: float, due: bool
) -> None:
    history = ScanHistory(last=day(last), standings=(standing(status, status),))
    assert reminder_is_due(history, day(now), WEEK) is due


@pytest.mark.parametrize("status", ["warn", "waived"])
def test_nobody_is_reminded_of_what_is_no_failure(status: str) -> None:
    assert not reminder_is_due(ScanHistory(last=day(6), standings=(standing(status),)), day(7), WEEK)


def test_without_an_earlier_run_there_is_nothing_to_be_reminded_of() -> None:
    grave = (standing("fail", "fail"),)
    for history in (None, ScanHistory(last=None, standings=grave), ScanHistory(last=day(6))):
        assert not reminder_is_due(history, day(7), WEEK)


def test_the_newest_of_several_is_counted_from() -> None:
    both = (standing("fail", "fail"), standing("error", "error", since=3), standing("warn", "warn", since=6))
    history = ScanHistory(last=day(6), standings=both)
    assert not reminder_is_due(history, day(7), WEEK)
    assert reminder_is_due(replace(history, last=day(9)), day(10), WEEK)
