"""A scan as a document: the verdict and what it is for, then what stands in the way, then the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from checks.outcome import Result, Status
from checks.scan import Scan, Verdict
from reports import lists
from reports.document import (
    Cell,
    ClusterLine,
    Document,
    Finding,
    Named,
    Reason,
    Section,
    Shown,
    Table,
    Text,
    Value,
)
from reports.findings.folding import consequences
from reports.findings.grouping import (
    GRAVEST_FIRST,
    Digest,
    Group,
    affected_nodes,
    by_reason,
    checks_named,
    digest,
    owner_line,
    waiver_text,
)
from reports.findings.headline import (
    alone_line,
    cost_line,
    coverage_line,
    exit_line,
    headline,
    seconds,
    subject_line,
    told_clusters,
)
from reports.findings.history_text import history_formatter, history_line
from reports.text import count, one_line

_CLUSTERS = 20
"""Clusters that a terminal lists before they are only counted."""
_FILE, _PLAIN, _VERBOSE, _QUIET, _TALKING = Shown.FILE, Shown.PLAIN, Shown.VERBOSE, Shown.QUIET, Shown.TALKING


def view(scan: Scan, shown: Shown) -> Document:
    """The document, with the sections that are for `shown`."""
    parts = digest(scan)
    history, coverage, cost = history_line(scan), coverage_line(scan), cost_line(scan)
    totals = (("history", history), ("coverage", coverage), ("exit", exit_line(scan)), ("cost", cost))
    return Document(
        kind="scan",
        verdict=str(scan.verdict),
        tone=str(scan.verdict).lower(),
        headline=headline(scan, parts),
        alone=alone_line(scan, parts),
        inventory=scan.inventory,
        started=scan.started,
        finished=scan.finished,
        version=scan.tool_version,
        strict="strict: warnings count as failures" if scan.strict else "",
        partial=scan.partial,
        exit_code=scan.exit_code,
        coverage=coverage,
        history=history,
        small=cost,
        closing=() if shown is _QUIET else (totals,),
        names_all=True,
        sections=tuple(made for on, make in _sections(scan, parts) if on & shown for made in make()),
    )


def _sections(scan: Scan, parts: Digest) -> Iterable[tuple[Shown, Callable[[], Iterable[Section]]]]:
    """In the order in which a file has them, and the terminal."""
    history = history_formatter(scan)

    def findings(key: str, title: str, groups: Sequence[Group], *, brief: bool = False) -> Iterator[Section]:
        if groups:
            entries = tuple(_finding(group, history, parts, brief=brief) for group in groups)
            yield Section(key=key, title=title, count=len(groups), entries=entries, brief=brief)

    return (
        (Shown.TERMINAL, lambda: _verdicts(scan)),
        (_FILE, lambda: _clusters(scan)),
        (_FILE, lambda: lists.notices(scan.notices)),
        (_FILE | Shown.TERMINAL, lambda: findings("blockers", "Blockers", parts.blockers)),
        (_FILE | _TALKING, lambda: findings("undetermined", "Could not be determined", parts.undetermined)),
        (_QUIET, lambda: findings("undetermined", "Could not be determined", parts.undetermined, brief=True)),
        (_QUIET, lambda: lists.notices(scan.notices if scan.partial else scan.reminders)),
        (_FILE | _TALKING, lambda: findings("warnings", "Warnings", parts.warnings)),
        (_FILE, lambda: lists.changed(scan)),
        (_VERBOSE, lambda: findings("waived", "Waived", parts.waived)),
        (_FILE | _VERBOSE, lambda: _reasons("Skipped", ": not evaluated", parts.not_evaluated)),
        (_FILE | _PLAIN, lambda: _reasons("Waived", "", parts.waived)),
        (_FILE | _TALKING, lambda: _reasons("Not declared", " in the inventory", parts.not_declared)),
        (_FILE | _TALKING, lambda: _reasons("Left out", " by the inventory", parts.left_out)),
        (_FILE | _VERBOSE, lambda: _reasons("Skipped", ": not applicable", parts.not_applicable)),
        (_PLAIN, lambda: _skipped(parts)),
        (_VERBOSE, lambda: findings("passed", "Passed", parts.passed, brief=True)),
        (_TALKING, lambda: lists.changed(scan)),
        (_FILE | _TALKING, lambda: lists.attested(scan.attestations)),
        (_TALKING, lambda: lists.notices(scan.notices)),
        (_VERBOSE, lambda: _nodes(scan)),
    )


def _verdicts(scan: Scan) -> Iterator[Section]:
    """A line for each cluster: its verdict, and what it is for."""
    judged = sorted(told_clusters(scan), key=lambda one: GRAVEST_FIRST.index(one.verdict))
    shown = [one for one in judged if one.verdict is not Verdict.GO][:_CLUSTERS]
    shown += [one for one in judged if one.verdict is Verdict.GO][: _CLUSTERS - len(shown)]
    lines = [
        ClusterLine(name=one_line(one.record.name, 60), verdict=str(one.verdict), about=subject_line(one, scan.phase))
        for one in shown
    ]
    more = len(judged) - len(shown)
    rest = (Text(text=f"and {count(more, 'more cluster')}: the reports name all"),) if more else ()
    yield Section(key="clusters", entries=(*lines, *rest), brief=True)


def _clusters(scan: Scan) -> Iterator[Section]:
    rows = [
        (
            Cell(text=one_line(one.record.name, 300)),
            Cell(text=str(one.verdict), kind="verdict"),
            Cell(text=one_line(subject_line(one, scan.phase), 300)),
            *(Cell(text=str(one.counts[status])) for status in (Status.FAIL, Status.ERROR, Status.WARN)),
            Cell(text=one_line(owner_line(one.record.owner, one.record.contact), 300)),
        )
        for one in told_clusters(scan)
    ]
    columns = (
        *(Cell(text=name) for name in ("Cluster", "Verdict", "For")),
        *(Cell(text=name, kind="number") for name in ("Blocked", "Unknown", "Warnings")),
        Cell(text="Owner"),
    )
    if rows:
        yield Section(key="clusters", entries=(Table(columns=columns, rows=tuple(rows)),))


def _finding(group: Group, history: Callable[[Result], str], parts: Digest, *, brief: bool) -> Finding:
    told: tuple[tuple[str, Callable[[Result], str]], ...] = (
        ("expected", lambda row: row.expected),
        ("observed", lambda row: row.observed),
        ("waived", waiver_text),
        ("fix", lambda row: row.remediation.summary),
        ("history", history),
    )
    found = Finding(
        check=group.check,
        title=group.title,
        severity=str(group.severity),
        status=str(group.status),
        message=group.message,
        where=partial(affected_nodes, group.results),
    )
    return (
        found
        if brief
        else replace(
            found,
            follow=consequences(parts.folded, group.results),
            fields={
                name: tuple(
                    Value(text=text, whose=None if len(rows) == len(group.results) else partial(affected_nodes, rows))
                    for text, rows in group.variants(read)
                )
                for name, read in told
            },
            commands=tuple(text for text, _ in group.variants(lambda row: row.remediation.command)),
            links=tuple(rows[0].remediation.links for _, rows in group.variants(lambda row: row.remediation.url)),
        )
    )


def _reasons(title: str, rest: str, groups: Sequence[Group]) -> Iterator[Section]:
    """What was not judged, one entry per reason."""
    if groups:
        entries = tuple(
            Reason(text=one_line(message, 400), where=partial(affected_nodes, rows), checks=checks_named(rows))
            for message, rows in by_reason(groups)
        )
        number = sum(len(group.results) for group in groups)
        yield Section(key="reasons", title=title, rest=rest, count=number, entries=entries)


def _skipped(parts: Digest) -> Iterator[Section]:
    """What was skipped, in numbers: most of it is of no interest at two in the morning."""
    kinds = (("not evaluated", parts.not_evaluated), ("not applicable", parts.not_applicable))
    told = [
        f"{sum(len(group.results) for group in groups)} {word} ({count(len(by_reason(groups)), 'reason')})"
        for word, groups in kinds
        if groups
    ]
    if told:
        yield Section(key="skipped", title="Skipped", entries=(Text(text=f"{', '.join(told)}; -v names them"),))


def _nodes(scan: Scan) -> Iterator[Section]:
    entries = tuple(
        Named(
            name=one_line(f"{node.cluster}/{node.node}", 60),
            text=", ".join(
                [
                    one_line(node.transport, 20),
                    count(node.connections, "connection"),
                    count(node.commands, "command"),
                    *([count(node.requests, "HTTP request")] if node.requests else []),
                    seconds(node.seconds),
                    *([] if node.reachable else ["not reached"]),
                ]
            ),
        )
        for node in scan.nodes
    )
    if entries:
        yield Section(key="nodes", title="Nodes", entries=entries)
