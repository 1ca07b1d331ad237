"""Evidence files: written in one step for their owner alone, and read as what they are: something from elsewhere."""

from __future__ import annotations

import hashlib
import io
import json
import re
import stat
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, NoReturn

from reports.codec.reading import MalformedError
from scanner.errors import UsageError
from scanner.files.atomic import write_atomically
from scanner.files.evidence.document import SCHEMA, from_document, head_of, node_document
from scanner.files.evidence.lines import MOST_BYTES as MOST_BYTES_OF_LINES
from scanner.files.evidence.lines import begins_lines, is_for_lines, line_pieces, lines_of, read_lines
from scanner.files.evidence.model import Evidence, EvidenceFile
from scanner.files.evidence.refusal import AGAIN, mib, refuse
from scanner.files.evidence.running_checksum import RunningChecksum, canonical
from scanner.files.evidence.stream import stream_evidence
from scanner.files.evidence.unpacking import GZIP, unpacked

MOST_BYTES = 256 * 1024 * 1024
"""More is neither written nor read, packed or unpacked: a few hundred nodes that say all they may stay well below."""
MODE = 0o600


def write_evidence(path: Path, evidence: Evidence) -> None:
    """Write the evidence in one step and as it comes, readable by its owner alone; packed where the name ends in .gz,
    and in lines where it ends in .jsonl or .jsonl.gz.

    Raises UsageError where it cannot be written.
    """
    content = line_pieces(evidence) if is_for_lines(path.name) else pieces(evidence)
    write_atomically(path, packed_pieces(path.name, content), mode=MODE)


def to_bytes(evidence: Evidence) -> bytes:
    """The whole file, unpacked. Raises UsageError for more than can be read again."""
    return b"".join(pieces(evidence))


def pieces(evidence: Evidence) -> Iterator[bytes]:
    """The file, unpacked, node by node: ASCII, one line for each value. Raises UsageError for more than can be read."""
    size = 0
    for text in _texts(evidence):
        size += len(text)
        # What is too much is counted to its end, so that the message can say how much.
        if size <= MOST_BYTES:
            yield text.encode("ascii")
    if size > MOST_BYTES:
        raise UsageError(
            f"the evidence takes {mib(size)}, more than the {mib(MOST_BYTES)} that can be read again; "
            "collect it in parts with --cluster or --node, and give --from for each"
        )


def _texts(evidence: Evidence) -> Iterator[str]:
    head = head_of(evidence)
    running = RunningChecksum(head)
    yield _indented(head, 0).removesuffix("\n}") + ',\n "nodes": ['
    for number, each in enumerate(evidence.nodes):
        node = node_document(each)
        running.node(node)
        yield (",\n  " if number else "\n  ") + _indented(node, 2)
    yield ("\n ]" if evidence.nodes else "]") + f',\n "checksum": "{running.ended({})}"\n}}\n'


def _indented(value: object, depth: int) -> str:
    return json.dumps(value, indent=1, allow_nan=False).replace("\n", f"\n{' ' * depth}")


def packed_pieces(name: str, content: Iterable[bytes]) -> Iterator[bytes]:
    """The file's content under `name`; the same content always gives the same bytes."""
    if not name.endswith(".gz"):
        yield from content
        return
    packer = zlib.compressobj(6, wbits=31)  # the window's bits of gzip, whose time stamp is 0 then
    for piece in content:
        if made := packer.compress(piece):
            yield made
    yield packer.flush()


def pack(name: str, data: bytes) -> bytes:
    """The same of the whole content."""
    return b"".join(packed_pieces(name, (data,)))


def checksum(document: Mapping[str, Any]) -> str:
    """Over all of the content but the checksum itself, however it is laid out and packed."""
    content = {key: value for key, value in document.items() if key != "checksum"}
    return f"sha256:{hashlib.sha256(canonical(content).encode('ascii')).hexdigest()}"


def read_evidence(path: Path) -> EvidenceFile:
    """The evidence in the file. Raises UsageError, which says what is wrong with it and what to do.

    What is as preflight writes it is read node by node. Anything else is read whole, to be told of in full.
    """
    if _comes_once(path):
        return _piped(path)
    found = stream_evidence(path, MOST_BYTES) or read_lines(path)
    if found is not None:
        return found
    return parse_evidence(_content(path), path)


def parse_evidence(data: bytes, path: Path) -> EvidenceFile:
    """The evidence in a file's bytes, packed or not; `path` is for the messages. Raises UsageError."""
    text = b"".join(unpacked(path, io.BytesIO(data), MOST_BYTES)) if data.startswith(GZIP) else data
    if begins_lines(text):
        return lines_of(path, iter((text,)))
    document = _document(text, path)
    _refuse_other_formats(document, path)
    told = document.get("checksum")
    if not isinstance(told, str) or told != _counted(document, path):
        refuse(path, f"its checksum does not fit its content: it was damaged or changed; {AGAIN}")
    try:
        return EvidenceFile(path, told, from_document(document))
    except MalformedError as error:
        refuse(path, f"this is no sound evidence: {error}; {AGAIN}")


def _comes_once(path: Path) -> bool:
    """Whether it is a pipe or the like, which is opened once and read once: whoever writes to it is there but once."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _piped(path: Path) -> EvidenceFile:
    with _told(path), path.open("rb") as file:
        pieces = unpacked(path, file, MOST_BYTES_OF_LINES)
        first = next(pieces, b"")
        if begins_lines(first):
            return lines_of(path, chain((first,), pieces))
        data = bytearray(first)
        for piece in pieces:
            data += piece
            if len(data) > MOST_BYTES:
                break
    return parse_evidence(_bounded(bytes(data), path), path)


def _content(path: Path) -> bytes:
    with _told(path), path.open("rb") as file:
        data = file.read(MOST_BYTES + 1)
    return _bounded(data, path)


def _bounded(data: bytes, path: Path) -> bytes:
    if len(data) > MOST_BYTES:
        refuse(path, f"it is larger than {mib(MOST_BYTES)}: this is no evidence")
    return data


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        refuse(path, "there is no such file; `preflight collect INVENTORY -o FILE` writes one")
    except IsADirectoryError:
        refuse(path, "this is a folder; name the evidence file in it")
    except PermissionError:
        refuse(path, "you may not read it; evidence is written for its owner alone")
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name.
        refuse(path, f"it cannot be read: {getattr(error, 'strerror', None) or error}")


def _document(data: bytes, path: Path) -> dict[str, Any]:
    if not data.strip():
        refuse(path, f"it is empty; {AGAIN}")
    try:
        document = json.loads(data.decode("utf-8"), parse_constant=_no_constant)
    except UnicodeDecodeError:
        refuse(path, f"this is no text: it is no evidence, or damaged; {AGAIN}")
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        refuse(path, f"not JSON at {where} ({error.msg}): it is no evidence, damaged or cut off; {AGAIN}")
    except (ValueError, RecursionError, MemoryError):
        _refuse_monster(path)
    if not isinstance(document, dict):
        refuse(path, "this is no evidence; `preflight collect INVENTORY -o FILE` writes some")
    return document


def _counted(document: Mapping[str, Any], path: Path) -> str:
    try:
        return checksum(document)
    except (ValueError, RecursionError, MemoryError):
        _refuse_monster(path)


def _refuse_monster(path: Path) -> NoReturn:
    """For numbers of thousands of digits, thousands of brackets within each other, NaN and infinity."""
    refuse(path, f"this is no evidence: preflight writes nothing of the kind; {AGAIN}")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _refuse_other_formats(document: Mapping[str, Any], path: Path) -> None:
    told = document.get("schema")
    if told == SCHEMA:
        return
    name, _, version = SCHEMA.partition("/")
    newer = re.fullmatch(rf"{re.escape(name)}/([1-9][0-9]{{0,5}})", told) if isinstance(told, str) else None
    if newer and int(newer[1]) > int(version):
        tool = document.get("tool")
        maker = tool.get("version") if isinstance(tool, dict) else None
        which = f" ({' '.join(maker.split())[:40]})" if isinstance(maker, str) else ""
        refuse(path, f"made by a newer preflight{which}, in the format {told}: upgrade preflight here to read it")
    what = f"its schema is {' '.join(told.split())[:60]!r}" if isinstance(told, str) else "it names no schema"
    refuse(path, f"this is no evidence: {what}, not {SCHEMA!r}; `preflight collect INVENTORY -o FILE` writes some")
