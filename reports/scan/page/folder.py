"""A scan of many clusters as a folder of pages: an index, and each cluster's page with all that the single one has."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from checks.history.model import ScanHistory
from checks.outcome import Result
from checks.scan import NodeRecord, Scan
from reports.findings.grouping import digest
from reports.render.page import render_page
from reports.render.svg_trend import Strip, strip
from reports.scan.page.anchors import Anchors
from reports.scan.page.boards import Board, boards, gravest_first
from reports.scan.page.view import header, view

INDEX = "index.html"
_CHARS = 80
_SHORT_TREND = 14
"""Runs that an index of many clusters shows of each."""
_MANY = 500
"""Clusters from which on the trend is short."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A cluster on the index."""

    board: Board
    page: str
    trend: Strip | None


def pages(scan: Scan) -> Mapping[str, str]:
    """File name to page, the index last: whoever writes them in this order never has a link that leads nowhere."""
    parts = _by_cluster(scan)
    files = file_names(list(parts))
    made = {files[name]: render_page("report", view(part, INDEX)) for name, part in parts.items()}
    found = boards(scan, Anchors(scan.results), compact=True)
    trends = scan.history.by_cluster if scan.history else {}
    shown = _SHORT_TREND if len(parts) > _MANY else None
    entries = {
        board.anchor: Entry(board, files[name], strip(trends.get(name, ()), shown))
        for name, board in zip(parts, found, strict=True)
    }
    loose = [row for row in scan.results if not row.cluster]
    about = {
        **header(scan, digest(scan)),
        "entries": [entries[board.anchor] for board in gravest_first(found)],
        "loose": [f"{row.check}: {row.message}" for row in loose],
        "notices": [notice for notice in scan.notices if not _about_one(notice, parts)],
        "owners": list(dict.fromkeys(board.owner for board in found if board.owner)),
        "aged": bool(scan.history and scan.history.last),
    }
    made[INDEX] = render_page("index", about)
    return made


def _by_cluster(scan: Scan) -> dict[str, Scan]:
    """Each cluster's part of the scan, in the order of `boards`."""
    results: dict[str, list[Result]] = {one.record.name: [] for one in scan.cluster_verdicts}
    nodes: dict[str, list[NodeRecord]] = {}
    for node in scan.nodes:
        nodes.setdefault(node.cluster, []).append(node)
        results.setdefault(node.cluster, [])
    for row in scan.results:
        results.setdefault(row.cluster, []).append(row)
    return {
        name: _narrowed(scan, name, rows, nodes.get(name, []), others=results.keys() - {name})
        for name, rows in results.items()
    }


def _narrowed(
    scan: Scan, name: str, rows: Sequence[Result], nodes: Sequence[NodeRecord], *, others: frozenset[str] | set[str]
) -> Scan:
    return replace(
        scan,
        results=tuple(rows),
        nodes=tuple(nodes),
        clusters=tuple(record for record in scan.clusters if record.name == name),
        notices=tuple(notice for notice in scan.notices if notice.partition(": ")[0] not in others),
        attestations=tuple(heard for heard in scan.attestations if heard.attestation.cluster in ("", name)),
        history=scan.history and _history(scan.history, name),
    )


def _about_one(notice: str, clusters: Mapping[str, Scan]) -> bool:
    return notice.partition(": ")[0] in clusters


def _history(history: ScanHistory, name: str) -> ScanHistory:
    return replace(
        history,
        standings=tuple(item for item in history.standings if item.subject.cluster == name),
        resolved=tuple(item for item in history.resolved if item.subject.cluster == name),
        gone=tuple(item for item in history.gone if item.subject.cluster == name),
        flapping=tuple(item for item in history.flapping if item.subject.cluster == name),
        trend=history.by_cluster.get(name, ()),
    )


def file_names(clusters: Sequence[str], shown: Callable[[str], str] = str) -> dict[str, str]:
    """Names that every file system and web server takes, and that differ by more than their case.

    `shown` is the part of each key that a file is called by.
    """
    taken = {INDEX}
    found = {}
    for name in clusters:
        stem = re.sub(r"[^A-Za-z0-9._-]", "_", shown(name))[:_CHARS].strip(".") or "scan"
        file, number = f"{stem}.html", 1
        while file.lower() in taken:
            number += 1
            file = f"{stem}-{number}.html"
        taken.add(file.lower())
        found[name] = file
    return found
