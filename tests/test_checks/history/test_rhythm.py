"""When runs are made, and which did not happen: cron jobs, dead ones, changed ones, and people."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest

from checks.history.rhythm import rhythm

MONDAY = date(2026, 3, 2)
NIGHT = time(2, 15)


def starts(*days: int, at: time = NIGHT) -> list[datetime]:
    """Runs on so many days after that Monday."""
    return [datetime.combine(MONDAY + timedelta(days=day), at, UTC) for day in days]


def noon(day: int) -> datetime:
    return datetime.combine(MONDAY + timedelta(days=day), time(12), UTC)


def missed(made: list[datetime], now: datetime) -> list[int]:
    found = rhythm(made)
    assert found
    return [(day - MONDAY).days for day in found.missed(now, made)]


WEEKDAYS = [day for day in range(42) if day % 7 < 5]


@pytest.mark.parametrize(
    ("days", "told"),
    [
        (range(30), "every day"),
        (range(5), "Monday to Friday"),
        (range(6), "every day"),
        (WEEKDAYS, "Monday to Friday"),
        (range(6, 60, 7), "every Sunday"),
        ([day for day in range(42) if day % 7 in (0, 3)], "every Monday and Thursday"),
        ([day for day in range(42) if day % 7 in (0, 2, 4)], "every Monday, Wednesday and Friday"),
        (range(0, 80, 14), "about every 14 days"),
        ((0, 31, 61), None),
        ((0, 31, 61, 92), "about every 31 days"),
        ((0, 1, 2), None),
        ((0, 1, 9, 11, 30, 31, 47), None),
        ((), None),
    ],
)
def test_the_rhythm_is_told_from_the_runs(days: list[int], told: str | None) -> None:
    found = rhythm(starts(*days))
    assert (found.told if found else None) == (told and f"{told}, about 02:15 UTC")


def test_a_night_without_a_run_is_missed_and_weekends_are_not() -> None:
    assert missed(starts(*(day for day in range(20) if day not in (3, 11))), noon(19)) == [3, 11]
    assert missed(starts(*(day for day in WEEKDAYS if day != 9)), noon(42)) == [9, 42]
    assert missed(starts(*WEEKDAYS), noon(41)) == []


def test_a_long_death_in_between_is_told_night_by_night() -> None:
    made = starts(*range(20), *range(40, 50))
    assert missed(made, noon(49)) == list(range(20, 40))


def test_a_cron_job_that_died_is_missed_from_its_next_run_on() -> None:
    made = starts(*range(20))
    assert missed(made, datetime.combine(MONDAY + timedelta(days=20), time(5), UTC)) == [], "it may still come"
    assert missed(made, datetime.combine(MONDAY + timedelta(days=20), time(6), UTC)) == [20]
    assert missed(made, noon(100)) == list(range(20, 101))


def test_a_weekly_run_is_missed_on_its_day_and_a_monthly_one_some_days_later() -> None:
    assert missed(starts(6, 13, 20, 27, 41), noon(44)) == [34]
    monthly = starts(0, 31, 59, 90)
    assert missed(monthly, noon(122)) == []
    assert missed(monthly, noon(140)) == [121]


def test_runs_by_hand_make_no_rhythm_and_disturb_none() -> None:
    nightly = starts(*range(30))
    by_hand = starts(3, 4, 4, 9, 20, at=time(14, 40))
    assert missed([*nightly, *by_hand], noon(29)) == []
    found = rhythm([*nightly, *by_hand])
    assert found
    assert found.told == "every day, about 02:15 UTC"


def test_a_changed_cron_table_is_learnt() -> None:
    made = starts(*range(0, 56, 7), *range(56, 86))
    assert missed(made, noon(85)) == []
    found = rhythm(made)
    assert found
    assert found.told.startswith("every day")


def test_a_job_at_midnight_may_start_on_either_side_of_it() -> None:
    made = [
        datetime.combine(MONDAY + timedelta(days=day), time(23, 59) if day % 3 else time(0, 1), UTC)
        + timedelta(days=0 if day % 3 else 1)
        for day in range(30)
    ]
    assert missed(made, noon(29)) == []


def test_the_usual_time_goes_round_the_clock() -> None:
    made = [*starts(*range(0, 20, 2), at=time(23, 50)), *starts(*range(1, 21, 2), at=time(0, 10))]
    found = rhythm(made)
    assert found
    assert found.told.endswith(("about 23:50 UTC", "about 00:10 UTC"))


@pytest.mark.parametrize(
    ("days", "told"),
    [
        (range(0, 64, 8), "about every 8 days"),
        (range(0, 56, 7), "every Monday"),
        # Two gaps of three are enough, and three days more or less are the same gap.
        ((0, 14, 28, 60), "about every 14 days"),
        ((0, 14, 31, 42), "about every 14 days"),
        ((0, 14, 32, 60), None),
        # Within two weeks one day after the other is what tells; from two weeks on it is the days of the week.
        ((0, 1, 2, 3, 7), "Monday to Friday"),
        ((0, 1, 2, 4, 6), None),
        ((0, 1, 2, 3, 4, 5), "every day"),
        ((1, 3, 8, 10, 15), "every Tuesday and Thursday"),
        ([day for day in range(15) if day % 7 in (0, 3)], "every Monday and Thursday"),
    ],
)
def test_where_a_rhythm_begins(days: list[int], told: str | None) -> None:
    found = rhythm(starts(*days))
    assert (found.told if found else None) == (told and f"{told}, about 02:15 UTC")


@pytest.mark.parametrize(("hour", "minute", "late"), [(5, 14, []), (5, 15, [20]), (5, 16, [20])])
def test_a_run_is_waited_for_to_the_minute(hour: int, minute: int, late: list[int]) -> None:
    now = datetime.combine(MONDAY + timedelta(days=20), time(hour, minute), UTC)
    assert missed(starts(*range(20)), now) == late


@pytest.mark.parametrize(("now", "late"), [(56, []), (59, []), (60, [56]), (73, [56]), (74, [56, 70])])
def test_one_that_goes_by_days_is_waited_for_some_days_longer(now: int, late: list[int]) -> None:
    assert missed(starts(0, 14, 28, 42), noon(now)) == late


@pytest.mark.parametrize(
    ("usual", "once", "late"),
    [
        (time(0, 5), time(23, 50), []),
        (time(0, 5), time(21, 5), []),
        (time(0, 5), time(21, 4), [10]),
    ],
)
def test_a_run_shortly_before_midnight_may_be_that_of_the_next_day(usual: time, once: time, late: list[int]) -> None:
    made = [*starts(*(day for day in range(20) if day != 10), at=usual), *starts(9, at=once)]
    assert missed(made, noon(19)) == late


@pytest.mark.parametrize(("once", "late"), [(time(0, 10), []), (time(2, 50), []), (time(2, 51), [10])])
def test_a_run_shortly_after_midnight_may_be_that_of_the_day_before(once: time, late: list[int]) -> None:
    made = [*starts(*(day for day in range(20) if day != 10), at=time(23, 50)), *starts(11, at=once)]
    assert missed(made, noon(20)) == late
