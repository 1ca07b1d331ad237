"""When runs are made, told from the runs themselves, and on which days one was due that did not happen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from statistics import median_low

from checks.common.dataclass import dataclass

FEWEST_DAYS = 4
"""Runs on fewer days than this show no rhythm."""
GRACE = timedelta(hours=3)
"""So long after the usual time a run is still waited for, and as near to it one beyond midnight UTC counts."""
_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
LONGEST_DAYS = 130
"""Runs longer ago tell nothing of today's rhythm; four that are a month apart are within it."""
_LOOKED_AT_DAYS = (LONGEST_DAYS, 60, 28, 14)
"""The longest of these last stretches that has one rhythm tells it: cron tables change."""
_OFTEN = 2 / 3
"""Of the weeks with any run; of the gaps between runs."""
_MOSTLY = 3 / 4
"""Of the days with a run; the others are taken for runs by hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """On which days a run is to be expected."""

    first: date
    """From when on it was kept."""
    last: date
    """The last day with a run."""
    at: timedelta
    """The usual time of day, UTC."""
    weekdays: tuple[int, ...] = ()
    """Monday is 0; empty where it goes by a number of days."""
    days: int = 0
    """Days between runs, where it goes by them: more than a week."""
    slack: int = 0
    """So many days later such a run may be."""

    @property
    def told(self) -> str:
        """In words."""
        when = f"about {_clock(self.at)} UTC"
        if self.days:
            return f"about every {self.days} days, {when}"
        if len(self.weekdays) == 7:
            return f"every day, {when}"
        if self.weekdays == (0, 1, 2, 3, 4):
            return f"Monday to Friday, {when}"
        names = [_NAMES[day] for day in self.weekdays]
        return f"every {' and '.join(filter(None, (', '.join(names[:-1]), names[-1])))}, {when}"

    def due(self, now: datetime, runs: Collection[date]) -> list[date]:
        """The days, up to `now`, by which a run was to be expected."""
        if self.days:
            return list(self._due_by_days(now, runs))
        days = (self.first + timedelta(days=number) for number in range((now.date() - self.first).days + 1))
        return [day for day in days if day.weekday() in self.weekdays and self._moment(day) + GRACE <= now]

    def missed(self, now: datetime, starts: Iterable[datetime]) -> list[date]:
        """The days on which a run was due and none was made."""
        made = list(starts)
        days = {start.date() for start in made}
        # What usually starts at midnight may start just before or after it.
        near = {
            day
            for start in made
            for day in (start.date() - timedelta(days=1), start.date() + timedelta(days=1))
            if abs(self._moment(day) - start) <= GRACE
        }
        return [day for day in self.due(now, days) if day not in days | near]

    def _due_by_days(self, now: datetime, runs: Collection[date]) -> Iterable[date]:
        for day, following in pairwise([*sorted(day for day in runs if day >= self.first), now.date()]):
            due = day + timedelta(days=self.days)
            while due + timedelta(days=self.slack) < following:
                yield due
                due += timedelta(days=self.days)

    def _moment(self, day: date) -> datetime:
        return datetime.combine(day, time(), UTC) + self.at


def rhythm(starts: Iterable[datetime]) -> Rhythm | None:
    """The rhythm that runs with these starts (aware, UTC) keep; None where they show none."""
    made = sorted(starts)
    for stretch in _LOOKED_AT_DAYS if made else ():
        part = [start for start in made if (made[-1] - start).days < stretch]
        if found := _rhythm(part):
            return found
    return None


def _rhythm(made: Sequence[datetime]) -> Rhythm | None:
    days = sorted({start.date() for start in made})
    if len(days) < FEWEST_DAYS:
        return None
    gaps = [(later - earlier).days for earlier, later in pairwise(days)]
    step = median_low(gaps)
    if step > 7:
        slack = 1 + step // 7
        steady = sum(abs(gap - step) <= slack for gap in gaps) >= _OFTEN * len(gaps)
        return Rhythm(first=days[0], last=days[-1], at=_usual(made), days=step, slack=slack) if steady else None
    weekdays = _weekdays(days, gaps)
    kept = sum(day.weekday() in weekdays for day in days)
    if not weekdays or kept < _MOSTLY * len(days):
        return None
    return Rhythm(
        first=days[0], last=days[-1], at=_usual([s for s in made if s.weekday() in weekdays]), weekdays=weekdays
    )


def _weekdays(days: Sequence[date], gaps: Sequence[int]) -> tuple[int, ...]:
    """The days of the week that have a run in most of those weeks that have any."""
    if (days[-1] - days[0]).days < 13:
        # Less than two weeks tell little of weeks: runs day after day go on at weekends if any was at one.
        daily = sum(gap == 1 for gap in gaps) >= _MOSTLY * len(gaps)
        return () if not daily else tuple(range(7 if any(day.weekday() > 4 for day in days) else 5))
    weeks = {_monday(day) for day in days}
    span = (days[0] + timedelta(days=number) for number in range((days[-1] - days[0]).days + 1))
    there = Counter(day.weekday() for day in span if _monday(day) in weeks)
    hit = Counter(day.weekday() for day in days)
    return tuple(day for day in range(7) if hit[day] >= 2 and hit[day] >= _OFTEN * there[day])


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _usual(made: Sequence[datetime]) -> timedelta:
    """The time of day that is nearest to all of them; the clock goes round."""
    minutes = [start.hour * 60 + start.minute for start in made]
    best = min(sorted(set(minutes)), key=lambda at: sum(min((at - m) % 1440, (m - at) % 1440) for m in minutes))
    return timedelta(minutes=best)


def _clock(at: timedelta) -> str:
    hours, minutes = divmod(int(at.total_seconds()) // 60, 60)
    return f"{hours:02}:{minutes:02}"
