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


_AT_HAND = 20_000
"""So many rows of what differs are not packed: all reports look at them again and again, and a night has a few."""


class Shelved(FactRows):
    """Rows in their order, those of a cluster on one shelf."""

    def __init__(self) -> None:
        self._shelves: list[bytes] = []
        self._nodes: dict[tuple[str, str], int] = {}
        self._number = 0
        self._open: tuple[int, dict[tuple[str, str], list[FactRow]]] = (-1, {})

    def add(self, part: Sequence[FactRow]) -> None:
        """Keep these, too, which are all rows of their clusters."""
        rows: list[_Packed] = [(*row.place, row.difference, row.old, row.new, row.note) for row in part]
        for key in dict.fromkeys([row.place[:2] for row in part]):
            self._nodes.setdefault(key, len(self._shelves))
        self._shelves.append(pack(rows))
        self._number += len(rows)

    def nodes(self) -> Sequence[tuple[str, str]]:
        """Cluster and name of each node that there are rows of."""
        return tuple(self._nodes)

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
        return f"{type(self).__name__}({self._number})"


class ShelvedRows(Shelved):
    """All rows; what differs is at hand, or where that is much, on shelves of its own."""

    def __init__(self, parts: Iterable[Sequence[FactRow]]) -> None:
        """`parts` have all rows of their clusters each."""
        super().__init__()
        self._few: list[FactRow] = []
        self._many = Shelved()
        for part in parts:
            self.add(part)
            self._few += differing(part)
            if len(self._few) > _AT_HAND:
                self._put_away()
        if len(self._many):
            self._put_away()

    def _put_away(self) -> None:
        self._many.add(self._few)
        self._few = []

    def differing(self) -> Sequence[FactRow]:
        """The rows of what is not known to be the same."""
        return self._many if len(self._many) else tuple(self._few)
