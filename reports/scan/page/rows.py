"""The HTML page's list of all results: a row each, or on large pages one for all that say the same good thing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping

from checks.common.dataclass import dataclass
from checks.history.model import FindingKey
from checks.outcome import Result, Status
from checks.scan import Scan
from reports.findings.grouping import by_status, label, owner_of, status_word, waiver_text
from reports.findings.history_text import history_formatter
from reports.render.json_text import json_safe, laid_out
from reports.scan.page.anchors import Anchors
from reports.scan.page.cards import Cards, cluster_name, node_name
from reports.text import one_line, truncate

_on_one_line = json.JSONEncoder(ensure_ascii=False).encode
_PAGE_CHARS = 250_000
"""Roughly what all results' evidence may take together, so that large scans stay readable."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How long one result's texts may be, given how many results share the page."""

    field: int
    evidence: int

    @classmethod
    def of(cls, results: int) -> Budget:
        """For so many results in full."""
        share = _PAGE_CHARS // max(1, results)
        return cls(field=max(200, min(2_000, share)), evidence=max(200, min(8_000, share)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One result."""

    anchor: str
    status: str
    word: str
    check: str
    title: str
    severity: str
    cluster: str
    owner: str
    place: str
    message: str
    fields: list[tuple[str, str]]
    cause: str
    """The address of its card, which has the fix; empty where it has none."""
    evidence: str
    new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """Results of one check that say the same, and need nobody."""

    status: str
    word: str
    check: str
    title: str
    severity: str
    message: str
    hits: list[tuple[str, list[str]]]
    """Cluster, and its nodes."""
    number: int


def rows(scan: Scan, shown: Iterable[Result], anchors: Anchors, cards: Cards, budget: Budget) -> Iterator[Row]:
    """The results that are shown in full, each made when it is its turn: an estate has tens of thousands."""
    history, owner = history_formatter(scan), owner_of(scan)
    return (_row(row, anchors.of(row), cards, budget, history, owner) for row in shown)


def is_quiet(row: Result) -> bool:
    """Whether nobody has to do anything about it."""
    return row.status is Status.PASS or (row.status is Status.SKIP and not row.not_evaluated)


def bundles(results: Iterable[Result]) -> list[Bundle]:
    """Those results together that say the same of many places."""
    found = []
    for group in by_status(results):
        hits: dict[str, list[str]] = {}
        for row in group.results:
            hits.setdefault(cluster_name(row.cluster), []).append(node_name(row))
        found.append(
            Bundle(
                status=str(group.status),
                word=status_word(group.results[0]),
                check=one_line(group.check, 100),
                title=one_line(group.title, 200),
                severity=str(group.severity),
                message=one_line(group.message, 300),
                hits=list(hits.items()),
                number=len(group.results),
            )
        )
    return found


def _row(
    row: Result,
    anchor: str,
    cards: Cards,
    budget: Budget,
    history: Callable[[Result], str],
    owner: Callable[[Result], str],
) -> Row:
    fields = [
        ("Expected", row.expected),
        ("Observed", row.observed),
        ("Waived", waiver_text(row)),
        ("History", history(row)),
    ]
    return Row(
        anchor=anchor,
        status=str(row.status),
        word=status_word(row),
        check=one_line(row.check, 100),
        title=one_line(row.title, 200),
        severity=str(row.severity),
        cluster=cluster_name(row.cluster),
        owner=owner(row),
        place=label(row),
        message=one_line(row.message, min(1_000, budget.field)),
        fields=[(name, truncate(value, budget.field)) for name, value in fields if value.strip()],
        cause=cards.cause.get(id(row), ""),
        evidence=_evidence(row.evidence, budget.evidence),
        new=FindingKey(row.check, row.cluster, row.node) in cards.fresh,
    )


def _evidence(evidence: Mapping[str, object], limit: int) -> str:
    lines = []
    for key, value in json_safe(evidence).items():
        text = value if isinstance(value, str) else _on_one_line(value)
        if not isinstance(value, str) and len(text) > 100:
            text = laid_out(value)
        lines.append(f"{key}: {text}")
    return truncate("\n".join(lines), limit)
