"""Two snapshots held against each other: every difference, nothing invented, and what was not read is not compared."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from functools import lru_cache
from itertools import chain
from typing import TypeVar

from checks.baseline.drift import CheckRow, Difference, FactRow, GapRow, NodeRow, differing
from checks.baseline.drift_rules import Compare, DriftRule, DriftRules
from checks.baseline.fact_paths import Value, kind_of, record_of
from checks.baseline.snapshot import LEFT_OUT, NOT_EVALUATED, CheckKey, CheckState, FactKey, Snapshot, by_cluster
from checks.common.dataclass import dataclass
from checks.outcome import Status
from checks.versions import VersionError, parse_version

T = TypeVar("T")
Natural = tuple[tuple[int, int, str], ...]
"""A text's numbers and what is between them, in a form that sorts as people count."""

_APPROVE = "approve it with `preflight baseline --update`"
_APPROVE_NODE = "approve it with `preflight baseline --node`"
_UNTOLD = (str(Status.ERROR), NOT_EVALUATED)
"""How a check ended that says nothing of what it checks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What of the two snapshots is compared."""

    nodes: frozenset[tuple[str, str]]
    """Nodes that were asked."""
    inventory: frozenset[tuple[str, str]]
    """All nodes of the inventory whose absence from it could be told."""
    clusters: frozenset[str] | None = None
    """Clusters that are wholly looked at, so that a node of theirs can be missed. None: all, gone ones too."""
    narrowed: bool = False
    """True where only some checks were selected, so that a fact which nobody asked for says nothing."""
    left_out: Mapping[str, Collection[str]] = field(default_factory=dict)
    """Cluster to the kinds of facts of the checks that the inventory leaves out of it: nobody asks for them, unless for
    another check, and that is no news."""

    def passes_over(self, now: Snapshot, key: tuple[str, str], kind: str) -> bool:
        """Whether nobody asked the node for facts of that kind, and nobody meant to."""
        return kind not in now.nodes.get(key, ()) and (self.narrowed or kind in self.left_out.get(key[0], ()))


@dataclass(frozen=True, slots=True)
class Compared:
    """The outcome of a comparison."""

    facts: Sequence[FactRow] = ()
    checks: tuple[CheckRow, ...] = ()
    nodes: tuple[NodeRow, ...] = ()
    gaps: tuple[GapRow, ...] = ()


def all_of(parts: Iterable[Sequence[FactRow]]) -> Sequence[FactRow]:
    """Every row."""
    return tuple(row for part in parts for row in part)


def differing_of(parts: Iterable[Sequence[FactRow]]) -> Sequence[FactRow]:
    """The rows of what is not known to be the same."""
    return tuple(row for part in parts for row in differing(part))


def compare(
    then: Snapshot,
    now: Snapshot,
    rules: DriftRules,
    scope: Scope | None = None,
    keep: Callable[[Iterable[Sequence[FactRow]]], Sequence[FactRow]] = all_of,
) -> Compared:
    """Hold `now` against `then`. Without a scope, everything in the two is compared.

    `keep` makes of the facts' rows, which come a cluster at a time, what is kept of them.
    """
    scope = scope or Scope(nodes=frozenset(now.nodes), inventory=frozenset(now.nodes))
    gone = {key for key in then.nodes.keys() - scope.inventory if scope.clusters is None or key[0] in scope.clusters}
    new = scope.nodes - then.nodes.keys()
    both = scope.nodes & then.nodes.keys()
    rows = [NodeRow(*key, Difference.DISAPPEARED) for key in gone] + [NodeRow(*key, Difference.APPEARED) for key in new]
    return Compared(
        keep(_facts(then, now, rules, scope, both)),
        ordered(_checks(then, now, scope, gone | new), lambda row: row.subject),
        ordered(rows, lambda row: (row.cluster, row.node)),
        ordered(_gaps(then, now, rules, scope, both), lambda row: row.place),
    )


def ordered(rows: Iterable[T], names: Callable[[T], tuple[str, ...]]) -> tuple[T, ...]:
    """The rows sorted by their `names` as `natural` does, the first of which is the cluster's.

    One cluster after the other: the keys take several times the room of what they sort.
    """
    groups: dict[Natural, list[T]] = {}
    for row in rows:
        groups.setdefault(_natural(names(row)[0]), []).append(row)
    found: list[T] = []
    # Clusters that sort alike (c1 and c01) are one group: what follows their names decides first.
    for key in sorted(groups):
        found += sorted(groups[key], key=lambda row: natural(*names(row)))
    return tuple(found)


def natural(*texts: str) -> tuple[tuple[Natural, ...], tuple[str, ...]]:
    """A key that sorts web2 before web10."""
    return tuple([_natural(text) for text in texts]), texts


@lru_cache(maxsize=8192)
def _natural(text: str) -> Natural:
    return tuple(
        (0, int(part), "") if part.isdecimal() and len(part) < 19 else (1, 0, part)
        for part in (*re.split(r"([0-9]+)", text), "")
    )


def _facts(
    then: Snapshot, now: Snapshot, rules: DriftRules, scope: Scope, nodes: Collection[tuple[str, str]]
) -> Iterator[list[FactRow]]:
    """The rows in their order, cluster by cluster; those whose names sort alike (c1 and c01) together."""
    before, after = by_cluster(then.facts), by_cluster(now.facts)
    holed = {gap[:2] for gap in chain(then.unread, now.unread)}
    groups: dict[Natural, list[str]] = {}
    for cluster in dict.fromkeys((*before.clusters(), *after.clusters())):
        groups.setdefault(_natural(cluster), []).append(cluster)
    for key in sorted(groups):
        rows: list[FactRow] = []
        looked_at: list[tuple[str, str]] = []
        for cluster in groups[key]:
            facts = (before.of_cluster(cluster), after.of_cluster(cluster))
            found: dict[tuple[str, str], list[FactKey]] = {}
            for place in chain(facts[0], (place for place in facts[1] if place not in facts[0])):
                found.setdefault(place[:2], []).append(place)
            mine = sorted(found.keys() & nodes, key=lambda node: natural(*node))
            for node in mine:
                places = sorted(found[node], key=lambda place: (_natural(place.path), place.path))
                rows += _of_node(then, now, facts, rules, scope, node, places, holed=node in holed)
            looked_at += mine
        if len({_natural(node) for _, node in looked_at}) < len(looked_at):
            rows.sort(key=lambda row: natural(*row.place))
        yield rows


def _of_node(
    then: Snapshot,
    now: Snapshot,
    facts: tuple[Mapping[FactKey, Value], Mapping[FactKey, Value]],
    rules: DriftRules,
    scope: Scope,
    key: tuple[str, str],
    places: Sequence[FactKey],
    *,
    holed: bool,
) -> Iterator[FactRow]:
    """The rows of one node, which has a value at `places`, then or now; `facts` are its cluster's.

    `holed`: something of it could not be read, then or now.
    """
    before, after = facts
    records: list[set[str]] = []
    askings = then.nodes[key], now.nodes[key]
    for place in places:
        ruling = rules.ruling(place.path)
        if ruling.ignored:
            continue
        kind = kind_of(place.path)
        asked = kind in askings[0], kind in askings[1]
        if not all(asked) and (kind in rules.fallbacks or scope.passes_over(now, key, kind)):
            continue
        old, new = before.get(place), after.get(place)
        known = place in before, place in after
        if not holed and all(asked) and all(known):  # as nearly everything is, everywhere, every night
            yield _compared(place, old, new, ruling.rule)
            continue
        reason = now.why_unread(place) or _then_unread(then.why_unread(place), FactKey(*key, "") in then.unread)
        if not reason and not all(asked):
            reason = (
                f"not asked for when the baseline was approved; {_APPROVE}"
                if asked[1]
                else f"not asked for today; {_APPROVE}"
            )
        if not reason and not all(known) and place.path != (record := record_of(place.path)):
            # Rows have all their fields, and kinds all of theirs: a lone one is another version's, or an editor's.
            records = records or [{record_of(place.path) for place in places if place in side} for side in facts]
            there = [record == kind or record in side for side in records]
            if not known[0] and there[0]:
                reason = f"the baseline does not have this value; {_APPROVE}"
            elif not known[1] and there[1]:
                reason = f"this value is not read any more; {_APPROVE}"
        if reason:
            yield FactRow(place=place, difference=Difference.NOT_COMPARED, old=old, new=new, note=reason)
        elif not known[0]:
            yield FactRow(place=place, difference=Difference.APPEARED, old=None, new=new)
        elif not known[1]:
            yield FactRow(place=place, difference=Difference.DISAPPEARED, old=old, new=None)
        else:
            yield _compared(place, old, new, ruling.rule)


def _gaps(
    then: Snapshot, now: Snapshot, rules: DriftRules, scope: Scope, nodes: Collection[tuple[str, str]]
) -> Iterator[GapRow]:
    found = {gap: _then_unread(reason, not gap.path) for gap, reason in then.unread.items()} | dict(now.unread)
    for gap, reason in found.items():
        key = gap[:2]
        out = gap not in now.unread and gap.path and scope.passes_over(now, key, kind_of(gap.path))
        agreed = kind_of(gap.path) in rules.optional and gap in then.unread and gap in now.unread
        if key in nodes and not out and not agreed and not (gap.path and rules.ignores(gap.path)):
            yield GapRow(gap, reason)


def _then_unread(reason: str, whole_node: bool) -> str:
    approve = _APPROVE_NODE if whole_node else _APPROVE
    return f"not read when the baseline was approved ({reason}); {approve}" if reason else ""


def _compared(place: FactKey, old: Value, new: Value, rule: DriftRule) -> FactRow:
    if _same(old, new, rule):
        return FactRow(place=place, difference=Difference.SAME, old=old, new=new)
    return FactRow(
        place=place,
        difference=Difference.CHANGED,
        old=old,
        new=new,
        note=_direction(old, new) if rule.compare is Compare.VERSION else "",
    )


def _same(old: Value, new: Value, rule: DriftRule) -> bool:
    if type(old) is type(new) and old == new:
        return True
    match rule.compare:
        case Compare.LINES:
            return _lines(old) == _lines(new)
        case Compare.VERSION:
            return _direction(old, new) == "equal"
        case Compare.NUMBER:
            return _is_near(old, new, rule.tolerance)
        case _:
            # A file knows whole numbers and others; a value does not change by being written as 1.0.
            return _is_number(old) and _is_number(new) and old == new


def _lines(value: Value) -> set[str] | None:
    if isinstance(value, tuple):
        return set(value)
    return set(value.splitlines()) if isinstance(value, str) else None


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_near(old: Value, new: Value, tolerance: str) -> bool:
    if isinstance(old, bool) or isinstance(new, bool) or not isinstance(old, int | float):
        return False
    if not isinstance(new, int | float):
        return False
    try:
        allowed = float(tolerance.removesuffix("%") or 0)
        if tolerance.endswith("%"):
            allowed = allowed / 100 * max(abs(old), abs(new))
        return abs(old - new) <= allowed
    except OverflowError:  # a number that only an editor can have written
        return False


def _direction(old: Value, new: Value) -> str:
    """`newer`, `older` or `equal`; empty where one of the two is no version."""
    if not isinstance(old, str) or not isinstance(new, str):
        return ""
    try:
        first, second = parse_version(old), parse_version(new)
    except VersionError:
        return ""
    return "equal" if first == second else "newer" if second > first else "older"


def _checks(then: Snapshot, now: Snapshot, scope: Scope, moved: Collection[tuple[str, str]]) -> Iterator[CheckRow]:
    asked = {cluster for cluster, _ in scope.nodes}
    for subject in then.checks.keys() | now.checks.keys():
        key = (subject.cluster, subject.node)
        if key in moved or subject.cluster not in asked or (subject.node and key not in scope.nodes):
            continue
        if not subject.node and scope.clusters is not None and subject.cluster not in scope.clusters:
            continue  # it judges all nodes together, and not all were asked
        old, new = then.checks.get(subject), now.checks.get(subject)
        if new is None and scope.narrowed:
            continue
        whole = now.unread.get(FactKey(*key, ""), "") if new is None else ""
        yield _check(subject, old, new, whole)


def _check(subject: CheckKey, old: CheckState | None, new: CheckState | None, gap: str) -> CheckRow:
    """Hold one check's results to each other; `gap` is why there is none now, where its node could not be read."""
    before, after = old.status if old else "", new.status if new else ""
    message = new.message if new else gap or f"not judged today, and judged when the baseline was approved; {_APPROVE}"

    def row(difference: Difference, text: str = message) -> CheckRow:
        return CheckRow(subject=subject, difference=difference, old=before, new=after, message=text)

    if not new:
        return row(Difference.NOT_COMPARED if gap or before == Status.PASS else Difference.SAME)
    if before == after:
        # Also what could not be told then, and was approved so: where a fact is missing, that is a gap of its own.
        return row(Difference.SAME)
    if after == LEFT_OUT:
        # As with what is accepted by name: it stands in the inventory, with the reason, and every report tells it.
        return row(Difference.SAME)
    if after in _UNTOLD:
        return row(Difference.NOT_COMPARED)
    if after == Status.PASS:
        return row(Difference.BETTER)
    if before == Status.PASS:
        # What was accepted by name, with a reason and a date, is no surprise.
        return row(Difference.SAME if after == Status.WAIVED else Difference.CHANGED)
    if after == Status.FAIL and before in (Status.WARN, Status.SKIP, Status.WAIVED):
        return row(Difference.CHANGED)
    if before in ("", LEFT_OUT, *_UNTOLD) and after in (Status.FAIL, Status.WARN):
        why = "could not be judged" if before in _UNTOLD else "was left out" if before else "was not judged"
        return row(Difference.NOT_COMPARED, f"{after} now, and {why} when the baseline was approved: {message}")
    return row(Difference.SAME)
