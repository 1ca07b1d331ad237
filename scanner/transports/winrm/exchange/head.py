"""The head of an HTTP answer as Windows writes it, read at once; every other one is left to http.client.

http.client reads the lines of a head one by one and gives them to a parser of mail: for the seven small answers that a
node gives, that takes a third as long as everything else that is done with them.
"""

from __future__ import annotations

import io
import re
import socket
from typing import Any

from checks.common.dataclass import dataclass
from scanner.transports.tls.stream import TlsStream
from scanner.transports.winrm.exchange.answer import Headers

Wire = socket.socket | TlsStream
"""What a conversation is held over."""
_BLOCK_BYTES = 64 * 1024
_MOST_BYTES = 64 * 1024
_MOST_LINES = 100
"""A head with so many lines, or more of either, is refused by http.client, in its words."""
_END = b"\r\n\r\n"
_HEAD = re.compile(
    rb"HTTP/1\.1 (?P<status>[2-5][0-9]{2})(?: [ -~]*)?\r\n(?P<lines>(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[ -~\t]*\r\n)+)"
)
_LINE = re.compile(r"([^:]+):[ \t]*([ -~\t]*)\r\n")
_LENGTH = re.compile("[0-9]{1,9}")
_WITHOUT_BODY = (204, 304)
_ODD = ("transfer-encoding", "set-cookie")
"""What takes more than to read as many bytes as are announced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A plain one, with what has come of the body."""

    status: int
    headers: Headers
    length: int
    begun: bytes
    will_close: bool


def plain_head(wire: Wire) -> Head | bytes:
    """The head of the answer that comes next; what has come, where it is none that can be read here. Raises OSError."""
    come = b""
    while (end := come.find(_END)) < 0:
        block = wire.recv(_BLOCK_BYTES) if len(come) <= _MOST_BYTES else b""
        if not block:
            return come
        come += block
    found = _HEAD.fullmatch(come, 0, end + 2)
    if not found or int(found["status"]) in _WITHOUT_BODY or end > _MOST_BYTES:
        return come
    pairs = _LINE.findall(found["lines"].decode("ascii"))
    headers = Headers(pairs)
    # Two lengths are no number together.
    length = headers.get("Content-Length")
    if any(each in headers for each in _ODD) or len(pairs) >= _MOST_LINES or not _LENGTH.fullmatch(length):
        return come
    return Head(
        status=int(found["status"]),
        headers=headers,
        length=int(length),
        begun=come[end + len(_END) :],
        will_close="close" in headers.get("Connection").lower(),
    )


class Replayed:
    """A connection as http.client wants it, on which what has come already comes once more."""

    def __init__(self, come: bytes, wire: Wire) -> None:
        self._come = come
        self._wire = wire

    def makefile(self, _: str) -> io.BufferedReader:
        """What it reads from."""
        return io.BufferedReader(_Raw(self._come, self._wire))


class _Raw(io.RawIOBase):
    def __init__(self, come: bytes, wire: Wire) -> None:
        super().__init__()
        self._come = memoryview(come)
        self._wire = wire

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._come:
            come = self._wire.recv(len(buffer))  # the one way in which all that it may be reads
            buffer[: len(come)] = come
            return len(come)
        size = min(len(buffer), len(self._come))
        buffer[:size], self._come = self._come[:size], self._come[size:]
        return size
