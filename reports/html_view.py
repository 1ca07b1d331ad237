"""What the HTML page shows, as plain values: all text made visible and cut to length, nothing left for the template
to decide but where it goes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC

from checks.history import Subject
from checks.outcome import Result, Status
from checks.scan import Scan
from reports.grouping import (
    Group,
    attested_line,
    by_reason,
    checks_named,
    cost_line,
    coverage_line,
    digest,
    elapsed_s,
    headline,
    places,
    seconds,
    status_word,
    subject,
    subject_line,
    told_clusters,
    waiver_text,
)
from reports.hindsight import changes, history_line, teller, trend_line
from reports.json_report import json_safe
from reports.text import clipped, one_line, web_url
from reports.trend import picture

_PAGE_CHARS = 250_000
"""Roughly what all results' evidence may take together, so that large scans stay readable."""


@dataclass(frozen=True, slots=True)
class _Budget:
    """How long one result's texts may be, given how many results share the page."""

    field: int
    evidence: int

    @classmethod
    def of(cls, scan: Scan) -> _Budget:
        share = _PAGE_CHARS // max(1, len(scan.results))
        return cls(field=max(200, min(2_000, share)), evidence=max(200, min(8_000, share)))


@dataclass(frozen=True, slots=True)
class _Link:
    text: str
    url: str | None


@dataclass(frozen=True, slots=True)
class _Value:
    text: str
    whose: str


@dataclass(frozen=True, slots=True)
class _Card:
    """One cause."""

    number: int
    status: str
    check: str
    title: str
    severity: str
    message: str
    hits: list[tuple[str, list[tuple[str, int]]]]
    """Cluster, and its nodes with the number of their result."""
    fields: list[tuple[str, list[_Value]]]
    commands: list[str]
    links: list[_Link]
    new: str
    """How much of it is new since the last run; empty where nothing is."""


@dataclass(frozen=True, slots=True)
class _Row:
    """One result."""

    number: int
    status: str
    word: str
    missed: bool
    check: str
    title: str
    severity: str
    cluster: str
    place: str
    message: str
    fields: list[tuple[str, str]]
    cause: int | None
    """The number of its card, which has the fix."""
    evidence: str


@dataclass(frozen=True, slots=True)
class _Cell:
    status: str
    word: str
    number: int


@dataclass(frozen=True, slots=True)
class _Matrix:
    """A cluster's nodes against its checks; checks of the whole cluster span all rows."""

    cluster: str
    node_checks: list[str]
    cluster_checks: list[tuple[str, _Cell]]
    rows: list[tuple[str, str, list[_Cell | None]]]
    """Node, its host where that reads differently, and a cell per node check."""


@dataclass(frozen=True, slots=True)
class _Reason:
    message: str
    where: str
    checks: str


def view(scan: Scan) -> dict[str, object]:
    """The template's variables."""
    budget = _Budget.of(scan)
    numbers = {id(row): number for number, row in enumerate(scan.results)}
    parts = digest(scan)
    told = (*parts.blockers, *parts.undetermined, *parts.warnings, *parts.waived)
    causes = {id(row): number for number, group in enumerate(told) for row in group.results}
    history = teller(scan)
    fresh = {item.subject for item in scan.history.standings if item.new} if scan.history else set()

    def cards(groups: Iterable[Group]) -> list[_Card]:
        return [_card(group, causes[id(group.results[0])], numbers, history, fresh) for group in groups]

    rows = [_row(row, number, causes.get(id(row)), budget, history) for number, row in enumerate(scan.results)]
    cover = scan.coverage
    started, finished = (moment.astimezone(UTC) for moment in (scan.started, scan.finished))
    return {
        "verdict": str(scan.verdict),
        "tone": str(scan.verdict).lower(),
        "headline": headline(scan),
        "partial": scan.partial,
        "strict": scan.strict,
        "exit_code": scan.exit_code,
        "inventory": one_line(scan.inventory, 300),
        "version": one_line(scan.tool_version, 100),
        "started": started.strftime("%Y-%m-%d %H:%M:%S UTC"),
        "finished": finished.strftime("%H:%M:%S UTC"),
        "elapsed": seconds(elapsed_s(scan)),
        "verdicts": [
            (
                _cluster(one.record.name),
                str(one.verdict),
                subject_line(one, scan.phase),
                [one.counts[Status.FAIL], one.counts[Status.ERROR], one.counts[Status.WARN]],
                ", ".join(one_line(text, 200) for text in (one.record.owner, one.record.contact) if text),
            )
            for one in told_clusters(scan)
        ],
        "run_by": one_line(f"{scan.run_by.user}@{scan.run_by.host}", 300) if scan.run_by else "",
        "digest": scan.inventory_digest[:12],
        "notices": [one_line(notice) for notice in scan.notices],
        "coverage": coverage_line(scan),
        "planned": cover.planned,
        "segments": _segments(
            ("evaluated", cover.evaluated),
            ("not applicable", cover.not_applicable),
            ("waived", cover.waived),
            ("not evaluated", cover.not_evaluated),
            *((("not declared", cover.not_declared),) if cover.not_declared else ()),
            *((("left out", cover.left_out),) if cover.left_out else ()),
        ),
        "findings": [
            ("blockers", "Blockers", cards(parts.blockers)),
            ("undetermined", "Could not be determined", cards(parts.undetermined)),
            ("warnings", "Warnings", cards(parts.warnings)),
            ("waived", "Waived", cards(parts.waived)),
        ],
        "attestations": [(str(heard.standing), attested_line(heard)) for heard in scan.attestations],
        "skipped": [
            ("Not evaluated", _reasons(parts.not_evaluated)),
            ("Not declared in the inventory", _reasons(parts.not_declared)),
            ("Left out by the inventory", _reasons(parts.left_out)),
            ("Not applicable", _reasons(parts.not_applicable)),
        ],
        "history": history_line(scan),
        "changes": changes(scan),
        "trend": picture(scan.history.trend) if scan.history else None,
        "trend_told": trend_line(scan),
        "matrices": _matrices(scan, numbers),
        "clusters": list(dict.fromkeys(row.cluster for row in rows)),
        "statuses": [(str(status), sum(1 for row in rows if row.status == status)) for status in Status],
        "rows": rows,
        "nodes": [
            (
                one_line(f"{node.cluster}/{node.node}", 300),
                one_line(node.host, 300),
                one_line(node.transport, 100),
                node,
                f"{node.seconds:.2f} s",
            )
            for node in scan.nodes
        ],
        "cost": cost_line(scan),
    }


def _segments(*counts: tuple[str, int]) -> list[tuple[str, int, int]]:
    """Name, count and start of each part of the coverage bar."""
    start, segments = 0, []
    for name, number in counts:
        segments.append((name, number, start))
        start += number
    return segments


def _card(
    group: Group,
    number: int,
    numbers: dict[int, int],
    history: Callable[[Result], str],
    fresh: AbstractSet[Subject],
) -> _Card:
    hits: dict[str, list[tuple[str, int]]] = {}
    for row in group.results:
        hits.setdefault(_cluster(row.cluster), []).append((_node(row), numbers[id(row)]))
    told: tuple[tuple[str, Callable[[Result], str]], ...] = (
        ("Expected", lambda row: row.expected),
        ("Observed", lambda row: row.observed),
        ("Waived", waiver_text),
        ("History", history),
        ("Fix", lambda row: row.remediation.summary),
    )
    fields = []
    for name, read in told:
        values = [
            _Value(clipped(value, 2_000), "" if len(rows) == len(group.results) else places(rows))
            for value, rows in group.variants(read)
        ]
        if values:
            fields.append((name, values))
    return _Card(
        number,
        str(group.status),
        one_line(group.check, 100),
        one_line(group.title, 200),
        str(group.severity),
        one_line(group.message),
        list(hits.items()),
        fields,
        [clipped(value) for value, _ in group.variants(lambda row: row.remediation.command)],
        [_link(value) for value, _ in group.variants(lambda row: row.remediation.url)],
        _new(group, fresh),
    )


def _new(group: Group, fresh: AbstractSet[Subject]) -> str:
    number = sum(Subject(row.check, row.cluster, row.node) in fresh for row in group.results)
    return "new" if number == len(group.results) else f"{number} new" if number else ""


def _row(row: Result, number: int, cause: int | None, budget: _Budget, history: Callable[[Result], str]) -> _Row:
    fields = [
        ("Expected", row.expected),
        ("Observed", row.observed),
        ("Waived", waiver_text(row)),
        ("History", history(row)),
    ]
    return _Row(
        number,
        str(row.status),
        status_word(row),
        row.not_evaluated,
        one_line(row.check, 100),
        one_line(row.title, 200),
        str(row.severity),
        _cluster(row.cluster),
        subject(row),
        one_line(row.message, min(1_000, budget.field)),
        [(name, clipped(value, budget.field)) for name, value in fields if value.strip()],
        cause,
        _evidence(row, budget.evidence),
    )


def _evidence(row: Result, limit: int) -> str:
    lines = []
    for key, value in json_safe(row.evidence).items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        if not isinstance(value, str) and len(text) > 100:
            text = json.dumps(value, ensure_ascii=False, indent=2)
        lines.append(f"{key}: {text}")
    return clipped("\n".join(lines), limit)


def _matrices(scan: Scan, numbers: dict[int, int]) -> list[_Matrix]:
    def cell(row: Result) -> _Cell:
        words = {
            "not applicable": "n/a",
            "not evaluated": "not run",
            "left out": "left out",
            "not declared": "not decl.",
        }
        word = words.get(status_word(row), str(row.status))
        return _Cell(str(row.status), word, numbers[id(row)])

    found = []
    for cluster in dict.fromkeys([node.cluster for node in scan.nodes] + [row.cluster for row in scan.results]):
        results = [row for row in scan.results if row.cluster == cluster]
        cells = {(row.node, row.check): cell(row) for row in results}
        checks = list(dict.fromkeys(row.check for row in results if row.node is not None))
        hosts = {node.node: node.host for node in scan.nodes if node.cluster == cluster}
        nodes = list(dict.fromkeys([*hosts, *(row.node for row in results if row.node is not None)]))
        found.append(
            _Matrix(
                _cluster(cluster),
                [one_line(check, 100) for check in checks],
                [(one_line(row.check, 100), cell(row)) for row in results if row.node is None],
                [
                    (
                        one_line(node, 100),
                        _host(node, hosts.get(node, "")),
                        [cells.get((node, check)) for check in checks],
                    )
                    for node in nodes
                ]
                or [("whole cluster", "", [])],
            )
        )
    return found


def _reasons(groups: Sequence[Group]) -> list[_Reason]:
    return [_Reason(one_line(text), places(rows), checks_named(rows)) for text, rows in by_reason(groups)]


def _link(url: str) -> _Link:
    return _Link(one_line(url, 500), web_url(url))


def _cluster(name: str) -> str:
    return one_line(name, 100) or "scan"


def _host(node: str, host: str) -> str:
    """The host, where it says more than the node's name does."""
    return "" if host.partition(".")[0].lower() == node.lower() else one_line(host, 100)


def _node(row: Result) -> str:
    return "whole cluster" if row.node is None else one_line(row.node, 100)
