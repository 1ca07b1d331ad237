"""PSRP's fragments ([MS-PSRP] 2.2.4): messages cut to the size that one WinRM message carries, and joined again."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterable, Iterator

from checks.common.dataclass import dataclass
from scanner.errors import AnswerTooLargeError, ProtocolError

_FRAGMENT = struct.Struct(">QQBI")
_MESSAGE = struct.Struct("<II16s16s")
FRAGMENT_BYTES = _FRAGMENT.size
"""What a fragment has beside its piece."""
_START, _END = 1, 2
NOBODY = uuid.UUID(int=0)
TO_CLIENT, TO_SERVER = 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One PSRP message."""

    kind: int
    data: bytes
    """The object in CLIXML, UTF-8."""
    pool: uuid.UUID = NOBODY
    pipeline: uuid.UUID = NOBODY
    destination: int = TO_SERVER

    def packed(self) -> bytes:
        """As bytes."""
        return _MESSAGE.pack(self.destination, self.kind, self.pool.bytes_le, self.pipeline.bytes_le) + self.data


class Splitter:
    """Cuts one side's messages; it numbers them."""

    def __init__(self) -> None:
        self._number = 0

    def whole(self, messages: Iterable[Message]) -> bytes:
        """Every message as one fragment, one after the other."""
        return b"".join(fragment for message in messages for fragment in self.split(message, 2**31))

    def split(self, message: Message, size: int) -> Iterator[bytes]:
        """The fragments of `message`, each of `size` bytes at most."""
        self._number += 1
        data = message.packed()
        room = size - _FRAGMENT.size
        starts = range(0, len(data), room)
        for index, start in enumerate(starts):
            piece = data[start : start + room]
            flags = (_START if index == 0 else 0) | (_END if start == starts[-1] else 0)
            yield _FRAGMENT.pack(self._number, index, flags, len(piece)) + piece


class Joiner:
    """Puts the other side's messages together, of `limit_bytes` in all at most."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._seen_bytes = 0
        self._rest = bytearray()
        self._message = bytearray()
        self._next: tuple[int, int] | None = None

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that `data` completes. Raises ProtocolError, and AnswerTooLargeError."""
        self._seen_bytes += len(data)
        if self._seen_bytes > self._limit_bytes:
            raise AnswerTooLargeError(f"more than {self._limit_bytes} bytes of PowerShell's objects")
        # In place: a fragment may come in as many pieces as it has bytes.
        waiting = self._rest
        waiting += data
        at = 0
        while len(waiting) - at >= _FRAGMENT.size:
            number, index, flags, size = _FRAGMENT.unpack_from(waiting, at)
            if size > self._limit_bytes or flags & ~(_START | _END):
                raise ProtocolError("the answer is not made of fragments of PowerShell remoting")
            if len(waiting) - at - _FRAGMENT.size < size:
                break
            at += _FRAGMENT.size
            yield from self._take(number, index, flags, bytes(waiting[at : at + size]))
            at += size
        del waiting[:at]

    def _take(self, number: int, index: int, flags: int, piece: bytes) -> Iterator[Message]:
        if flags & _START:
            self._message = bytearray()
        elif self._next != (number, index):
            raise ProtocolError("a part of PowerShell's answer is missing")
        self._message += piece
        self._next = (number, index + 1)
        if not flags & _END:
            return
        self._next = None
        if len(self._message) < _MESSAGE.size:
            raise ProtocolError("a message of PowerShell remoting is too short")
        destination, kind, pool, pipeline = _MESSAGE.unpack_from(self._message)
        data = bytes(self._message[_MESSAGE.size :])
        yield Message(
            kind=kind,
            data=data,
            pool=uuid.UUID(bytes_le=pool),
            pipeline=uuid.UUID(bytes_le=pipeline),
            destination=destination,
        )
