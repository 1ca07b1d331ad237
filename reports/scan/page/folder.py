"""A scan of many clusters as a folder of pages: an index, and each cluster's page with all that the single one has."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from checks.common.dataclass import dataclass
from checks.history.model import ScanHistory
from checks.outcome import Result
from checks.scan import Scan
from reports.findings.grouping import digest
from reports.render.page import render_page
from reports.render.svg_trend import Strip, strip
from reports.scan.page.anchors import Anchors
from reports.scan.page.boards import Board, boards, gravest_first
from reports.scan.page.view import header, view

T = TypeVar("T")

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
    return dict(page_by_page(scan))


def page_by_page(scan: Scan) -> Iterator[tuple[str, str]]:
    """The same, each as it is asked for, so that never all of them are there."""
    parts = _Parts(scan)
    files = file_names(parts.names)
    trends = scan.history.by_cluster if scan.history else {}
    shown = _SHORT_TREND if len(parts.names) > _MANY else None
    entries: list[Entry] = []
    for name in parts.names:
        part = parts.of(name)
        (board,) = boards(part, Anchors(part.results), compact=True)
        # The index tells no more of it than its name and its numbers.
        entries.append(
            Entry(
                replace(board, whole=[], columns=[], alike=[], lines=[]),
                files[name],
                strip(trends.get(name, ()), shown),
            )
        )
        yield files[name], render_page("report", view(part, INDEX))
    loose = [row for row in scan.results if not row.cluster]
    yield (
        INDEX,
        render_page(
            "index",
            {
                **header(scan, digest(scan)),
                "entries": gravest_first(entries, lambda entry: entry.board),
                "loose": [f"{row.check}: {row.message}" for row in loose],
                "notices": [notice for notice in scan.notices if _about(notice) not in parts.known],
                "owners": list(dict.fromkeys(entry.board.owner for entry in entries if entry.board.owner)),
                "aged": bool(scan.history and scan.history.last),
            },
        ),
    )


class _Parts:
    """Each cluster's part of a scan. All that is in the scan is gone through once, whatever the number of clusters."""

    def __init__(self, scan: Scan) -> None:
        self._scan = scan
        self._results: dict[str, list[Result]] = {one.record.name: [] for one in scan.cluster_verdicts}
        self._nodes = _by_name(scan.nodes, lambda node: node.cluster)
        for node in self._nodes:
            self._results.setdefault(node, [])
        for row in scan.results:
            self._results.setdefault(row.cluster, []).append(row)
        self.known = self._results.keys()
        self.names = list(self._results)
        self._records = _by_name(scan.clusters, lambda record: record.name)
        # With their places, so that those of one cluster and those of none come in their old order.
        notices = list(enumerate(scan.notices))
        self._own = _by_name(notices, lambda pair: _about(pair[1]))
        self._common = [pair for pair in notices if _about(pair[1]) not in self.known]
        self._history = _Histories(scan.history) if scan.history else None

    def of(self, name: str) -> Scan:
        """What concerns the cluster of that name."""
        scan = self._scan
        return replace(
            scan,
            results=tuple(self._results[name]),
            nodes=tuple(self._nodes.get(name, ())),
            clusters=tuple(self._records.get(name, ())),
            notices=tuple(notice for _, notice in sorted([*self._common, *self._own.get(name, ())])),
            attestations=tuple(heard for heard in scan.attestations if heard.attestation.cluster in ("", name)),
            history=self._history.of(name) if self._history else None,
        )


class _Histories:
    """Each cluster's part of what earlier runs say."""

    def __init__(self, history: ScanHistory) -> None:
        self._history = history
        self._standings = _by_name(history.standings, lambda item: item.subject.cluster)
        self._resolved = _by_name(history.resolved, lambda item: item.subject.cluster)
        self._gone = _by_name(history.gone, lambda item: item.subject.cluster)
        self._flapping = _by_name(history.flapping, lambda item: item.subject.cluster)

    def of(self, name: str) -> ScanHistory:
        """What concerns the cluster of that name."""
        return replace(
            self._history,
            standings=tuple(self._standings.get(name, ())),
            resolved=tuple(self._resolved.get(name, ())),
            gone=tuple(self._gone.get(name, ())),
            flapping=tuple(self._flapping.get(name, ())),
            trend=self._history.by_cluster.get(name, ()),
        )


def _by_name(items: Iterable[T], name: Callable[[T], str]) -> dict[str, list[T]]:
    found: dict[str, list[T]] = {}
    for item in items:
        found.setdefault(name(item), []).append(item)
    return found


def _about(notice: str) -> str:
    """The cluster that a notice is about, where there is one of that name."""
    return notice.partition(": ")[0]


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
