"""What became of each value since a baseline, kept small: of what is the same, one cluster's is open at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from sys import intern
from typing import overload

from checks.baseline.drift import Difference, FactRow, FactRows, differing
from checks.baseline.fact_paths import Value
from checks.baseline.snapshot import FactKey
from scanner.files.packed.packing import pack, unpack

_Packed = tuple[str, str, str, Difference, Value, Value, str]


class ShelvedRows(FactRows):
    """Rows in their order, those of a cluster on one shelf."""

    def __init__(self, parts: Iterable[Sequence[FactRow]]) -> None:
        """`parts` have all rows of their clusters each."""
        self._shelves: list[bytes] = []
        self._nodes: dict[tuple[str, str], int] = {}
        self._number = 0
        self._differing: list[FactRow] = []
        self._open: tuple[int, dict[tuple[str, str], list[FactRow]]] = (-1, {})
        for part in parts:
            rows: list[_Packed] = [(*row.place, row.difference, row.old, row.new, row.note) for row in part]
            self._differing += differing(part)
            for key in dict.fromkeys([row.place[:2] for row in part]):
                self._nodes.setdefault(key, len(self._shelves))
            self._shelves.append(pack(rows))
            self._number += len(rows)

    def nodes(self) -> Sequence[tuple[str, str]]:
        """Cluster and name of each node that there are rows of."""
        return tuple(self._nodes)

    def differing(self) -> tuple[FactRow, ...]:
        """The rows of what is not known to be the same, which are at hand."""
        return tuple(self._differing)

    def of_node(self, key: tuple[str, str]) -> Sequence[FactRow]:
        """The rows of one node."""
        shelf = self._nodes.get(key, -1)
        if shelf < 0:
            return ()
        if self._open[0] != shelf:
            found: dict[tuple[str, str], list[FactRow]] = {}
            for row in self._opened(shelf):
                found.setdefault(row.place[:2], []).append(row)
            self._open = (shelf, found)
        return self._open[1][key]

    def _opened(self, shelf: int) -> Iterator[FactRow]:
        rows: list[_Packed] = unpack(self._shelves[shelf])
        for cluster, node, path, difference, old, new, note in rows:
            place = FactKey(cluster, node, intern(path))
            yield FactRow(place=place, difference=difference, old=old, new=new, note=note)

    def __iter__(self) -> Iterator[FactRow]:
        for shelf in range(len(self._shelves)):
            yield from self._opened(shelf)

    def __len__(self) -> int:
        return self._number

    @overload
    def __getitem__(self, at: int) -> FactRow: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[FactRow]: ...
    def __getitem__(self, at: int | slice) -> FactRow | Sequence[FactRow]:
        return tuple(self)[at]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"ShelvedRows({self._number})"
