"""All that was learnt at one time, as named values that can be kept, reviewed and compared."""

from __future__ import annotations

import abc
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from sys import intern
from typing import NamedTuple, TypeVar

from checks.baseline.drift_rules import DriftRules
from checks.baseline.fact_paths import Value, flatten, is_within, kind_name, shown, wholes
from checks.check import Check, NodeView
from checks.common.dataclass import dataclass
from checks.engine.evaluation import GatheredCluster, applies_to, facts_of
from checks.engine.left_out import judged_in
from checks.facts import Contact, Unknown
from checks.outcome import Result, Status
from checks.product import version_facts
from checks.scan import ATTESTATIONS, CONNECTIVITY

K = TypeVar("K", bound=tuple[str, ...])
V = TypeVar("V")

SEPARATOR = " / "
"""Between cluster, node and path where they are written as one. No name of a cluster or node has a slash in it."""
NOT_EVALUATED = "not-evaluated"
"""How a check ended that could not be asked; beside the statuses."""
_SHORT = 200
LEFT_OUT = "left-out"
"""How a check ended that the inventory leaves out of the cluster; beside the statuses."""


class FactKey(NamedTuple):
    """A value, or all values below a part of a path, of one node."""

    cluster: str
    node: str
    path: str
    """Empty: everything of the node."""

    def __str__(self) -> str:
        return SEPARATOR.join(part for part in self if part)


class CheckKey(NamedTuple):
    """What a check judged: a node, or a cluster where `node` is empty."""

    cluster: str
    node: str
    check: str

    def __str__(self) -> str:
        return SEPARATOR.join(part for part in self if part)


class ByCluster(Mapping[K, V], abc.ABC):
    """Values by keys that begin with a cluster, of which one cluster's are best looked at together."""

    @abc.abstractmethod
    def clusters(self) -> Sequence[str]:
        """The clusters that there are values of."""

    @abc.abstractmethod
    def of_cluster(self, name: str) -> Mapping[K, V]:
        """Those of one cluster; none of one that is not there."""


class Grouped(ByCluster[K, V]):
    """Values that are all at hand."""

    def __init__(self, table: Mapping[K, V]) -> None:
        self._table = table
        self._found: dict[str, dict[K, V]] = {}
        for key, value in table.items():
            self._found.setdefault(key[0], {})[key] = value

    def clusters(self) -> Sequence[str]:
        """The clusters that there are values of."""
        return tuple(self._found)

    def of_cluster(self, name: str) -> Mapping[K, V]:
        """Those of one cluster; none of one that is not there."""
        return self._found.get(name, {})

    def __getitem__(self, key: K) -> V:
        return self._table[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)


def by_cluster(table: Mapping[K, V]) -> ByCluster[K, V]:
    """The same values, to be looked at cluster by cluster."""
    return table if isinstance(table, ByCluster) else Grouped(table)


@dataclass(frozen=True, slots=True)
class CheckState:
    """How a check ended."""

    status: str
    """A status, NOT_EVALUATED or LEFT_OUT."""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was known at one time. The order of nothing in it matters."""

    nodes: Mapping[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    """Cluster and node to the kinds of facts that it was asked for."""
    facts: Mapping[FactKey, Value] = field(default_factory=dict)
    """What was read; without what is ignored."""
    unread: Mapping[FactKey, str] = field(default_factory=dict)
    """What could not be read, each with the reason in one line."""
    checks: Mapping[CheckKey, CheckState] = field(default_factory=dict)

    def why_unread(self, place: FactKey) -> str:
        """Why the value, or something that it is a part of, could not be read; empty where it could."""
        gap = self.gap_around(place)
        return self.unread[gap] if gap else ""

    def gap_around(self, place: FactKey) -> FactKey | None:
        """What was not read that the value is, or is a part of."""
        if self.unread:
            cluster, node, path = place
            for part in wholes(path):
                if (cluster, node, part) in self.unread:  # equal to the FactKey, which is dear to make
                    return FactKey(cluster, node, part)
        return None


def take_snapshot(
    clusters: Iterable[GatheredCluster],
    chosen: Collection[tuple[str, str]],
    checks: Collection[Check],
    results: Iterable[Result],
    rules: DriftRules,
) -> Snapshot:
    """What the facts of the `chosen` nodes and the checks' results amount to.

    A node's facts are those that one of the `checks` reads of it: a probe may tell more than it was asked for.
    """
    nodes: dict[tuple[str, str], frozenset[str]] = {}
    facts: dict[FactKey, Value] = {}
    unread: dict[FactKey, str] = {}
    for cluster in clusters:
        version = version_facts(cluster.info.definition, checks)
        for view in cluster.nodes:
            key = (cluster.info.name, view.name)
            if key not in chosen:
                continue
            wanted = {
                kind
                for check in judged_in(checks, cluster.info.skip)
                if applies_to(check, cluster.info.product, view.roles, cluster.info.name)
                for kind in facts_of(check, cluster.info.product)
            }
            if cluster.info.definition.carrier in view.roles:
                wanted.update(version)
            known = {kind_name(kind): view.get(kind) for kind in view.facts if kind in wanted - {Contact}}
            asked = {kind: fact for kind, fact in known.items() if rules.concern(kind, view.roles)}
            nodes[key] = frozenset(asked)
            values = list(_values(asked, rules))
            gaps = dict(_gaps(view, asked, values, rules))
            for path, reason in gaps.items():
                unread[FactKey(*key, intern(path))] = reason
            # The same few hundred paths of every node of an estate: kept once.
            for path, value in values:
                if not (rules.ruling(path).ignored or any(is_within(path, gap) for gap in gaps)):
                    facts[FactKey(*key, intern(path))] = once(value)
    return Snapshot(nodes, facts, unread, dict(check_states(results)))


def once(value: Value) -> Value:
    """The value; of a short text, which many nodes may have in common, the one that is kept for all of them."""
    return intern(value) if type(value) is str and len(value) <= _SHORT else value


def _values(asked: Mapping[str, object], rules: DriftRules) -> Iterator[tuple[str, Value]]:
    """All that the facts say, also what is ignored: it may say that something else could not be read."""
    for fact in asked.values():
        if not isinstance(fact, Unknown):
            yield from flatten(fact, rules.keys, rules.listed).items()


def _gaps(
    view: NodeView, asked: Mapping[str, object], values: Iterable[tuple[str, Value]], rules: DriftRules
) -> Iterator[tuple[str, str]]:
    if view.absence and all(isinstance(fact, Unknown) and fact.unanswered for fact in asked.values()):
        yield "", view.absence
        return
    for kind, found in asked.items():
        if isinstance(found, Unknown) and not rules.ruling(kind).ignored:
            yield kind, " ".join(found.reason.split()) or "not read"
    for path, value in values:
        if rules.says_unread(path, value) and not rules.ruling(part := rules.ruling(path).hidden).ignored:
            yield part, f"{path} is {shown(value)}"


def check_states(results: Iterable[Result]) -> Iterator[tuple[CheckKey, CheckState]]:
    """How each check ended, of those that say something of a node or a cluster."""
    for row in results:
        # Whether a node answered is told by what could be read of it; what people vouch for is no state of a node; and
        # a plugin that did not load judges no cluster.
        if row.check in (CONNECTIVITY, ATTESTATIONS) or not row.cluster:
            continue
        missed = row.status is Status.SKIP and row.not_evaluated
        ended = CheckState(LEFT_OUT if row.left_out else NOT_EVALUATED if missed else str(row.status), row.message)
        yield CheckKey(row.cluster, row.node or "", row.check), ended
