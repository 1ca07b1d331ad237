"""A JSON document that has a member a line, read part by part, so that never the whole of it is in memory."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Generator, Hashable, Iterator
from pathlib import Path
from typing import IO, Any

from scanner.files.as_written import OtherwiseError, no_constant, opened

_LINE_BYTES = 1024 * 1024
_OPENS = re.compile(r'  "(?P<name>[a-z_]+)": (?P<bracket>[{\[])\n')
_MEMBER = re.compile(r'  "(?P<name>[a-z_]+)": (?P<value>[^\n]*?)(?P<comma>,?)\n')
_INDENT = "    "


def parts(path: Path, most_bytes: int, together: Callable[[str], Hashable]) -> Iterator[tuple[str, Any]]:
    """Each member of the document by its name; of an object or a list, the lines that belong `together` are one part.

    `together` says of the text of a line with which of its neighbours it is read. Raises OtherwiseError, OSError and
    what JSON and UTF-8 raise.
    """
    with opened(path) as file:
        lines = _lines(file, most_bytes)
        if next(lines, "") != "{\n":
            raise OtherwiseError
        more = True
        while more:
            line = next(lines, "")
            if opens := _OPENS.fullmatch(line):
                ending = "}" if opens["bracket"] == "{" else "]"
                more = yield from _block(opens["name"], opens["bracket"], ending, lines, together)
            elif member := _MEMBER.fullmatch(line):
                yield member["name"], _value(member["value"])
                more = bool(member["comma"])
            else:
                raise OtherwiseError
        if next(lines, "") != "}\n" or next(lines, ""):
            raise OtherwiseError


def _lines(file: IO[bytes], most_bytes: int) -> Iterator[str]:
    size = 0
    while line := file.readline(_LINE_BYTES):
        size += len(line)
        if size > most_bytes or not line.endswith(b"\n"):
            raise OtherwiseError
        yield line.decode("utf-8")


def _block(
    name: str, opening: str, ending: str, lines: Iterator[str], together: Callable[[str], Hashable]
) -> Generator[tuple[str, Any], None, bool]:
    """The parts of an object or a list; gives whether another member comes after it."""
    held: list[str] = []
    key: Hashable = None
    for line in lines:
        if line in (f"  {ending}\n", f"  {ending},\n"):
            yield name, _part(opening, held, ending, last=True)
            return line.endswith(",\n")
        if not line.startswith(_INDENT):
            raise OtherwiseError
        mine = together(line)
        if held and mine != key:
            yield name, _part(opening, held, ending, last=False)
            held = []
        held.append(line)
        key = mine
    raise OtherwiseError


def _part(opening: str, lines: list[str], ending: str, *, last: bool) -> Any:
    text = "".join(lines).removesuffix("\n")
    if text.endswith(",") is last:
        raise OtherwiseError
    return _value(f"{opening}{text.removesuffix(',')}{ending}")


def _value(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_once, parse_constant=no_constant)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        raise OtherwiseError
    return table
