"""What only follows from another result, folded under it: one cause, one red line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from checks.common.dataclass import dataclass
from checks.outcome import Result, Status
from checks.scan import CONNECTIVITY
from reports.text import count, one_line

_IDS = 12
"""Checks that a line names before it only counts."""
_STRANDED = {
    "selection": ("Nodes that were not selected", "was not selected", "were not selected"),
    "unnamed": ("Machines that nobody named", "may have machines that nobody named", "may have such"),
    "interruption": ("Nodes that had not answered", "had not answered yet", "had not answered yet"),
}
"""What a cause without a result of its own is called: title, and what happened to one node or several."""
_NAMES = 12


@dataclass(frozen=True, slots=True)
class Folded:
    """The results that could not be determined, by whether they have a cause of their own."""

    causes: tuple[Result, ...]
    under: Mapping[tuple[str, str], tuple[Result, ...]]
    """Cluster and node to what follows from that node's connectivity."""
    stranded: tuple[Result, ...]
    """What follows from something that no result tells of, such as a selection."""


def fold(results: Iterable[Result]) -> Folded:
    """Fold errors and skips under the connectivity of the node that they follow from, where that is an error itself."""
    rows = list(results)
    silent = {(row.cluster, row.node) for row in rows if row.check == CONNECTIVITY and row.status is Status.ERROR}
    causes: list[Result] = []
    stranded: list[Result] = []
    under: dict[tuple[str, str], list[Result]] = {}
    for row in rows:
        if not row.follows:
            if row.status is Status.ERROR:
                causes.append(row)
            continue
        names = [cause.partition(":")[2] for cause in row.follows]
        node = next((name for name in names if (row.cluster, name) in silent), None)
        if node is not None:
            under.setdefault((row.cluster, node), []).append(row)
        elif row.status is Status.ERROR:
            stranded.append(row)
    return Folded(tuple(causes), {key: tuple(found) for key, found in under.items()}, tuple(stranded))


def consequences(folded: Folded, causes: Sequence[Result]) -> str:
    """What cannot be told for these causes, in a line; empty where nothing follows from them."""
    found = [row for cause in causes for row in folded.under.get((cause.cluster, cause.node or ""), ())]
    return _told(found) if found else ""


def stranded_rows(folded: Folded) -> list[tuple[str, str, tuple[Result, ...]]]:
    """Title, message and results of what follows from something that has no result, one for each such thing."""
    kinds: dict[str, list[Result]] = {}
    for row in folded.stranded:
        kinds.setdefault(row.follows[0].partition(":")[0], []).append(row)
    return [(*_named(kind, rows), tuple(rows)) for kind, rows in kinds.items()]


def _named(kind: str, rows: Sequence[Result]) -> tuple[str, str]:
    title, one, several = _STRANDED.get(kind, (kind, "was not asked", "were not asked"))
    pairs = dict.fromkeys((row.cluster, cause.partition(":")[2]) for row in rows for cause in row.follows)
    names = [one_line(cluster if kind == "unnamed" else f"{cluster}/{node}", 100) for cluster, node in pairs]
    shown = ", ".join([*names[:_NAMES], *([f"{len(names) - _NAMES} more"] if len(names) > _NAMES else [])])
    return title, f"{shown} {one if len(names) == 1 else several}; {_told(rows)}"


def _told(rows: Sequence[Result]) -> str:
    clusters = [row for row in rows if row.node is None]
    nodes = len(rows) - len(clusters)
    ids = list(dict.fromkeys(one_line(row.check, 100) for row in clusters))
    listed = ", ".join(ids[:_IDS]) + (f" and {len(ids) - _IDS} more" if len(ids) > _IDS else "")
    parts = [f"{count(nodes, 'result')} of that node" if nodes and not ids else f"{count(nodes, 'result')} there"]
    parts = [*(parts if nodes else []), *([f"of the whole cluster {listed}"] if ids else [])]
    return f"for that reason not told: {'; '.join(parts)}"
