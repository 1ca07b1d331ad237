"""Names for the parts of a page, the same in every run: a link that was mailed last night still finds its result."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from urllib.parse import quote

from checks.outcome import Result
from reports.findings.grouping import Group
from reports.text import one_line

_CHARS = 100
_BLANK = re.compile(r"\s")
WHOLE = "cluster"
"""Stands for the node in the name of what is about a cluster as a whole, as in JUnit's class names."""


class Anchors:
    """Every result's name on one page: `cluster.node.check`. Where two are the same, the second ends in `~2`."""

    def __init__(self, results: Sequence[Result]) -> None:
        part = cache(_part)  # a page has a few hundred rows, of a few nodes and checks
        names = _distinct(
            ".".join((part(row.cluster) or "scan", part(row.node or WHOLE), part(row.check))) for row in results
        )
        self._names = {id(row): name for row, name in zip(results, names, strict=True)}

    def of(self, row: Result) -> str:
        """The name of one of the results."""
        return self._names[id(row)]

    def link(self, row: Result) -> str:
        """The address of it within the page."""
        return link(self.of(row))


def of_cluster(name: str) -> str:
    """The name of a cluster's part of the page."""
    return f"cluster.{_part(name) or 'scan'}"


def of_groups(groups: Sequence[Group]) -> list[str]:
    """The names of causes: `finding.check`, and `finding.check~2` for a second one of the same check."""
    return _distinct(f"finding.{_part(group.check)}" for group in groups)


def link(name: str) -> str:
    """The address of a part of the page."""
    return "#" + quote(name, safe="._~-")


def _part(text: str) -> str:
    return _BLANK.sub("_", one_line(text, _CHARS))


def _distinct(names: Iterable[str]) -> list[str]:
    seen: dict[str, int] = {}
    taken: set[str] = set()
    found = []
    for name in names:
        unique = name
        while unique in taken:
            seen[name] = seen.get(name, 1) + 1
            unique = f"{name}~{seen[name]}"
        taken.add(unique)
        found.append(unique)
    return found
