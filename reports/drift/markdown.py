"""Drift as Markdown (GitHub's flavour), short enough for a chat or a CI job's step summary."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC

from checks.baseline.drift import Difference, Drift, DriftVerdict, NodeRow
from checks.history.drift_comparison import NODE
from reports.drift.wording import (
    WORDS,
    CheckGroup,
    Group,
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
)
from reports.findings.history_text import changes, history_line
from reports.render.markdown_text import code, prose
from reports.text import count, one_line

_SIGNS = {DriftVerdict.NO_DRIFT: "✅", DriftVerdict.DRIFT: "⚠️", DriftVerdict.UNKNOWN: "❓"}
_NAMES = 12
_MOST = 40
"""Differences that fit a message; the rest is counted."""
_MOST_VALUES = 5


def render(drift: Drift) -> str:
    """The text, with a final newline."""
    started = drift.started.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    lines = [
        f"## {_SIGNS[drift.verdict]} preflight drift: {drift.verdict}",
        "",
        f"**{prose(headline(drift))}**",
        "",
        f"{code(drift.inventory)} against {code(drift.baseline)}, {started}, preflight {code(drift.tool_version)}"
        + ("  " if drift.history else ""),
        *([f"History: {prose(history_line(drift))}"] if drift.history else []),
        "",
    ]
    lines += _section("Differences", [_difference(group, drift) for group in fact_groups(drift.facts)])
    lines += _section("Nodes", [_node(row, drift) for row in drift.nodes])
    lines += _section(
        "Checks that are worse than approved", _checks(check_groups(drift.checks, Difference.CHANGED), drift)
    )
    lines += _section("Not compared", list(_causes(drift)))
    lines += _section("Checks that pass now", _checks(check_groups(drift.checks, Difference.BETTER), drift))
    for change in changes(drift):
        lines += _section(change.title, [[f"- {prose(line)}"] for line in change.lines])
    if drift.notices:
        lines += ["### Notices", "", *(f"- {prose(one_line(notice))}" for notice in drift.notices), ""]
    if advice(drift):
        lines += [prose(advice(drift)), ""]
    latest = approved(drift)[:1]
    lines.append(f"<sub>{prose('; '.join(latest) or 'no approval')}</sub>")
    return "\n".join(lines) + "\n"


def _section(title: str, entries: list[list[str]]) -> list[str]:
    if not entries:
        return []
    more = [f"- and {count(len(entries) - _MOST, 'more', 'more')}"] if len(entries) > _MOST else []
    return [f"### {title} ({len(entries)})", "", *(line for entry in entries[:_MOST] for line in entry), *more, ""]


def _difference(group: Group, drift: Drift) -> list[str]:
    note = f", {prose(group.note)}" if group.note else ""
    head = f"- {code(group.path)} {WORDS[group.difference]}{note} on {prose(places(group.where, _NAMES))}"
    before = _past(past(drift, [group.path], group.where))
    return [head, *_values("was", group.old), *_values("is", group.new), *before]


def _values(word: str, text: str) -> Iterable[str]:
    lines = text.splitlines()
    for line in lines[:_MOST_VALUES]:
        yield f"  - {word} {code(line)}"
    if len(lines) > _MOST_VALUES:
        yield f"  - {word} {len(lines) - _MOST_VALUES} more"


def _past(told: Iterable[str]) -> list[str]:
    return [f"  - history: {prose(line)}" for line in told]


def _node(row: NodeRow, drift: Drift) -> list[str]:
    return [f"- {prose(node_line(row))}", *_past(past(drift, [NODE], [(row.cluster, row.node)]))]


def _checks(groups: Iterable[CheckGroup], drift: Drift) -> list[list[str]]:
    return [[_check(group), *_past(past(drift, [group.check], group.where))] for group in groups]


def _check(group: CheckGroup) -> str:
    where = prose(places(group.where, _NAMES))
    return f"- {code(group.check)} {group.old} → {group.new} on {where}: {prose(one_line(group.message, 400))}"


def _causes(drift: Drift) -> Iterable[list[str]]:
    for cause in causes(drift):
        what = ", ".join(code(path) for path in cause.what[:_MOST_VALUES])
        more = f" and {len(cause.what) - _MOST_VALUES} more" if len(cause.what) > _MOST_VALUES else ""
        about = f" ({what}{more})" if what else ""
        head = f"- {prose(one_line(cause.reason, 400))}: {prose(places(cause.where, _NAMES))}{about}"
        yield [head, *_past(past_of_cause(drift, cause))]
