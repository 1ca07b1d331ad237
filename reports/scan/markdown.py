"""A scan as Markdown (GitHub's flavour), short enough for a chat or a CI job's step summary.

Whatever a target may have said stands in code spans or is escaped, so that it formats nothing, links nowhere and
mentions nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC

from checks.outcome import Result, Status
from checks.scan import Scan, Verdict
from reports.findings.folding import consequences
from reports.findings.grouping import Group, affected_nodes, attested_line, by_reason, checks_named, digest, owner_line
from reports.findings.headline import alone_line, cost_line, coverage_line, headline, subject_line, told_clusters
from reports.findings.history_text import changes, history_formatter, history_line
from reports.render.markdown_text import block, cell, code, linked, prose
from reports.text import one_line

_SIGNS = {Verdict.GO: "✅", Verdict.NO_GO: "⛔", Verdict.UNKNOWN: "❓"}
_PLACES = 30
_NAMES = 12


def render(scan: Scan) -> str:
    """The text, with a final newline."""
    parts = digest(scan)
    started = scan.started.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    strict = ", strict: warnings count as failures" if scan.strict else ""
    lines = [
        f"## {_SIGNS[scan.verdict]} preflight: {scan.verdict}",
        "",
        f"**{prose(headline(scan, parts))}**",
        "",
        *([prose(alone), ""] if (alone := alone_line(scan, parts)) else []),
        f"{code(scan.inventory)}, {started}, preflight {code(scan.tool_version)}{strict}  ",
        f"{prose(coverage_line(scan))}" + ("  " if scan.history else ""),
        *([f"History: {prose(history_line(scan))}"] if scan.history else []),
        "",
        *_clusters(scan),
    ]
    history = history_formatter(scan)
    if scan.notices:
        lines += ["### Notices", "", *(f"- {prose(one_line(notice))}" for notice in scan.notices), ""]
    for title, groups in (
        ("Blockers", parts.blockers),
        ("Could not be determined", parts.undetermined),
        ("Warnings", parts.warnings),
    ):
        if groups:
            lines += [f"### {title} ({len(groups)})", ""]
            for group in groups:
                lines += [*_finding(group, history, consequences(parts.folded, group.results)), ""]
    for change in changes(scan):
        lines += [f"### {change.title} ({len(change.lines)})", "", *(f"- {prose(line)}" for line in change.lines), ""]
    for title, groups in (
        ("Skipped: not evaluated", parts.not_evaluated),
        ("Waived", parts.waived),
        ("Not declared in the inventory", parts.not_declared),
        ("Left out by the inventory", parts.left_out),
        ("Skipped: not applicable", parts.not_applicable),
    ):
        if groups:
            lines += [f"### {title} ({sum(len(group.results) for group in groups)})", "", *_reasons(groups), ""]
    if scan.attestations:
        told = (f"- {prose(attested_line(heard))}" for heard in scan.attestations)
        lines += [f"### Attested, not checked ({len(scan.attestations)})", "", *told, ""]
    lines.append(f"<sub>{prose(cost_line(scan))}</sub>")
    return "\n".join(lines) + "\n"


def _clusters(scan: Scan) -> Iterable[str]:
    judged = told_clusters(scan)
    if not judged:
        return
    yield "| Cluster | Verdict | For | Blocked | Unknown | Warnings | Owner |"
    yield "|---|---|---|---:|---:|---:|---|"
    for one in judged:
        numbers = (one.counts[Status.FAIL], one.counts[Status.ERROR], one.counts[Status.WARN])
        cells = [
            cell(one.record.name),
            f"{_SIGNS[one.verdict]} {one.verdict}",
            cell(subject_line(one, scan.phase)),
            *(str(number) for number in numbers),
            cell(owner_line(one.record.owner, one.record.contact)),
        ]
        yield f"| {' | '.join(cells)} |"
    yield ""


def _finding(group: Group, history: Callable[[Result], str], follow: str) -> Iterable[str]:
    status = str(group.status).upper()
    yield f"- **{status}** {code(group.check)} ({group.severity}): {prose(one_line(group.message))}"
    yield f"  - on {prose(affected_nodes(group.results, _PLACES))}"
    if follow:
        yield f"  - {prose(follow)}"
    fields: tuple[tuple[str, Callable[[Result], str]], ...] = (
        ("expected", lambda row: row.expected),
        ("observed", lambda row: row.observed),
    )
    for name, read in fields:
        for value, rows in group.variants(read):
            whose = "" if len(rows) == len(group.results) else f" ({prose(affected_nodes(rows, _NAMES))})"
            yield f"  - {name}: {code(value)}{whose}"
    for value, rows in group.variants(history):
        whose = "" if len(rows) == len(group.results) else f" ({prose(affected_nodes(rows, _NAMES))})"
        yield f"  - history: {prose(value)}{whose}"
    for value, _ in group.variants(lambda row: row.remediation.summary):
        yield f"  - fix: {prose(one_line(value))}"
    for value, _ in group.variants(lambda row: row.remediation.command):
        yield from block(value)
    for _, rows in group.variants(lambda row: row.remediation.url):
        yield f"  - see {', '.join(linked(link) for link in rows[0].remediation.links)}"


def _reasons(groups: Iterable[Group]) -> Iterable[str]:
    for message, rows in by_reason(groups):
        yield f"- {prose(one_line(message, 400))}: {prose(affected_nodes(rows, _NAMES))} ({prose(checks_named(rows))})"
