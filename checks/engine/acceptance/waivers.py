"""Waivers laid over results: what is accepted no longer counts, and what no longer is says so.

Only `fail` and `warn` can be waived. What could not be determined is nothing that anybody could have accepted.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date

from checks.common.dataclass import dataclass
from checks.engine.acceptance.model import Expiry, Waiver, scope, standing
from checks.outcome import Result, Status

WAIVABLE = frozenset({Status.FAIL, Status.WARN})


@dataclass(frozen=True, slots=True)
class Applied:
    """What came of the waivers."""

    results: tuple[Result, ...]
    notices: tuple[str, ...]
    """Waivers to tidy up."""
    reminders: tuple[str, ...]
    """Waivers that end soon, have expired or are void: to be told by a quiet run, too."""


class Use(enum.Enum):
    """What a waiver is good for, given some results."""

    NEEDED = enum.auto()
    """It covers a finding, with the value that is observed."""
    VOID = enum.auto()
    """All findings that it could cover have other values."""
    MOOT = enum.auto()
    """All that it could cover is fine as it is."""
    UNTOLD = enum.auto()
    """What it could cover was not determined."""
    ABSENT = enum.auto()
    """There is no result that it could cover."""


def apply(results: Sequence[Result], waivers: Sequence[Waiver], today: date, *, whole: bool) -> Applied:
    """Lay `waivers` over `results` as of `today`, in UTC.

    `whole` is False where only a part of the inventory or of the checks was looked at: that a waiver is good for
    nothing cannot be said then.
    """
    if not waivers:
        return Applied(tuple(results), (), ())
    covering = _covering(waivers)
    judged: list[Result] = []
    found: list[list[Result]] = [[] for _ in waivers]
    for row in results:
        places = covering(row)
        after = _judged(row, [waivers[place] for place in places], today)
        judged.append(after)
        for place in places:
            found[place].append(after)
    notices: list[str] = []
    reminders: list[str] = []
    for waiver, rows in zip(waivers, found, strict=True):
        use, stands = use_of(waiver, rows), standing(waiver.expires, today)
        if use in (Use.MOOT, Use.ABSENT):
            if whole:
                past = f"expired on {waiver.expires} and " if stands is Expiry.EXPIRED else ""
                notices.append(f"{named(waiver)} {past}waives nothing here; take it out")
        elif stands is Expiry.EXPIRED:
            again = any(row.status in WAIVABLE for row in rows)
            counts = ", and what it covered counts again" if again else ""
            reminders.append(f"{named(waiver)} expired on {waiver.expires}{counts}")
        elif use is Use.VOID:
            reminders.append(f'{named(waiver)} is void: it holds only while "{waiver.value}" is observed')
        elif stands is Expiry.ENDS_SOON and any(row.waiver is waiver for row in rows):
            reminders.append(f"{named(waiver)} ends on {waiver.expires}; renew it, or mend what it covers")
    return Applied(tuple(judged), tuple(notices), tuple(reminders))


def covered(waivers: Sequence[Waiver], results: Iterable[Result]) -> list[list[Result]]:
    """For each waiver, in their order, the results that it covers."""
    covering = _covering(waivers)
    found: list[list[Result]] = [[] for _ in waivers]
    for row in results:
        for place in covering(row):
            found[place].append(row)
    return found


def _covering(waivers: Sequence[Waiver]) -> Callable[[Result], list[int]]:
    """What tells the places of the waivers that cover a result: an estate may have thousands of both."""
    about: dict[tuple[str, str, str | None], list[int]] = {}
    for place, waiver in enumerate(waivers):
        about.setdefault((waiver.check, waiver.cluster, waiver.node), []).append(place)

    def covering(row: Result) -> list[int]:
        subjects = ((row.check, row.cluster, node) for node in dict.fromkeys((None, row.node)))
        return sorted(place for subject in subjects for place in about.get(subject, ()))

    return covering


def use_of(waiver: Waiver, results: Iterable[Result]) -> Use:
    """What `waiver` is good for, its date aside. Results that are waived already count as findings."""
    rows = [row for row in results if _covers(waiver, row)]
    found = [row for row in rows if row.status in WAIVABLE or row.status is Status.WAIVED]
    if any(_fits(waiver, row) for row in found):
        return Use.NEEDED
    if found:
        return Use.VOID
    if not rows:
        return Use.ABSENT
    return Use.UNTOLD if any(row.not_evaluated for row in rows) else Use.MOOT


def named(waiver: Waiver) -> str:
    """A waiver in a sentence, with its place: `waivers[2] (dotnet-framework on vault-prod.web1, Ada)`."""
    return f"{waiver.place or 'a waiver'} ({scope(waiver)}, {waiver.owner})"


def _judged(row: Result, covering: Sequence[Waiver], today: date) -> Result:
    if row.status is Status.ERROR:
        said = [
            f"a waiver by {waiver.owner} does not help: what could not be determined cannot be waived"
            for waiver in covering
            if standing(waiver.expires, today) is not Expiry.EXPIRED
        ]
        return _saying(row, said)
    if row.status not in WAIVABLE:
        return row
    holding = [waiver for waiver in covering if standing(waiver.expires, today) is not Expiry.EXPIRED]
    fitting = [waiver for waiver in holding if _fits(waiver, row)]
    if fitting:
        waiver = max(fitting, key=lambda waiver: waiver.expires)
        soon = standing(waiver.expires, today) is Expiry.ENDS_SOON
        said = [f"the waiver by {waiver.owner} ends on {waiver.expires}"] if soon else []
        return _saying(replace(row, status=Status.WAIVED, waiver=waiver), said)
    return _saying(
        row,
        [
            f'a waiver by {waiver.owner} is void: it holds only while "{waiver.value}" is observed'
            if waiver in holding
            else f"a waiver by {waiver.owner} expired on {waiver.expires}"
            for waiver in covering
        ],
    )


def _saying(row: Result, said: Iterable[str]) -> Result:
    told = dict.fromkeys(said)
    return replace(row, message="; ".join([row.message, *told])) if told else row


def _covers(waiver: Waiver, row: Result) -> bool:
    here = (waiver.check, waiver.cluster) == (row.check, row.cluster)
    return here and waiver.node in (None, row.node)


def _fits(waiver: Waiver, row: Result) -> bool:
    """Whether the waiver's value is what is observed; how lines and blanks are laid out says nothing."""
    return not waiver.value or waiver.value.split() == row.observed.split()
