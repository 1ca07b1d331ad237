"""Results kept small: their evidence is packed away, and equal texts are kept once."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, Mapping, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any

from checks.outcome import Remediation, Result
from scanner.files.packed.packing import pack, unpack

_CHANGED = ("message", "expected", "observed", "remediation", "evidence")
_KEPT = tuple(each.name for each in fields(Result) if each.name not in _CHANGED)
_kept = attrgetter(*_KEPT)
_ROWS = 128
"""So many results' evidence is packed, and unpacked, together."""


class Shelves:
    """Evidence of results on shelves, of which the one that was looked at last stays open."""

    def __init__(self) -> None:
        self._shelves: list[bytes] = []
        self._open: tuple[int, Sequence[Mapping[str, object]]] = (-1, ())
        self._texts: dict[str, str] = {}
        self._remedies: dict[Remediation, Remediation] = {}

    def shelved(self, rows: Sequence[Result]) -> Iterator[Result]:
        """The results, with their evidence on shelves."""
        for start in range(0, len(rows), _ROWS):
            yield from self._shelved(rows[start : start + _ROWS])

    def _shelved(self, rows: Sequence[Result]) -> Iterator[Result]:
        try:
            whole = pack([row.evidence for row in rows])
        except Exception:  # noqa: BLE001  a plugin's own class may not let itself be packed; it stays as it is
            return iter(rows)
        shelf = len(self._shelves)
        self._shelves.append(whole)
        once, remedies = self._texts.setdefault, self._remedies.setdefault
        return (
            Result(  # which takes a third of what `replace` does, of every result that there is
                **dict(zip(_KEPT, _kept(row), strict=True)),
                message=once(row.message, row.message),
                expected=once(row.expected, row.expected),
                observed=once(row.observed, row.observed),
                remediation=remedies(row.remediation, row.remediation),
                evidence=ShelvedEvidence(self, shelf, place) if row.evidence else {},
            )
            for place, row in enumerate(rows)
        )

    def evidence(self, shelf: int, place: int) -> Mapping[str, object]:
        """That of one result."""
        if self._open[0] != shelf:
            self._open = (shelf, unpack(self._shelves[shelf]))
        return self._open[1][place]


class ShelvedEvidence(Mapping[str, object]):
    """One result's evidence, fetched whenever it is looked at."""

    __slots__ = ("_place", "_shelf", "_shelves")

    def __init__(self, shelves: Shelves, shelf: int, place: int) -> None:
        self._shelves, self._shelf, self._place = shelves, shelf, place

    def _fetched(self) -> Mapping[str, object]:
        return self._shelves.evidence(self._shelf, self._place)

    def __getitem__(self, key: str) -> object:
        return self._fetched()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fetched())

    def __len__(self) -> int:
        return len(self._fetched())

    def items(self) -> ItemsView[str, object]:
        """All of them, fetched once."""
        return self._fetched().items()

    def __repr__(self) -> str:
        return repr(self._fetched())

    def __reduce__(self) -> tuple[Any, ...]:
        """Whoever copies or pickles it gets the evidence alone."""
        return dict, (dict(self._fetched()),)
