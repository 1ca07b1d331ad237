"""Where each key of an inventory stands. The library that reads TOML does not tell."""

from __future__ import annotations

import bisect
import re
import tomllib
from collections.abc import Mapping
from dataclasses import field

from checks.common.dataclass import dataclass
from scanner.inventory.reading.values import KeyPath

Position = tuple[int, int]
"""Line and column, both from 1."""

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_KEY = re.compile(r"[A-Za-z0-9_-]+|\"(?:[^\"\\]|\\.)*\"|'[^']*'")
_STRING = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}' + r"|'''(?:[^']|'(?!''))*'{3,5}" + r"|\"(?:[^\"\\]|\\.)*\"|'[^']*'", re.DOTALL
)
_PLAIN = re.compile(r"[^,\]}\n#]*")


def positions(text: str) -> dict[KeyPath, Position]:
    """The position of each table and key in `text`, which is TOML that can be read.

    The tables of a list have places such as ("waivers[2]", "check").
    """
    reader = _Reader(text)
    reader.document()
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    found = {}
    for place, offset in reader.found.items():
        line = bisect.bisect_right(starts, offset)
        found[place] = (line, offset - starts[line - 1] + 1)
    return found


def nearest(place: KeyPath, known: Mapping[KeyPath, Position]) -> Position | None:
    """Where `place` stands; of a key that is missing, where the innermost table stands that it is missing from."""
    for size in range(len(place), 0, -1):
        if place[:size] in known:
            return known[place[:size]]
    return None


@dataclass(slots=True)
class _Reader:
    text: str
    at: int = 0
    found: dict[KeyPath, int] = field(default_factory=dict)
    lists: dict[KeyPath, int] = field(default_factory=dict)
    """How many tables each list of tables has so far."""

    def document(self) -> None:
        table: KeyPath = ()
        while self._skip(_BLANK) < len(self.text):
            begun = self.at
            if self.text[begun] == "[":
                several = self.text.startswith("[[", begun)
                self.at += 1 + several
                table = self._table(self._keys(), begun, several=several)
                self.at += 1 + several
            else:
                self._pair(table)

    def _table(self, keys: list[tuple[str, int]], begun: int, *, several: bool) -> KeyPath:
        path: KeyPath = ()
        for number, (name, _) in enumerate(keys, 1):
            plain = (*path, name)
            if several and number == len(keys):
                self.lists[plain] = self.lists.get(plain, 0) + 1
                self.found.setdefault(plain, begun)
            path = (*path, f"{name}[{self.lists[plain]}]") if plain in self.lists else plain
            if number < len(keys):
                self.found.setdefault(path, begun)
        # A table that others were in before it has its place where it is opened.
        self.found[path] = begun
        return path

    def _pair(self, table: KeyPath) -> None:
        path = table
        for name, begun in self._keys():
            path = (*path, name)
            self.found.setdefault(path, begun)
        self.at += 1  # the =
        self._skip(_SPACE)
        self._value(path)

    def _keys(self) -> list[tuple[str, int]]:
        keys = []
        while True:
            begun = self._skip(_SPACE)
            written = self._take(_KEY)
            # What stands in quotes is read by whoever knows how.
            name = next(iter(tomllib.loads(f"{written}=0"))) if written[:1] in ("'", '"') else written
            keys.append((name, begun))
            self._skip(_SPACE)
            if not self.text.startswith(".", self.at):
                return keys
            self.at += 1

    def _value(self, path: KeyPath) -> None:
        opened = self.text[self.at : self.at + 1]
        if opened not in ("[", "{"):
            self._take(_STRING if opened in ("'", '"') else _PLAIN)
            return
        self.at += 1
        number = 0
        while self._skip(_BLANK) < len(self.text) and self.text[self.at] not in "]}":
            if self.text[self.at] == ",":
                self.at += 1
            elif opened == "{":
                self._pair(path)
            else:
                number += 1
                item = (*path[:-1], f"{path[-1]}[{number}]")
                self.found.setdefault(item, self.at)
                self._value(item)
        self.at += 1

    def _skip(self, pattern: re.Pattern[str]) -> int:
        self._take(pattern)
        return self.at

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        if not match:
            raise ValueError(f"no TOML at {self.at}")
        self.at = match.end()
        return match[0]
