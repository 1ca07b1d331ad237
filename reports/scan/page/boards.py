"""The HTML page's clusters: what each verdict is for, and its nodes against its checks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from checks.common.dataclass import dataclass
from checks.history.model import FindingKey
from checks.outcome import Result, Status
from checks.scan import ClusterVerdict, NodeRecord, Scan, Verdict, blocks
from reports.findings.grouping import GRAVEST_FIRST, owner_line, status_word
from reports.findings.headline import subject_line
from reports.scan.page.anchors import Anchors, link, of_cluster
from reports.scan.page.cards import cluster_name
from reports.text import one_line

T = TypeVar("T")

_WORDS = {"not applicable": "n/a", "not evaluated": "not run", "not declared": "not decl."}
_LOUD = (Status.FAIL, Status.ERROR, Status.WARN)


@dataclass(frozen=True, slots=True)
class Cell:
    """What a check says of a node, or of the cluster."""

    check: str
    status: str
    word: str
    href: str


@dataclass(frozen=True, slots=True)
class Line:
    """One node of a board."""

    node: str
    host: str
    """Where that reads differently."""
    cells: list[Cell | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One cluster."""

    anchor: str
    href: str
    name: str
    verdict: str
    about: str
    owner: str
    fails: int
    errors: int
    warns: int
    new: int
    since: str
    """Since when the oldest of what stands in the way is there; empty where that is not known."""
    open: bool
    """Whether it has something to look at."""
    whole: list[Cell]
    """The checks of the cluster as a whole, what is wrong first."""
    columns: list[str]
    """The nodes' checks, what is wrong first."""
    alike: list[tuple[str, str, str]]
    """Status, word and names of the checks that say the same of every node, where columns are saved."""
    lines: list[Line]


def boards(scan: Scan, anchors: Anchors, *, compact: bool) -> list[Board]:
    """Every cluster, in inventory order; `compact` saves the columns that say the same good thing of every node."""
    by_cluster: dict[str, list[Result]] = {}
    for row in scan.results:
        by_cluster.setdefault(row.cluster, []).append(row)
    nodes: dict[str, list[NodeRecord]] = {}
    for node in scan.nodes:
        nodes.setdefault(node.cluster, []).append(node)
    judged = {one.record.name: one for one in scan.cluster_verdicts}
    names = list(dict.fromkeys([*judged, *nodes, *by_cluster]))
    ages = _ages(scan)
    return [
        _board(
            name,
            judged.get(name),
            by_cluster.get(name, []),
            nodes.get(name, []),
            scan,
            anchors,
            ages,
            compact=compact,
            alone=len(names) == 1,
        )
        for name in names
    ]


def gravest_first(found: Iterable[T], board: Callable[[T], Board]) -> list[T]:
    """For a table: NO-GO, UNKNOWN, GO; the others as they come."""
    order = [str(verdict) for verdict in GRAVEST_FIRST] + [""]
    return sorted(found, key=lambda each: order.index(board(each).verdict))


def _ages(scan: Scan) -> Mapping[FindingKey, tuple[str, bool]]:
    """Finding to the day since when it is there, and whether it is new."""
    if scan.history is None or scan.history.last is None:
        return {}
    return {item.subject: (item.since.strftime("%Y-%m-%d"), item.new) for item in scan.history.standings}


def _board(
    name: str,
    judged: ClusterVerdict | None,
    rows: Sequence[Result],
    records: Sequence[NodeRecord],
    scan: Scan,
    anchors: Anchors,
    ages: Mapping[FindingKey, tuple[str, bool]],
    *,
    compact: bool,
    alone: bool,
) -> Board:
    def cell(row: Result) -> Cell:
        word = status_word(row)
        return Cell(one_line(row.check, 100), str(row.status), _WORDS.get(word, word), anchors.link(row))

    verdict = str(judged.verdict) if judged else ""
    whole = sorted((row for row in rows if row.node is None), key=_loudness)
    by_check: dict[str, list[Result]] = {}
    for row in rows:
        if row.node is not None:
            by_check.setdefault(row.check, []).append(row)
    checks = sorted(by_check, key=lambda check: min(map(_loudness, by_check[check])))
    hosts = {record.node: record for record in records}
    names = list(dict.fromkeys([*hosts, *(row.node for row in rows if row.node is not None)]))
    alike = _alike(by_check, len(names)) if compact else {}
    shown = [check for check in checks if check not in alike]
    cells = {(row.node, row.check): cell(row) for row in rows if row.node is not None and row.check not in alike}
    standing = [ages[key] for row in rows if (key := FindingKey(row.check, row.cluster, row.node)) in ages]
    bad = [row for row in rows if blocks(row, strict=scan.strict) or row.status is Status.ERROR]
    since = [ages[key][0] for row in bad if (key := FindingKey(row.check, row.cluster, row.node)) in ages]
    anchor = of_cluster(name)
    return Board(
        anchor=anchor,
        href=link(anchor),
        name=cluster_name(name),
        verdict=verdict,
        about=subject_line(judged, scan.phase) if judged else "",
        owner=owner_line(judged.record.owner, judged.record.contact) if judged else "",
        fails=sum(row.status is Status.FAIL for row in rows),
        errors=sum(row.status is Status.ERROR for row in rows),
        warns=sum(row.status is Status.WARN for row in rows),
        new=sum(new for _, new in standing),
        since=min(since, default=""),
        open=alone or verdict != str(Verdict.GO),
        whole=[cell(row) for row in whole],
        columns=[one_line(check, 100) for check in shown],
        alike=_told(alike),
        lines=[
            Line(
                one_line(node, 100),
                _host(node, hosts[node].host if node in hosts else ""),
                [cells.get((node, check)) for check in shown],
            )
            for node in names
        ],
    )


def _loudness(row: Result) -> int:
    return _LOUD.index(row.status) if row.status in _LOUD else len(_LOUD) + (row.status is not Status.PASS)


def _alike(by_check: Mapping[str, Sequence[Result]], nodes: int) -> dict[str, tuple[str, str]]:
    """Checks that have passed, or do not apply, on each of the nodes, with status and word."""
    found = {}
    for check, rows in by_check.items():
        words = {(str(row.status), status_word(row)) for row in rows}
        if len(words) == 1 and len(rows) == nodes and next(iter(words))[1] in ("pass", "not applicable"):
            found[check] = next(iter(words))
    return found


def _told(alike: Mapping[str, tuple[str, str]]) -> list[tuple[str, str, str]]:
    by_word: dict[tuple[str, str], list[str]] = {}
    for check, word in alike.items():
        by_word.setdefault(word, []).append(one_line(check, 100))
    return [(status, word, ", ".join(checks)) for (status, word), checks in sorted(by_word.items())]


def _host(node: str, host: str) -> str:
    """The host, where it says more than the node's name does."""
    return "" if host.partition(".")[0].lower() == node.lower() else one_line(host, 100)
