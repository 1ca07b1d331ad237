"""What earlier runs say of the present results: values for reports. `checks.history.scan_comparison` works them out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime

from checks.common.dataclass import dataclass
from checks.outcome import Status

TREND_RUNS = 30
"""The trend shows so many runs, the present one included."""


@dataclass(frozen=True, slots=True)
class FindingKey:
    """What a result is about, whatever it says: the same in every run."""

    check: str
    cluster: str
    node: str | None
    """None for the cluster as a whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingAge:
    """How long a finding of the present run has been there."""

    subject: FindingKey
    status: Status
    """fail, warn or waived, for what is there; error, for what could not be determined."""
    since: datetime
    """Start of the first run of the unbroken row of runs that found it so. Aware, UTC."""
    open_start: bool
    """True where no run before `since` saw the subject free of it: it may be older than the history."""
    runs: int
    """How many runs found it so, the present one included."""
    new: bool
    """True where the last run that looked did not find it."""
    before: Status | None
    """What was found when it was last judged; None where it never was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedFinding:
    """A finding of earlier runs that the present one does not have any more."""

    subject: FindingKey
    was: Status
    """fail, warn, waived or error."""
    message: str
    """What the last run that had it said."""
    since: datetime
    """Start of the first run that had it. Aware, UTC."""
    open_start: bool
    runs: int
    now: Status | None
    """What the present run says; None where it did not plan to look."""


@dataclass(frozen=True, slots=True)
class Flapping:
    """A result that keeps changing."""

    subject: FindingKey
    changes: int
    runs: int
    """The changes happened within so many runs, the present one included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendPoint:
    """One run in numbers of results."""

    started: datetime
    """Aware, UTC."""
    verdict: str
    """GO, NO-GO or UNKNOWN."""
    fail: int
    error: int
    warn: int
    waived: int
    passed: int
    not_evaluated: int
    """Skips for what could not be looked at; an error counts as `error` alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanHistory:
    """The present run, seen from the runs before it."""

    last: datetime | None
    """Start of the last comparable run, aware, UTC; None where there is none, and then all but `trend` is empty."""
    standings: tuple[FindingAge, ...] = ()
    """One for each present finding, in the order of the results."""
    resolved: tuple[ClosedFinding, ...] = ()
    """Looked at, and not there any more."""
    gone: tuple[ClosedFinding, ...] = ()
    """Not looked at any more: the node has left the inventory, or the check the registry. Told once."""
    flapping: tuple[Flapping, ...] = ()
    trend: tuple[TrendPoint, ...] = ()
    """The last runs that looked at the same part of the inventory, oldest first, the present one last."""
    by_cluster: Mapping[str, tuple[TrendPoint, ...]] = field(default_factory=dict)
    """The same runs, cluster by cluster; of a cluster that some of them did not know, those that did."""
