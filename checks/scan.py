"""A finished scan as reports see it, and the verdict that follows from its results."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from checks.acceptance import Attested
from checks.exit_codes import ExitCode
from checks.history import ScanHistory
from checks.outcome import Result, Status


class Verdict(enum.StrEnum):
    """May we go?"""

    GO = "GO"
    NO_GO = "NO-GO"
    UNKNOWN = "UNKNOWN"


EXIT_CODES = {Verdict.GO: ExitCode.GO, Verdict.NO_GO: ExitCode.NO_GO, Verdict.UNKNOWN: ExitCode.UNKNOWN}
CONNECTIVITY = "connectivity"
"""The id of the check that every node gets, always."""

ATTESTATIONS = "attestations"
"""The id of the warning that somebody's attestation has expired. No check: it judges no node."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of what was planned was looked at. The others add up to `planned`."""

    planned: int
    evaluated: int
    not_applicable: int
    waived: int
    not_evaluated: int
    left_out: int = 0
    """What the inventory leaves out, with a reason."""


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """What one node cost and whether it answered."""

    cluster: str
    node: str
    host: str
    transport: str
    reachable: bool
    connections: int
    commands: int
    requests: int
    """HTTP requests; 0 but over WinRM."""
    seconds: float


@dataclass(frozen=True, slots=True)
class Scan:
    """Everything a report may print. Results come in inventory order, then registry order."""

    tool_version: str
    started: datetime
    """Aware, UTC."""
    finished: datetime
    """Aware, UTC."""
    inventory: str
    """The inventory's file name as given."""
    nodes: tuple[NodeRecord, ...]
    results: tuple[Result, ...]
    partial: bool = False
    """True where the run was interrupted: what was finished is here, the rest is not."""
    strict: bool = False
    """True where a warning counts as a failure."""
    notices: tuple[str, ...] = ()
    """What a reader must know about how the scan was made: loosened verification, overridden rules, plugins that did
    not load, selections. One line each."""
    reminders: tuple[str, ...] = ()
    """Those of the notices that a quiet run says, too, whatever the verdict: somebody has to act in time."""
    attestations: tuple[Attested, ...] = ()
    """What people vouch for because no probe can see it; no result rests on it."""
    history: ScanHistory | None = None
    """What earlier runs say of this one; None where no history is kept."""

    @property
    def verdict(self) -> Verdict:
        """NO-GO for any failure, else UNKNOWN for any error or for nothing evaluated, else GO."""
        return verdict_of(self.results, strict=self.strict, partial=self.partial)

    @property
    def coverage(self) -> Coverage:
        """Counts over `results`."""
        return coverage_of(self.results)

    @property
    def exit_code(self) -> ExitCode:
        """The process's exit code, the same for every format."""
        return ExitCode.INTERRUPTED if self.partial else EXIT_CODES[self.verdict]


def verdict_of(results: Iterable[Result], *, strict: bool = False, partial: bool = False) -> Verdict:
    """The verdict over `results`; a partial run can prove a NO-GO, and never a GO."""
    rows = list(results)
    statuses = {row.status for row in rows}
    if Status.FAIL in statuses or (strict and Status.WARN in statuses):
        return Verdict.NO_GO
    # An attestation that has expired is no judgement at all, and what is waived speaks for nothing: neither makes a GO.
    looked = [row for row in rows if row.check != ATTESTATIONS]
    # That the nodes answered is no judgement on the upgrade, unless it is all that was asked for.
    substance = [row for row in looked if row.check != CONNECTIVITY] or looked
    judged = any(row.status in (Status.PASS, Status.WARN) for row in substance)
    return Verdict.UNKNOWN if partial or Status.ERROR in statuses or not judged else Verdict.GO


def coverage_of(results: Iterable[Result]) -> Coverage:
    """Count results by what became of them."""
    rows = list(results)
    missed = sum(1 for row in rows if row.not_evaluated)
    waived = sum(1 for row in rows if row.status is Status.WAIVED and not row.not_evaluated)
    out = sum(1 for row in rows if row.left_out)
    moot = sum(1 for row in rows if row.status is Status.SKIP and not row.not_evaluated and not row.left_out)
    return Coverage(len(rows), len(rows) - missed - waived - moot - out, moot, waived, missed, out)
