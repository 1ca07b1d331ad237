"""An approved state: a snapshot, who approved it and why, and how a part of it is approved anew."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from checks.baseline.drift import Approval
from checks.baseline.drift_rules import fits
from checks.baseline.fact_paths import Value, kind_of
from checks.baseline.snapshot import CheckKey, FactKey, Snapshot, by_cluster
from checks.common.dataclass import dataclass

EVERYTHING = "everything"


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a baseline file holds."""

    inventory: str
    """The inventory's file name as given."""
    approvals: tuple[Approval, ...]
    """The first one of everything, later ones of parts."""
    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class Part:
    """What of a baseline is approved anew."""

    nodes: frozenset[tuple[str, str]]
    """The nodes it is about; those that are not in the inventory any more are taken out."""
    facts: tuple[str, ...] | None = None
    """Patterns of facts. None: all facts of the nodes."""
    checks: frozenset[str] | None = None
    """Ids of checks. None: all checks of the nodes, and none of their clusters'."""
    clusters: frozenset[str] = frozenset()
    """Clusters whose own checks, those in `checks`, are among it."""

    def has(self, place: FactKey) -> bool:
        """Whether a value, or a part that could not be read, is approved anew."""
        if place[:2] not in self.nodes:
            return False
        return self.facts is None or any(fits(pattern, place.path) for pattern in self.facts if place.path)

    def has_check(self, subject: CheckKey) -> bool:
        """Whether a check's result is approved anew."""
        if self.checks is not None and subject.check not in self.checks:
            return False
        here = (subject.cluster, subject.node) in self.nodes
        return here if subject.node else self.checks is not None and subject.cluster in self.clusters


class StaleGapError(ValueError):
    """A value cannot be approved while the baseline says that the whole it belongs to was not read."""

    def __init__(self, gap: FactKey) -> None:
        super().__init__(str(gap))
        self.gap = gap


def merged(parts: Iterable[Mapping[FactKey, Value]]) -> Mapping[FactKey, Value]:
    """All values, at hand."""
    return {place: value for part in parts for place, value in part.items()}


def renewed(
    then: Snapshot,
    now: Snapshot,
    part: Part,
    keep: Callable[[Iterable[Mapping[FactKey, Value]]], Mapping[FactKey, Value]] = merged,
) -> Snapshot:
    """`then` with `part` of it replaced by what is known now. Raises StaleGapError.

    `keep` makes of the values, which come a cluster at a time, what is kept of them.
    """
    unread = {gap: reason for gap, reason in then.unread.items() if not part.has(gap)}
    unread |= unread_in(now, part)
    checks = {subject: ended for subject, ended in then.checks.items() if not part.has_check(subject)}
    checks |= {subject: ended for subject, ended in now.checks.items() if part.has_check(subject)}
    nodes = dict(then.nodes)
    for key in part.nodes:
        kinds = _kinds(now.nodes.get(key, frozenset()), part.facts)
        if part.facts is None and key not in now.nodes:
            nodes.pop(key, None)
        elif key in nodes or part.facts is None:
            kept = frozenset() if part.facts is None else nodes[key]
            nodes[key] = kept | kinds
    after = Snapshot(nodes, {}, unread, checks)
    return replace(after, facts=keep(_values(then, now, part, after)))


def _values(then: Snapshot, now: Snapshot, part: Part, after: Snapshot) -> Iterator[Mapping[FactKey, Value]]:
    """Those of each cluster; `after` has the gaps that there will be. Raises StaleGapError."""
    before, fresh = by_cluster(then.facts), by_cluster(now.facts)
    for name in dict.fromkeys((*fresh.clusters(), *before.clusters())):
        values = {place: value for place, value in before.of_cluster(name).items() if not part.has(place)}
        for place, value in fresh.of_cluster(name).items():
            if part.has(place):
                if gap := after.gap_around(place):
                    raise StaleGapError(gap)
                values[place] = value
        yield values


def _concerns(part: Part, gap: FactKey, now: Snapshot) -> bool:
    """Whether something of the part could not be read now: a node as a whole, a kind, or one value's record."""
    if gap[:2] not in part.nodes:
        return False
    if part.facts is None:
        return True
    if not gap.path:
        # A node that is out of reach keeps nothing back of what it would not have been asked for.
        return bool(_kinds(now.nodes.get(gap[:2], frozenset()), part.facts))
    kind = kind_of(gap.path)
    return part.has(gap) or any(kind_of(pattern) == kind or "*" in pattern for pattern in part.facts)


def _kinds(asked: Collection[str], facts: Iterable[str] | None) -> frozenset[str]:
    if facts is None:
        return frozenset(asked)
    return frozenset(kind for kind in asked for pattern in facts if fits(kind_of(pattern), kind))


def unread_in(now: Snapshot, part: Part) -> dict[FactKey, str]:
    """What of the part could not be read now."""
    return {gap: reason for gap, reason in now.unread.items() if _concerns(part, gap, now)}


def means_nothing(snapshots: Iterable[Snapshot], part: Part) -> bool:
    """Whether none of the snapshots has anything that is among the part: to approve it would approve nothing."""
    return not any(
        any(part.has(place) for place in known.facts)
        or any(part.has_check(subject) for subject in known.checks)
        or unread_in(known, part)
        or (part.facts is None and not part.nodes.isdisjoint(known.nodes))
        for known in snapshots
    )
