"""Evidence read node by node, so that never more than one node's text is in memory beside what is kept packed."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from reports.codec.reading import MalformedError
from scanner.errors import UsageError
from scanner.files.as_written import OtherwiseError, no_constant, opened
from scanner.files.evidence.document import SCHEMA, from_parts, node_from
from scanner.files.evidence.model import EvidenceFile, NodeEvidence, sharing
from scanner.files.evidence.running_checksum import NODES, RunningChecksum
from scanner.files.evidence.unpacking import PIECE, unpacked

_BLANKS = " \t\n\r"


def stream_evidence(path: Path, most_bytes: int) -> EvidenceFile | None:
    """The evidence in a file of at most so many bytes, packed or not; None where it is to be read as a whole."""
    try:
        with opened(path) as file:
            return _Reading(_Text(unpacked(path, file, most_bytes))).evidence(path)
    except (OSError, ValueError, RecursionError, MemoryError, OtherwiseError, UsageError, MalformedError):
        return None


class _Text:
    """JSON text that comes in pieces, and what stands next in it."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._json = json.JSONDecoder(parse_constant=no_constant)
        self._text, self._at, self._over = "", 0, False

    def next(self) -> str:
        """The next character that is no blank, which stays; empty at the end."""
        while True:
            while self._at < len(self._text):
                if (char := self._text[self._at]) not in _BLANKS:
                    return char
                self._at += 1
            if not self._more(PIECE):
                return ""

    def take(self, char: str) -> None:
        """Pass over that character, which is next."""
        if self.next() != char:
            raise OtherwiseError
        self._at += 1

    def value(self) -> Any:
        """The value that begins next."""
        self.next()
        want = PIECE
        while True:
            try:
                value, end = self._json.raw_decode(self._text, self._at)
            except json.JSONDecodeError:
                if self._over:
                    raise
            else:
                # A number may go on behind the end of what is there.
                if end < len(self._text) or self._over:
                    self._at = end
                    return value
            self._more(want)
            # Twice as much each time: a value of many pieces is not begun for each of them.
            want *= 2

    def _more(self, least: int) -> bool:
        """Add at least so much of what is left. False where nothing is."""
        parts, size = [self._text[self._at :]], 0
        while size < least and not self._over:
            piece = next(self._pieces, None)
            self._over = piece is None
            parts.append(self._decoder.decode(piece or b"", final=piece is None))
            size += len(parts[-1])
        self._text, self._at = "".join(parts), 0
        return size > 0


class _Reading:
    """One document, from its first character to its last."""

    def __init__(self, text: _Text) -> None:
        self._text = text
        self._head: dict[str, Any] = {}
        self._told: object = None
        self._asked: dict[tuple[tuple[str, str], ...], Mapping[str, str]] = {}

    def evidence(self, path: Path) -> EvidenceFile:
        """What it holds. Raises OtherwiseError and MalformedError, and what JSON and UTF-8 raise."""
        text = self._text
        nodes: list[NodeEvidence] = []
        text.take("{")
        self._members_until_nodes()
        if self._head.get("schema") != SCHEMA:
            raise OtherwiseError
        running = RunningChecksum(self._head)
        before = dict(self._head)
        text.take("[")
        while text.next() != "]":
            if nodes:
                text.take(",")
            value = text.value()
            running.node(value)
            nodes.append(sharing(node_from(value), self._asked))
        text.take("]")
        while text.next() == ",":
            text.take(",")
            self._member(self._key())
        text.take("}")
        if text.next():
            raise OtherwiseError
        rest = {key: value for key, value in self._head.items() if key not in before}
        if any(key < NODES for key in rest) or not isinstance(self._told, str) or self._told != running.ended(rest):
            raise OtherwiseError
        return EvidenceFile(path, self._told, from_parts(self._head, nodes))

    def _members_until_nodes(self) -> None:
        while (key := self._key()) != NODES:
            self._member(key)
            self._text.take(",")

    def _key(self) -> str:
        if self._text.next() != '"':
            raise OtherwiseError
        key = str(self._text.value())
        self._text.take(":")
        return key

    def _member(self, key: str) -> None:
        value = self._text.value()
        if key in self._head or key == NODES or (key == "checksum" and self._told is not None):
            raise OtherwiseError
        if key == "checksum":
            self._told = value
        else:
            self._head[key] = value
