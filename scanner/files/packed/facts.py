"""Facts of many clusters kept small: each cluster's are packed away, and one cluster's are open at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from sys import intern
from typing import Self

from checks.baseline.fact_paths import Value
from checks.baseline.snapshot import ByCluster, FactKey, by_cluster, once
from scanner.files.packed.packing import pack, unpack


class ShelvedFacts(ByCluster[FactKey, Value]):
    """Values by their places; whoever goes from cluster to cluster unpacks each of them once."""

    def __init__(self) -> None:
        self._shelves: dict[str, tuple[bytes, int]] = {}
        """Each cluster's, with how many there are."""
        self._open: tuple[str | None, dict[FactKey, Value]] = (None, {})

    @classmethod
    def of(cls, parts: Iterable[Mapping[FactKey, Value]]) -> Self:
        """All of them, each part being all of its clusters'."""
        made = cls()
        for part in parts:
            made.add(part)
        return made

    def add(self, part: Mapping[FactKey, Value]) -> bool:
        """Keep these, too, which are all of their clusters'. False, and none is kept, where one is there already."""
        found = by_cluster(part)
        if not self._shelves.keys().isdisjoint(found.clusters()):
            return False
        for name in found.clusters():
            self.put(name, found.of_cluster(name))
        return True

    def put(self, name: str, mine: Mapping[FactKey, Value]) -> None:
        """Keep these of a cluster, in the place of those that are there of it."""
        values = {(node, path): value for (_, node, path), value in mine.items()}
        if self._open[0] == name:
            self._open = (None, {})
        if values:
            self._shelves[name] = (pack(values), len(values))
        else:
            self._shelves.pop(name, None)

    def clusters(self) -> tuple[str, ...]:
        """The clusters that there are values of."""
        return tuple(self._shelves)

    def of_cluster(self, name: str) -> Mapping[FactKey, Value]:
        """Those of one cluster; none of one that is not there."""
        if name not in self._shelves:
            return {}
        if self._open[0] != name:
            values: dict[tuple[str, str], Value] = unpack(self._shelves[name][0])
            opened = {FactKey(name, intern(node), intern(path)): once(value) for (node, path), value in values.items()}
            self._open = (name, opened)
        return self._open[1]

    def __getitem__(self, place: FactKey) -> Value:
        return self.of_cluster(place[0])[place]

    def __iter__(self) -> Iterator[FactKey]:
        for name in self._shelves:
            yield from self.of_cluster(name)

    def __len__(self) -> int:
        return sum(number for _, number in self._shelves.values())

    def __repr__(self) -> str:
        return f"ShelvedFacts({len(self)})"
