"""Drift as one HTML page that needs nothing else, old and new side by side."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC

from checks.baseline.drift import Difference, Drift, DriftVerdict, FactRow
from checks.history.drift_comparison import NODE
from reports.drift.wording import (
    WORDS,
    CheckGroup,
    advice,
    approved,
    causes,
    check_groups,
    fact_groups,
    headline,
    node_line,
    past,
    past_of_cause,
    places,
    said,
    sides,
)
from reports.findings.history_text import changes, history_line
from reports.render.page import render_page
from reports.text import one_line, truncate

_TONES = {DriftVerdict.NO_DRIFT: "go", DriftVerdict.DRIFT: "no-go", DriftVerdict.UNKNOWN: "unknown"}
_STATUS = {
    Difference.CHANGED: "warn",
    Difference.APPEARED: "waived",
    Difference.DISAPPEARED: "fail",
    Difference.NOT_COMPARED: "error",
    Difference.SAME: "pass",
    Difference.BETTER: "pass",
}
"""The scan's page has colours for these."""
_GRAVITY = ("fail", "warn", "waived", "error", "pass")
_MOST_GROUPS = 2_000
_MOST_FACTS = 6_000
"""Facts that the page lists in full; beyond that only those that are not as approved."""
_VALUE_CHARS = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    status: str
    word: str
    fact: str
    old: str
    new: str
    note: str
    where: str = ""
    past: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Node:
    number: int
    status: str
    word: str
    cluster: str
    name: str
    told: str
    rows: list[_Row]


def render(drift: Drift) -> str:
    """The page, to be written as UTF-8."""
    # Its rows are searched and filtered like a scan's.
    return render_page("drift", view(drift), "rows.js")


def view(drift: Drift) -> dict[str, object]:
    """The template's variables: plain values, all text made visible and cut to length."""
    started, finished = (moment.astimezone(UTC) for moment in (drift.started, drift.finished))
    groups = fact_groups(drift.facts)
    nodes = _nodes(drift)
    counts = [(kind, sum(row.difference is kind for row in drift.facts)) for kind in _STATUS]
    return {
        "verdict": str(drift.verdict),
        "tone": _TONES[drift.verdict],
        "headline": headline(drift),
        "partial": drift.partial,
        "exit_code": drift.exit_code,
        "inventory": one_line(drift.inventory, 300),
        "baseline": one_line(drift.baseline, 300),
        "version": one_line(drift.tool_version, 100),
        "started": started.strftime("%Y-%m-%d %H:%M:%S UTC"),
        "finished": finished.strftime("%H:%M:%S UTC"),
        "notices": [one_line(notice) for notice in drift.notices],
        "counts": [(_STATUS[kind], WORDS[kind], number) for kind, number in counts if number],
        "facts": len(drift.facts),
        "differences": [
            _Row(
                status=_STATUS[group.difference],
                word=WORDS[group.difference],
                fact=one_line(group.path, 400),
                old=truncate(group.old, _VALUE_CHARS),
                new=truncate(group.new, _VALUE_CHARS),
                note=group.note,
                where=places(group.where),
                past=tuple(past(drift, [group.path], group.where)),
            )
            for group in groups[:_MOST_GROUPS]
        ],
        "left_out": max(0, len(groups) - _MOST_GROUPS),
        "moved": [(node_line(row), past(drift, [NODE], [(row.cluster, row.node)])) for row in drift.nodes],
        "worse": _checks(check_groups(drift.checks, Difference.CHANGED), drift),
        "better": _checks(check_groups(drift.checks, Difference.BETTER), drift),
        "causes": [
            (
                one_line(cause.reason),
                places(cause.where),
                truncate(", ".join(one_line(path, 300) for path in cause.what), 2_000),
                past_of_cause(drift, cause),
            )
            for cause in causes(drift)
        ],
        "history": history_line(drift),
        "changes": changes(drift),
        "nodes": nodes,
        "clusters": list(dict.fromkeys(node.cluster for node in nodes)),
        "statuses": [
            (status, sum(node.status == status for node in nodes))
            for status in _GRAVITY
            if any(node.status == status for node in nodes)
        ],
        "approvals": approved(drift),
        "advice": advice(drift),
    }


def _checks(groups: list[CheckGroup], drift: Drift) -> list[tuple[str, str, str, str, str, list[str]]]:
    return [
        (
            one_line(group.check, 100),
            group.old,
            group.new,
            one_line(group.message),
            places(group.where),
            past(drift, [group.check], group.where),
        )
        for group in groups
    ]


def _nodes(drift: Drift) -> list[_Node]:
    """Every node with its facts, those that are not as approved first."""
    everything = len(drift.facts) <= _MOST_FACTS
    by_node: dict[tuple[str, str], list[FactRow]] = {row.place[:2]: [] for row in drift.gaps}
    for row in drift.facts:
        by_node.setdefault((row.place.cluster, row.place.node), []).append(row)
    found = []
    for number, ((cluster, node), rows) in enumerate(sorted(by_node.items())):
        moved = [row for row in rows if row.difference is not Difference.SAME]
        statuses = {_STATUS[row.difference] for row in rows} | (
            {"error"} if any(gap.place[:2] == (cluster, node) for gap in drift.gaps) else set()
        )
        status = next((status for status in _GRAVITY if status in statuses), "error")
        shown = [*moved, *(row for row in rows if row.difference is Difference.SAME)] if everything else moved
        found.append(
            _Node(
                number=number,
                status=status,
                word="as approved" if status == "pass" else "not compared" if status == "error" else "drift",
                cluster=one_line(cluster, 100),
                name=one_line(node, 100),
                told=_summary(rows),
                rows=[_row(row) for row in shown],
            )
        )
    return found


def _summary(rows: list[FactRow]) -> str:
    missed = sum(row.difference is Difference.NOT_COMPARED for row in rows)
    same = sum(row.difference is Difference.SAME for row in rows)
    parts = ((len(rows) - missed - same, "not as approved"), (missed, "not compared"), (same, "as approved"))
    return ", ".join(f"{number} {word}" for number, word in parts if number) or "nothing to compare"


def _row(row: FactRow) -> _Row:
    old, new = sides(row) if row.difference is not Difference.SAME else (said(row.old), said(row.new))
    if row.difference is Difference.NOT_COMPARED:
        old, new = said(row.old), row.note
    return _Row(
        status=_STATUS[row.difference],
        word=WORDS[row.difference],
        fact=one_line(row.place.path, 400),
        old=truncate(old, 300),
        new=truncate(new, 300),
        note=row.note,
    )
