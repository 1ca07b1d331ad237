"""TLS over a socket of any kind: what it says goes through memory, and the socket waits as its kind does.

A thread waits by itself, and a conversation of a loop lets the others go on. Python's own TLS socket knows only the
first: it takes the descriptor away from the socket that it is made of.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress

_BLOCK_BYTES = 64 * 1024


class TlsStream:
    """A client's side. The socket stays the caller's, who may cut it from another thread."""

    def __init__(self, wire: socket.socket, context: ssl.SSLContext, name: str) -> None:
        self._wire = wire
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)

    def shake_hands(self) -> None:
        """Come to terms. Raises ssl.SSLError where that fails, and OSError.

        The last of it that is ours goes with the first message, in one packet.
        """
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._exchange()
            except ssl.SSLError:
                with suppress(OSError):  # the alert, which tells the peer's log why
                    self._flush()
                raise
            else:
                return

    @property
    def certificate(self) -> bytes | None:
        """What the peer has shown, DER."""
        return self._tls.getpeercert(binary_form=True)

    def is_silent(self, has_come: Callable[[], bool]) -> bool:
        """Whether the peer has neither said anything nor hung up. `has_come`: whether there is something on the socket.

        What TLS arranges by itself is nothing said: a ticket for another time, new keys, that a certificate is wanted.
        """
        try:
            while True:
                try:
                    self._tls.read(1)
                except ssl.SSLWantReadError:
                    self._flush()
                    if not has_come():
                        return True
                    self._take()
                else:
                    return False
        except OSError:
            return False

    def fileno(self) -> int:
        """The socket's."""
        return self._wire.fileno()

    def settimeout(self, seconds: float | None) -> None:
        """Bound each read and write of the socket."""
        self._wire.settimeout(seconds)

    def sendall(self, data: bytes) -> None:
        """As a socket does. Raises ssl.SSLError, and OSError."""
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self._tls.write(rest) :]
            except ssl.SSLWantReadError:  # the peer wants to agree on something anew
                self._exchange()
        self._flush()

    def recv(self, size: int) -> bytes:
        """As a socket does; nothing at the end, whether it was announced or not. Raises ssl.SSLError, and OSError."""
        while True:
            try:
                return self._tls.read(size)
            except ssl.SSLWantReadError:
                self._exchange()
            except ssl.SSLEOFError:
                return b""

    def close(self) -> None:
        """Close the socket, without a word."""
        self._wire.close()

    def _exchange(self) -> None:
        """Say what is to be said, and take what comes."""
        self._flush()
        self._take()

    def _take(self) -> None:
        data = self._wire.recv(_BLOCK_BYTES)
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def _flush(self) -> None:
        if data := self._outgoing.read():
            self._wire.sendall(data)
