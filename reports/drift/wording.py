"""What every drift report says, in one set of words, so that no two formats tell different stories."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from checks.baseline.drift import DRIFTED, Difference, Drift, DriftVerdict, FactRow, NodeRow, by_node
from checks.baseline.fact_paths import Value, shown
from reports.findings.grouping import WHOLE, named_places
from reports.text import count, one_line

WORDS = {
    Difference.CHANGED: "changed",
    Difference.APPEARED: "appeared",
    Difference.DISAPPEARED: "disappeared",
    Difference.NOT_COMPARED: "not compared",
    Difference.SAME: "as approved",
    Difference.BETTER: "passes now",
}
_MOST_LINES = 40
"""Lines of a set that are named before the rest is counted."""


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
        same = drift.counts[Difference.SAME]
        nodes = len(by_node(drift.facts))
        return f"Everything is as approved: {count(same, 'fact')} on {count(nodes, 'node')}."
    if drift.partial:
        parts.append("interrupted: what was finished is here")
    if not parts:
        return "Nothing was compared."
    return f"{_capital('; '.join(parts))}."


def counted(drift: Drift) -> list[str]:
    """How much of what differs, in words."""
    parts = []
    for difference in DRIFTED:
        number = drift.counts[difference]
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
    missed = sum(row.difference is Difference.NOT_COMPARED and row.place[:2] not in lost for row in drift.differing)
    missed = missed or sum(bool(gap.place.path) and gap.place[:2] not in lost for gap in drift.gaps)
    parts += [f"{count(missed, 'fact')} could not be compared"] * bool(missed)
    parts += [f"{count(len(checks), 'check')} could not be compared"] * bool(checks)
    return parts


def places(where: Sequence[tuple[str, str]], limit: int | None = None) -> str:
    """`vault-prod: web1, web2; chef-prod: whole cluster`.

    `limit` is the number of names, and of clusters, after which the rest is only counted.
    """
    found: dict[str, dict[str, None]] = {}
    for cluster, node in where:
        found.setdefault(cluster, {})[one_line(node, 100) or WHOLE] = None
    return named_places(found, limit)


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
            part = (
                "--node NODE" if drift.nodes and not any(row.difference in DRIFTED for row in drift.differing) else ""
            )
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
