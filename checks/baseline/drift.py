"""What changed since a baseline was approved, as reports see it, and the verdict that follows."""

from __future__ import annotations

import abc
import enum
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property

from checks.baseline.fact_paths import Value
from checks.baseline.snapshot import CheckKey, FactKey
from checks.common.dataclass import dataclass
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
DRIFTED = (Difference.CHANGED, Difference.APPEARED, Difference.DISAPPEARED)
"""What a fact, or a node, is that is known to be otherwise than approved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FactRow:
    """One value, then and now."""

    place: FactKey
    difference: Difference
    old: Value = None
    new: Value = None
    note: str = ""
    """Why it was not compared; or, of versions, `newer` or `older`."""


class FactRows(Sequence[FactRow], abc.ABC):
    """Rows of many nodes, of which one node's can be looked at by themselves."""

    @abc.abstractmethod
    def nodes(self) -> Sequence[tuple[str, str]]:
        """Cluster and name of each node that there are rows of."""

    @abc.abstractmethod
    def of_node(self, key: tuple[str, str]) -> Sequence[FactRow]:
        """The rows of one node; none of one that is not there."""

    def differing(self) -> Sequence[FactRow]:
        """The rows of what is not known to be the same: few of many."""
        return _otherwise(self)


def differing(rows: Sequence[FactRow]) -> Sequence[FactRow]:
    """The rows of what is not known to be the same."""
    return rows.differing() if isinstance(rows, FactRows) else _otherwise(rows)


def _otherwise(rows: Iterable[FactRow]) -> tuple[FactRow, ...]:
    return tuple(row for row in rows if row.difference is not Difference.SAME)


def by_node(rows: Sequence[FactRow]) -> Mapping[tuple[str, str], Sequence[FactRow]]:
    """The rows by cluster and node."""
    if isinstance(rows, FactRows):
        return _ByNode(rows)
    found: dict[tuple[str, str], list[FactRow]] = {}
    for row in rows:
        found.setdefault((row.place.cluster, row.place.node), []).append(row)
    return found


class _ByNode(Mapping[tuple[str, str], Sequence[FactRow]]):
    def __init__(self, rows: FactRows) -> None:
        self._rows = rows
        self._nodes = frozenset(rows.nodes())

    def __getitem__(self, key: tuple[str, str]) -> Sequence[FactRow]:
        if key not in self._nodes:
            raise KeyError(key)
        return self._rows.of_node(key)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._rows.nodes())

    def __len__(self) -> int:
        return len(self._nodes)


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


@dataclass(frozen=True, kw_only=True)
class Drift:
    """Everything a drift report may print. Rows come by cluster, node and path.

    What follows from the rows is worked out once: every format asks for it many times, of any number of them.
    """

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
    facts: Sequence[FactRow]
    checks: tuple[CheckRow, ...]
    nodes: tuple[NodeRow, ...] = ()
    gaps: tuple[GapRow, ...] = ()
    """Why rows were not compared, where something could not be read: each cause once."""
    partial: bool = False
    notices: tuple[str, ...] = ()
    history: ScanHistory | None = None
    """What earlier comparisons say of this one; None where no history is kept."""

    @cached_property
    def differing(self) -> Sequence[FactRow]:
        """The facts that are not known to be as approved."""
        return differing(self.facts)

    @cached_property
    def counts(self) -> Mapping[Difference, int]:
        """How many of the facts differ in which way."""
        found = Counter(row.difference for row in self.differing)
        return {**dict.fromkeys(Difference, 0), **found, Difference.SAME: len(self.facts) - len(self.differing)}

    @cached_property
    def verdict(self) -> DriftVerdict:
        """DRIFT for any difference, else UNKNOWN where something was not compared, or nothing was; else NO DRIFT."""
        found = {
            *(difference for difference, number in self.counts.items() if number),
            *(row.difference for row in self.checks),
            *(row.difference for row in self.nodes),
        }
        if not found.isdisjoint(DRIFTED):
            return DriftVerdict.DRIFT
        compared = self.counts[Difference.SAME] > 0
        if self.partial or self.gaps or Difference.NOT_COMPARED in found or not compared:
            return DriftVerdict.UNKNOWN
        return DriftVerdict.NO_DRIFT

    @property
    def exit_code(self) -> ExitCode:
        """The process's exit code, the same for every format."""
        return ExitCode.INTERRUPTED if self.partial else EXIT_CODES[self.verdict]
