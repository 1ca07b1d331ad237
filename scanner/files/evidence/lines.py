"""Evidence as lines of JSON, `preflight.evidence-lines/1`: a head, a line for each node, and an end with the checksum.

The same content as `preflight.evidence/1`, for estates that are larger than one document should be, and for programs
that go from line to line. What is known when the run is over stands at its end.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, NoReturn

from reports.codec.reading import MalformedError
from scanner.errors import UsageError
from scanner.files.as_written import OtherwiseError, no_constant, opened
from scanner.files.evidence.document import LINES, first_line, from_parts, last_line, node_document, node_from
from scanner.files.evidence.model import Evidence, EvidenceFile, NodeEvidence, sharing
from scanner.files.evidence.refusal import AGAIN, mib, refuse
from scanner.files.evidence.running_checksum import canonical
from scanner.files.evidence.unpacking import BEHIND, unpacked

SUFFIXES = (".jsonl", ".jsonl.gz")
MOST_BYTES = 2 * 1024**3
"""More is neither written nor read, packed or unpacked."""
MOST_LINE_BYTES = 64 * 1024**2
"""Of one node: what it may say at all, eight times over."""
MOST_NODES = 200_000
"""More lines are no estate, but many small things that together fill the memory."""
_NAME = LINES.partition("/")[0]
_BEGINNING = f'{{"schema":"{_NAME}/'.encode("ascii")
_encoded = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode


def is_for_lines(name: str) -> bool:
    """Whether a file of that name is to have lines."""
    return name.endswith(SUFFIXES)


def line_pieces(evidence: Evidence) -> Iterator[bytes]:
    """The file, unpacked, line by line. Raises UsageError for more than can be read again."""
    digest = hashlib.sha256()
    size = 0
    for value in chain((first_line(evidence),), map(node_document, evidence.nodes)):
        line = f"{_encoded(value)}\n".encode("ascii")
        digest.update(line)
        size += len(line)
        if size > MOST_BYTES or len(line) > MOST_LINE_BYTES:
            break
        yield line
    else:
        rest = last_line(evidence)
        digest.update(canonical(rest).encode("ascii"))
        yield f"{_encoded({**rest, 'checksum': f'sha256:{digest.hexdigest()}'})}\n".encode("ascii")
        return
    raise UsageError(
        f"the evidence takes more than the {mib(MOST_BYTES)} that can be read again, or one node more than "
        f"{mib(MOST_LINE_BYTES)}; collect it in parts with --cluster or --node, and give --from for each"
    )


def read_lines(path: Path) -> EvidenceFile | None:
    """The evidence in a file of lines, whatever it is called; None where it is no such file.

    Raises UsageError, which says what is wrong with it, and in which line.
    """
    try:
        with opened(path) as file:
            pieces = unpacked(path, file, MOST_BYTES)
            first = next(pieces, b"")
            return lines_of(path, chain((first,), pieces)) if begins_lines(first) else None
    except (OSError, ValueError, OtherwiseError):  # that is told by the reader of whole documents
        return None


def lines_of(path: Path, pieces: Iterator[bytes]) -> EvidenceFile:
    """The evidence in a content of lines, unpacked, as it comes; `path` is for the messages. Raises UsageError."""
    return _Lines(path, _lines(path, pieces)).evidence()


def begins_lines(text: bytes) -> bool:
    """Whether a content that begins so is one of lines."""
    return text.startswith(_BEGINNING)


def _lines(path: Path, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Each line with its end."""
    held = bytearray()
    for piece in pieces:
        whole, ended, rest = piece.rpartition(b"\n")
        if ended:
            held += whole
            yield from (line + b"\n" for line in bytes(held).split(b"\n"))
            held = bytearray()
        held += rest
        if len(held) > MOST_LINE_BYTES:
            refuse(path, f"one of its lines is longer than {mib(MOST_LINE_BYTES)}: this is no evidence")
    if held:
        refuse(path, f"it is cut off in its middle; {AGAIN}")


class _Lines:
    """One file, from its first line to its last."""

    def __init__(self, path: Path, lines: Iterator[bytes]) -> None:
        self._path = path
        self._lines = lines
        self._number = 0
        self._digest = hashlib.sha256()
        self._asked: dict[tuple[tuple[str, str], ...], Mapping[str, str]] = {}

    def evidence(self) -> EvidenceFile:
        """What it holds. Raises UsageError."""
        head, _ = self._next()
        self._refuse_other_versions(head)
        nodes: list[NodeEvidence] = []
        value, before = self._next()
        while "checksum" not in value:
            if len(nodes) == MOST_NODES:
                refuse(self._path, f"it holds more than {MOST_NODES:,} nodes: this is no evidence")
            nodes.append(self._node(value))
            value, before = self._next()
        return self._ended(head, nodes, value, before)

    def _next(self) -> tuple[dict[str, Any], Any]:
        """What the next line says, and the digest of those before it."""
        line = next(self._lines, b"")
        if not line:
            refuse(self._path, f"it is cut off: its last line is missing; {AGAIN}")
        self._number += 1
        before = self._digest.copy()
        self._digest.update(line)
        try:
            value = json.loads(line, parse_constant=no_constant)
        except (ValueError, RecursionError, MemoryError, OtherwiseError):
            value = None
        if not isinstance(value, dict):
            self._refuse("no JSON object, so it is damaged")
        return value, before

    def _node(self, value: Mapping[str, Any]) -> NodeEvidence:
        try:
            return sharing(node_from(value), self._asked)
        except MalformedError as error:
            self._refuse(f"this is no sound evidence: {error}")

    def _ended(
        self, head: Mapping[str, Any], nodes: list[NodeEvidence], end: Mapping[str, Any], digest: Any
    ) -> EvidenceFile:
        if next(self._lines, b""):
            refuse(self._path, BEHIND)
        rest = {key: value for key, value in end.items() if key != "checksum"}
        try:
            digest.update(canonical(rest).encode("ascii"))
        except (ValueError, RecursionError, MemoryError):
            self._refuse("preflight writes nothing of the kind")
        counted = f"sha256:{digest.hexdigest()}"
        if end["checksum"] != counted:
            refuse(self._path, f"its checksum does not fit its content: it was damaged or changed; {AGAIN}")
        try:
            return EvidenceFile(self._path, counted, from_parts({**head, **rest}, nodes))
        except MalformedError as error:
            refuse(self._path, f"this is no sound evidence: {error}; {AGAIN}")

    def _refuse_other_versions(self, head: Mapping[str, Any]) -> None:
        told = head.get("schema")
        if told == LINES:
            return
        if isinstance(told, str) and re.fullmatch(rf"{re.escape(_NAME)}/[1-9][0-9]{{0,5}}", told):
            refuse(self._path, f"made by a newer preflight, in the format {told}: upgrade preflight here to read it")
        self._refuse("its schema is none")

    def _refuse(self, why: str) -> NoReturn:
        refuse(self._path, f"line {self._number}: {why}; {AGAIN}")
