"""What every drift report says, grouped by cause, so that no two formats tell different stories."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from checks.baseline.drift import CheckRow, Difference, Drift, DriftVerdict, FactRow, NodeRow
from checks.baseline.fact_paths import Value, shown, wholes
from checks.history.drift_comparison import BELOW, NODE
from checks.history.model import FindingKey
from reports.findings.history_text import teller_of
from reports.text import count, one_line

_DRIFTED = (Difference.CHANGED, Difference.APPEARED, Difference.DISAPPEARED)
WORDS = {
    Difference.CHANGED: "changed",
    Difference.APPEARED: "appeared",
    Difference.DISAPPEARED: "disappeared",
    Difference.NOT_COMPARED: "not compared",
    Difference.SAME: "as approved",
    Difference.BETTER: "passes now",
}
_CHECK = "check "
"""Before the ids of checks where facts are listed, too."""
_MOST_PLACES = 12
_MOST_LINES = 40
"""Lines of a set that are named before the rest is counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One difference, and all the nodes that have it."""

    path: str
    difference: Difference
    old: str
    """In words, visible, on as many lines as a set differs in; empty where there was nothing."""
    new: str
    note: str
    where: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason why something was not compared."""

    reason: str
    where: tuple[tuple[str, str], ...]
    what: tuple[str, ...]
    """The facts, or checks; empty: the node as a whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckGroup:
    """One check that ended otherwise, for one reason, and all that it judged."""

    check: str
    old: str
    new: str
    message: str
    where: tuple[tuple[str, str], ...]


def fact_groups(rows: Iterable[FactRow]) -> list[Group]:
    """The rows that differ, those with the same difference joined, in order of appearance."""
    found: dict[tuple[str, Difference, str, str, str], list[tuple[str, str]]] = {}
    for row in rows:
        if row.difference in _DRIFTED:
            old, new = sides(row)
            key = (row.place.path, row.difference, old, new, one_line(row.note, 300))
            found.setdefault(key, []).append((row.place.cluster, row.place.node))
    return [
        Group(path=path, difference=difference, old=old, new=new, note=note, where=tuple(where))
        for (path, difference, old, new, note), where in found.items()
    ]


def check_groups(rows: Iterable[CheckRow], difference: Difference) -> list[CheckGroup]:
    """The checks with this difference, those with the same one for the same reason joined."""
    found: dict[tuple[str, str, str, str], list[tuple[str, str]]] = {}
    for row in rows:
        if row.difference is difference:
            key = (row.subject.check, one_line(row.old or "new", 100), one_line(row.new or "gone", 100), row.message)
            found.setdefault(key, []).append((row.subject.cluster, row.subject.node))
    return [
        CheckGroup(check=check, old=old, new=new, message=message, where=tuple(where))
        for (check, old, new, message), where in found.items()
    ]


def causes(drift: Drift) -> list[Cause]:
    """Why something was not compared, each reason once."""
    found: dict[str, dict[tuple[str, str], list[str]]] = {}
    for gap in drift.gaps:
        what = found.setdefault(gap.reason, {}).setdefault((gap.place.cluster, gap.place.node), [])
        what += [gap.place.path] if gap.place.path else []
    gaps = {gap.place for gap in drift.gaps}
    for row in drift.facts:
        if row.difference is Difference.NOT_COMPARED and gaps.isdisjoint(
            row.place._replace(path=part) for part in wholes(row.place.path)
        ):
            found.setdefault(row.note, {}).setdefault(row.place[:2], []).append(row.place.path)
    for check in drift.checks:
        if check.difference is Difference.NOT_COMPARED:
            reason = check.message.removeprefix("not evaluated: ")
            known = found.get(reason, {}).get(check.subject[:2])
            if known != []:  # a node that is wholly out of reach needs no list of checks
                where = found.setdefault(reason, {}).setdefault(check.subject[:2], [])
                where.append(f"{_CHECK}{check.subject.check}")
    return [
        Cause(reason, tuple(by_node), tuple(dict.fromkeys(path for paths in by_node.values() for path in paths)))
        for reason, by_node in found.items()
    ]


def past(drift: Drift, names: Iterable[str], where: Sequence[tuple[str, str]]) -> list[str]:
    """What earlier runs say of facts, checks or nodes; where it holds is said where that is not everywhere."""
    tell = teller_of(drift.history)
    found: dict[str, dict[tuple[str, str], None]] = {}
    for name in names:
        for cluster, node in where:
            if told := tell(FindingKey(name, cluster, node or None)):
                found.setdefault(told, {})[cluster, node] = None
    return [
        told if len(those) == len(where) else f"{told} ({places(tuple(those), _MOST_PLACES)})"
        for told, those in found.items()
    ]


def past_of_cause(drift: Drift, cause: Cause) -> list[str]:
    """The same of what was not compared."""
    names: list[str] = []
    for what in cause.what:
        if what.startswith(_CHECK):
            names.append(what.removeprefix(_CHECK))
        else:
            names += [f"{what}{BELOW}", *([what] if "." in what else [])]
    return past(drift, names or [NODE], cause.where)


def sides(row: FactRow) -> tuple[str, str]:
    """Old and new in words; of sets of lines only what differs."""
    if isinstance(row.old, tuple) and isinstance(row.new, tuple):
        return _lines(set(row.old) - set(row.new)), _lines(set(row.new) - set(row.old))
    old = "" if row.difference is Difference.APPEARED else said(row.old)
    return old, "" if row.difference is Difference.DISAPPEARED else said(row.new)


def said(value: Value) -> str:
    """A value in words."""
    if isinstance(value, tuple):
        return _lines(value)
    return shown(value) if value != "" else "empty"


def _lines(lines: Iterable[str]) -> str:
    listed = sorted(lines)
    kept = listed[:_MOST_LINES]
    more = [f"and {len(listed) - len(kept)} more"] if len(listed) > len(kept) else []
    return "\n".join([*kept, *more]) or "none"


def headline(drift: Drift) -> str:
    """The verdict in one sentence."""
    parts = counted(drift)
    if drift.verdict is DriftVerdict.NO_DRIFT:
        same = sum(row.difference is Difference.SAME for row in drift.facts)
        nodes = len({row.place[:2] for row in drift.facts})
        return f"Everything is as approved: {count(same, 'fact')} on {count(nodes, 'node')}."
    if drift.partial:
        parts.append("interrupted: what was finished is here")
    if not parts:
        return "Nothing was compared."
    return f"{_capital('; '.join(parts))}."


def counted(drift: Drift) -> list[str]:
    """How much of what differs, in words."""
    parts = []
    for difference in _DRIFTED:
        number = sum(row.difference is difference for row in drift.facts)
        parts += [f"{count(number, 'fact')} {WORDS[difference]}"] * bool(number)
    gone = [row for row in drift.nodes if row.difference is Difference.DISAPPEARED]
    parts += [f"{count(len(gone), 'node')} gone from the inventory"] * bool(gone)
    new = len(drift.nodes) - len(gone)
    parts += [f"{count(new, 'node')} new in the inventory"] * bool(new)
    broken = sum(row.difference is Difference.CHANGED for row in drift.checks)
    parts += [f"{count(broken, 'check')} worse than approved"] * bool(broken)
    lost = {gap.place[:2] for gap in drift.gaps if not gap.place.path}
    parts += [f"{count(len(lost), 'node')} could not be compared"] * bool(lost)
    checks = [row for row in drift.checks if row.difference is Difference.NOT_COMPARED and row.subject[:2] not in lost]
    missed = sum(row.difference is Difference.NOT_COMPARED and row.place[:2] not in lost for row in drift.facts)
    missed = missed or sum(bool(gap.place.path) and gap.place[:2] not in lost for gap in drift.gaps)
    parts += [f"{count(missed, 'fact')} could not be compared"] * bool(missed)
    parts += [f"{count(len(checks), 'check')} could not be compared"] * bool(checks)
    return parts


def places(where: Sequence[tuple[str, str]], limit: int | None = None) -> str:
    """`vault-prod: web1, web2; chef-prod: whole cluster`. After `limit` names of a cluster the rest is counted."""
    found: dict[str, dict[str, None]] = {}
    for cluster, node in where:
        found.setdefault(cluster, {})[one_line(node, 100) or "whole cluster"] = None
    told = []
    for cluster, names in found.items():
        listed = list(names)
        more = [f"{len(listed) - limit} more"] if limit is not None and len(listed) > limit else []
        told.append(f"{one_line(cluster, 100)}: {', '.join([*listed[:limit], *more])}")
    return "; ".join(told)


def node_line(row: NodeRow) -> str:
    """A node that came or went, in a sentence."""
    name = f"{one_line(row.cluster, 100)}/{one_line(row.node, 100)}"
    if row.difference is Difference.DISAPPEARED:
        return f"{name} was approved, and is not in the inventory any more"
    return f"{name} is new in the inventory, and nobody approved it"


def approved(drift: Drift) -> list[str]:
    """Who approved what it is compared with, a line each; later ones first."""
    return [
        f"{one_line(row.scope, 200)} approved {one_line(row.at, 40)} by {one_line(row.by, 100)}: "
        f"{one_line(row.reason, 200) or 'no reason given'}"
        for row in reversed(drift.approvals)
    ]


def advice(drift: Drift) -> str:
    """What to do next, one sentence; empty where there is nothing to do."""
    match drift.verdict:
        case DriftVerdict.DRIFT:
            part = "--node NODE" if drift.nodes and not any(row.difference in _DRIFTED for row in drift.facts) else ""
            return (
                "Undo what nobody wanted; approve the rest with "
                f"`preflight baseline INVENTORY {part or '--update FACT'} --reason TEXT`, and review the file's diff."
            )
        case DriftVerdict.UNKNOWN:
            return "Clear the causes named here and look again: what was not compared may have changed."
        case _:
            return ""


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
