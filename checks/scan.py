"""A finished scan as reports see it, and the verdict that follows from its results."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import field
from datetime import datetime
from functools import cached_property

from checks.common.dataclass import dataclass
from checks.engine.acceptance.model import Attested
from checks.exit_codes import ExitCode
from checks.history.model import FindingKey, ScanHistory
from checks.history.news import fresh
from checks.outcome import Result, Severity, Status


class FailOn(enum.StrEnum):
    """What the exit code follows; the verdict is the same in any case."""

    ANY = "any"
    """The gravest of the clusters' verdicts."""
    ALL = "all"
    """The best of them: it is bad news only that no cluster may go."""
    NEW = "new"
    """What the last comparable run did not find."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How much of what was planned was looked at. The others add up to `planned`."""

    planned: int
    evaluated: int
    not_applicable: int
    waived: int
    not_evaluated: int
    left_out: int = 0
    """What the inventory leaves out, with a reason."""
    not_declared: int = 0
    """What is not judged because the inventory does not say what it would be judged by."""


@dataclass(frozen=True, slots=True, kw_only=True)
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
    owner: str = ""
    """Who answers for the node; empty: whoever answers for its cluster."""
    contact: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterRecord:
    """What a scan is about: which product, from which version to which, and who answers for it.

    The cluster's verdict follows from the scan's results.
    """

    name: str
    product: str = ""
    """As the inventory writes it: "secret-server"."""
    title: str = ""
    """As people write it: "Secret Server"."""
    installed: str = ""
    """The version as the vendor writes it; several with their nodes; empty where no node's is known."""
    target: str = ""
    """Empty where none is said."""
    target_from: str = ""
    """Whoever said the target, "inventory" or "command line"; empty without one."""
    nodes: int = 0
    """Nodes in the inventory."""
    asked: int = 0
    """Nodes that were selected."""
    reached: int = 0
    """Nodes that answered."""
    owner: str = ""
    contact: str = ""


@dataclass(frozen=True, slots=True)
class RunBy:
    """Who made the scan, and where."""

    user: str
    host: str


@dataclass(frozen=True, slots=True)
class ClusterVerdict:
    """May this cluster go?"""

    record: ClusterRecord
    verdict: Verdict
    counts: Counter[Status]
    """Results by status."""
    coverage: Coverage


@dataclass(frozen=True, kw_only=True)
class Scan:
    """Everything a report may print. Results come in inventory order, then registry order.

    What follows from the results is worked out once: every format asks for it many times, of any number of them.
    """

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
    clusters: tuple[ClusterRecord, ...] = ()
    """The clusters that were looked at, in inventory order. One that only results name is known by its name."""
    phase: str = "before"
    """What it was held to: "before", "window" (in it) or "after"."""
    run_by: RunBy | None = None
    inventory_digest: str = ""
    """SHA-256 of the inventory's text in UTF-8, in hexadecimal."""
    fail_on: FailOn = FailOn.ANY
    lines: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Cluster and node, "" for the cluster itself, to the line of the inventory that it begins at."""
    why: Mapping[str, str] = field(default_factory=dict)
    """Check id to why it matters, in the words of its documentation; a paragraph a line."""

    @cached_property
    def verdict(self) -> Verdict:
        """The gravest of the clusters'; a failure that belongs to none makes a NO-GO, too."""
        whole = verdict_of(self.results, strict=self.strict, partial=self.partial)
        return gravest([whole, *(judged.verdict for judged in self.cluster_verdicts)])

    @cached_property
    def cluster_verdicts(self) -> tuple[ClusterVerdict, ...]:
        """One for each cluster, in inventory order."""
        rows: dict[str, list[Result]] = {record.name: [] for record in self.clusters}
        for row in self.results:
            if row.cluster:
                rows.setdefault(row.cluster, []).append(row)
        known = {record.name: record for record in self.clusters}
        return tuple(
            ClusterVerdict(
                known.get(name) or ClusterRecord(name=name),
                # An attestation or a plugin may speak of a cluster that nobody was to look at.
                verdict_of(mine, strict=self.strict, partial=self.partial),
                Counter(row.status for row in mine),
                coverage_of(mine),
            )
            for name, mine in rows.items()
            if name in known or any(row.check != ATTESTATIONS for row in mine)
        )

    @cached_property
    def coverage(self) -> Coverage:
        """Counts over `results`."""
        return coverage_of(self.results)

    @property
    def exit_code(self) -> ExitCode:
        """The process's exit code, the same for every format."""
        return ExitCode.INTERRUPTED if self.partial else EXIT_CODES[self._followed]

    @property
    def _followed(self) -> Verdict:
        """The verdict that the exit code follows, as `fail_on` says."""
        whole = self.verdict
        if self.fail_on is FailOn.ALL and all(row.cluster for row in self.results):
            found = {judged.verdict for judged in self.cluster_verdicts}
            return next((v for v in (Verdict.GO, Verdict.UNKNOWN, Verdict.NO_GO) if v in found), whole)
        if self.fail_on is not FailOn.NEW or self.history is None or self.history.last is None:
            return whole
        new = fresh(self.history)
        rows = [row for row in self.results if FindingKey(row.check, row.cluster, row.node) in new]
        if any(blocks(row, strict=self.strict) for row in rows):
            return Verdict.NO_GO
        known = any(blocks(row, strict=self.strict) or row.status is Status.ERROR for row in self.results)
        unknown = any(row.status is Status.ERROR for row in rows)
        # A scan that judged nothing is no GO because yesterday's was no better.
        return Verdict.UNKNOWN if unknown or (whole is not Verdict.GO and not known) else Verdict.GO


def gravest(verdicts: Iterable[Verdict]) -> Verdict:
    """NO-GO before UNKNOWN before GO; UNKNOWN for none."""
    found = set(verdicts)
    return next((v for v in (Verdict.NO_GO, Verdict.UNKNOWN, Verdict.GO) if v in found), Verdict.UNKNOWN)


def blocks(result: Result, *, strict: bool) -> bool:
    """Whether the result by itself makes the verdict NO-GO.

    Where warnings count as failures, so does a critical check that nobody has said enough for.
    """
    if result.status is Status.FAIL:
        return True
    undeclared = bool(result.not_declared) and result.severity is Severity.CRITICAL
    return strict and (result.status is Status.WARN or undeclared)


def verdict_of(results: Iterable[Result], *, strict: bool = False, partial: bool = False) -> Verdict:
    """The verdict over `results`; a partial run can prove a NO-GO, and never a GO."""
    rows = list(results)
    statuses = {row.status for row in rows}
    if any(blocks(row, strict=strict) for row in rows):
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
    undeclared = sum(1 for row in rows if row.not_declared and not row.left_out)
    skipped = sum(1 for row in rows if row.status is Status.SKIP and not row.not_evaluated)
    moot = skipped - out - undeclared
    return Coverage(
        planned=len(rows),
        evaluated=len(rows) - missed - waived - skipped,
        not_applicable=moot,
        waived=waived,
        not_evaluated=missed,
        left_out=out,
        not_declared=undeclared,
    )
