"""A file's content, unpacked where it is packed, without trust in what the packing says of itself: a small file may
pretend to hold a huge one.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any

from scanner.files.evidence.refusal import AGAIN, mib, refuse

GZIP = b"\x1f\x8b"
PIECE = 256 * 1024
BEHIND = f"something stands after its end, so it is damaged; {AGAIN}"


def unpacked(path: Path, file: IO[bytes], most_bytes: int) -> Iterator[bytes]:
    """The content in pieces, of at most so many bytes packed and unpacked; `path` is for the messages.

    Raises UsageError, also for what stands behind the end of what is packed.
    """
    unpacker = None
    read = size = 0
    for piece in iter(partial(file.read, PIECE), b""):
        if not read and piece.startswith(GZIP):
            unpacker = zlib.decompressobj(wbits=31)
        read += len(piece)
        if read > most_bytes:
            refuse(path, f"it is larger than {mib(most_bytes)}: this is no evidence")
        for out in _out_of(path, unpacker, piece) if unpacker else (piece,):
            size += len(out)
            if size > most_bytes:
                refuse(path, f"it unpacks to more than {mib(most_bytes)}: this is no evidence")
            yield out
    if unpacker and not unpacker.eof:
        refuse(path, f"it is cut off in its middle; {AGAIN}")


def _out_of(path: Path, unpacker: Any, piece: bytes) -> Iterator[bytes]:
    """What a piece unpacks to, never much of it at once."""
    if unpacker.eof:
        refuse(path, BEHIND)
    waiting = piece
    while True:
        try:
            out = unpacker.decompress(waiting, PIECE)
        except zlib.error as error:
            refuse(path, f"it cannot be unpacked, so it is damaged ({error}); {AGAIN}")
        waiting = unpacker.unconsumed_tail
        if out:
            yield out
        if unpacker.eof:
            if unpacker.unused_data:
                refuse(path, BEHIND)
            return
        if not waiting and len(out) < PIECE:
            return
