"""What changed since a baseline was approved, as reports see it, and the verdict that follows."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime

from checks.baseline.fact_paths import Value
from checks.baseline.snapshot import CheckKey, FactKey
from checks.exit_codes import ExitCode
from checks.history.model import ScanHistory


class Difference(enum.StrEnum):
    """What became of a value, a node or a check's result since the baseline."""

    SAME = "same"
    CHANGED = "changed"
    APPEARED = "appeared"
    DISAPPEARED = "disappeared"
    NOT_COMPARED = "not-compared"
    BETTER = "better"
    """Of checks alone: passes now, and did not then. Told, and no drift."""


class DriftVerdict(enum.StrEnum):
    """Is everything as it was approved?"""

    NO_DRIFT = "NO DRIFT"
    DRIFT = "DRIFT"
    UNKNOWN = "UNKNOWN"


EXIT_CODES = {
    DriftVerdict.NO_DRIFT: ExitCode.GO,
    DriftVerdict.DRIFT: ExitCode.NO_GO,
    DriftVerdict.UNKNOWN: ExitCode.UNKNOWN,
}
_DRIFTED = (Difference.CHANGED, Difference.APPEARED, Difference.DISAPPEARED)


@dataclass(frozen=True, slots=True, kw_only=True)
class FactRow:
    """One value, then and now."""

    place: FactKey
    difference: Difference
    old: Value = None
    new: Value = None
    note: str = ""
    """Why it was not compared; or, of versions, `newer` or `older`."""


@dataclass(frozen=True, slots=True)
class GapRow:
    """A part of a node that could not be read, now or when the baseline was approved."""

    place: FactKey
    """Its path is a part of one, or empty: the whole node."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRow:
    """One check's result, then and now."""

    subject: CheckKey
    difference: Difference
    old: str
    """A status, `not-evaluated`, `left-out`, or empty where the check was not there."""
    new: str
    message: str
    """What the check says now; or why it was not compared."""


@dataclass(frozen=True, slots=True)
class NodeRow:
    """A node that came or went, with all its facts."""

    cluster: str
    node: str
    difference: Difference
    """APPEARED or DISAPPEARED."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """Who said that what was read is as it should be."""

    at: str
    """UTC, as 2026-11-21T02:15:00Z."""
    by: str
    reason: str
    scope: str
    """`everything`, or what was approved anew."""
    tool: str
    """The version of preflight that wrote it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """Everything a drift report may print. Rows come by cluster, node and path."""

    tool_version: str
    started: datetime
    """Aware, UTC."""
    finished: datetime
    """Aware, UTC."""
    inventory: str
    baseline: str
    """The baseline's file name as given."""
    approvals: tuple[Approval, ...]
    """The baseline's, the first one of everything; later ones of parts."""
    facts: tuple[FactRow, ...]
    checks: tuple[CheckRow, ...]
    nodes: tuple[NodeRow, ...] = ()
    gaps: tuple[GapRow, ...] = ()
    """Why rows were not compared, where something could not be read: each cause once."""
    partial: bool = False
    notices: tuple[str, ...] = ()
    history: ScanHistory | None = None
    """What earlier comparisons say of this one; None where no history is kept."""

    @property
    def verdict(self) -> DriftVerdict:
        """DRIFT for any difference, else UNKNOWN where something was not compared, or nothing was; else NO DRIFT."""
        found = {
            *(row.difference for row in self.facts),
            *(row.difference for row in self.checks),
            *(row.difference for row in self.nodes),
        }
        if not found.isdisjoint(_DRIFTED):
            return DriftVerdict.DRIFT
        compared = any(row.difference is Difference.SAME for row in self.facts)
        if self.partial or self.gaps or Difference.NOT_COMPARED in found or not compared:
            return DriftVerdict.UNKNOWN
        return DriftVerdict.NO_DRIFT

    @property
    def exit_code(self) -> ExitCode:
        """The process's exit code, the same for every format."""
        return ExitCode.INTERRUPTED if self.partial else EXIT_CODES[self.verdict]
