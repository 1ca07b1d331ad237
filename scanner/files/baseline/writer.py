"""The baseline's file as it is written: always alike, so that a part that was approved anew is all that differs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from checks.baseline.approval import Baseline
from checks.baseline.comparison import natural
from checks.baseline.snapshot import SEPARATOR, Snapshot, by_cluster
from reports.text import escape_json
from scanner.files.atomic import write_atomically
from scanner.files.baseline.document import APPROVAL, FORMAT
from scanner.secrets.last_door import without_secrets

K = TypeVar("K", bound=tuple[str, ...])
V = TypeVar("V")

_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def write_baseline(path: Path, baseline: Baseline) -> None:
    """Write the file in one step. Raises UsageError."""
    write_atomically(path, pieces(baseline, without_secrets))


def render_baseline(baseline: Baseline) -> str:
    """The file's text: the same baseline gives the same bytes, whatever the order in it."""
    return "".join(pieces(baseline))


def pieces(baseline: Baseline, cleaned: Callable[[Any], Any] = lambda part: part) -> Iterator[str]:
    """The same, cluster by cluster; `cleaned` is what takes the secrets out of each part."""
    return map(escape_json, _texts(baseline, cleaned))


def _texts(baseline: Baseline, cleaned: Callable[[Any], Any]) -> Iterator[str]:
    known = baseline.snapshot
    head = cleaned(replace(baseline, snapshot=Snapshot()))
    approvals = [{name: getattr(approval, name) for name in APPROVAL} for approval in head.approvals]
    yield f'{{\n  "schema": {_json(FORMAT)},\n  "inventory": {_json(head.inventory)},\n'
    yield from _block("approvals", "[]", ([_json(approval)] for approval in approvals))
    yield ",\n"
    nodes = _clusterwise(known.nodes, cleaned)
    yield from _block(
        "nodes", "{}", (_members({SEPARATOR.join(key): sorted(kinds) for key, kinds in part}) for part in nodes)
    )
    yield ",\n"
    gaps = _clusterwise(known.unread, cleaned)
    yield from _block("not_read", "{}", (_members({str(gap): reason for gap, reason in part}) for part in gaps))
    yield ",\n"
    checks = _clusterwise(known.checks, cleaned)
    yield from _block("checks", "{}", (_members({str(key): ended.status for key, ended in part}) for part in checks))
    yield ",\n"
    facts = _clusterwise(known.facts, cleaned)
    yield from _block(
        "facts",
        "{}",
        (
            _members({str(place): list(value) if isinstance(value, tuple) else value for place, value in part})
            for part in facts
        ),
    )
    yield "\n}\n"


def _alike(clusters: Iterable[str]) -> Iterator[list[str]]:
    """The clusters in the order of their lines; those whose names sort alike (c1 and c01) have them mixed.

    One cluster after the other: the keys that lines are sorted by take several times their room.
    """
    groups: dict[tuple[object, ...], list[str]] = {}
    for name in clusters:
        # What follows the name in every line belongs to what is compared: "a" comes before "a-b", and "a " before it.
        groups.setdefault(natural(name + SEPARATOR)[0], []).append(name)
    return (groups[key] for key in sorted(groups))


def _clusterwise(table: Mapping[K, V], cleaned: Callable[[Any], Any]) -> Iterator[list[tuple[K, V]]]:
    """The members of a table, cluster by cluster, in the order of their lines."""
    found = by_cluster(table)
    return (
        [pair for name in names for pair in cleaned(found.of_cluster(name)).items()]
        for names in _alike(found.clusters())
    )


def _members(table: Mapping[str, object]) -> list[str]:
    return [f"{_json(name)}: {_json(table[name])}" for name in sorted(table, key=natural)]


def _block(name: str, brackets: str, parts: Iterable[Sequence[str]]) -> Iterator[str]:
    before = f'  "{name}": {brackets[0]}\n    '
    empty = True
    for lines in parts:
        if lines:
            yield before + ",\n    ".join(lines)
            before, empty = ",\n    ", False
    yield f'  "{name}": {brackets}' if empty else f"\n  {brackets[1]}"
