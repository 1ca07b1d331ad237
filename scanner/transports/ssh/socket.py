"""The wire below SSH: a TCP socket without delays, and an eye on what comes before the handshake."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from typing import Protocol

from scanner.errors import UnreachableError
from scanner.transports.resolver import NameTimeoutError, resolve
from scanner.transports.ssh.proxy import Proxy

_QUICKACK = getattr(socket, "TCP_QUICKACK", None)
_READ_BYTES = 64 * 1024
_IDLE_S = 10.0
"""paramiko looks up from a read ten times a second, to see whether it was closed. Whoever closes cuts the wire first,
which ends every read, and a node that takes a minute would cost more for that than for its answer. Not at all from a
socket's: with a bound the system would be asked twice for each read, whether there is something, and for it."""
_GREETING_BYTES = 64 * 1024
"""More than this before the SSH version line, and it is no SSH server (RFC 4253, 4.2 allows lines before it)."""


class RawSocket(Protocol):
    """A socket, a channel through a jump host, or a ProxyCommand."""

    def send(self, data: bytes, /) -> int:
        """Write some of it; how much was written."""
        ...

    def recv(self, size: int, /) -> bytes:
        """Read at most so much; nothing at the end."""
        ...

    def settimeout(self, seconds: float | None, /) -> None:
        """Bound each read and write."""
        ...

    def close(self) -> None:
        """Let go."""
        ...


class SshStream:
    """What paramiko reads from and writes to.

    Linux delays acknowledgements again after each read, which costs 40 ms a round trip: TCP_QUICKACK is renewed.
    paramiko asks for a packet in two parts, its length and its rest; what has come is read from the wire in one go.
    """

    def __init__(self, wire: RawSocket) -> None:
        self._wire = wire
        self._quick = isinstance(wire, socket.socket) and _QUICKACK is not None
        self.proxy = wire if isinstance(wire, Proxy) else None
        """The ProxyCommand behind it, where there is one."""
        self._closed = False
        self._come = memoryview(b"")
        """What was read and not asked for yet."""
        self.greeting = b""
        """What the server said first, as far as its version line."""
        self.greeted = False
        """True once the version line began."""
        self.ended = False
        """True once the server closed its side."""

    def recv(self, size: int) -> bytes:
        """Read, as a socket does."""
        if not self._come:
            self._come = memoryview(self._read())
        data, self._come = bytes(self._come[:size]), self._come[size:]
        if not data:
            self.ended = True
        elif not self.greeted:
            self.greeting += data
            self.greeted = self.greeting.startswith(b"SSH-") or b"\nSSH-" in self.greeting
            if self.greeted:  # until then the library has its own patience, which it looks up for
                self._wire.settimeout(None if isinstance(self._wire, socket.socket) else _IDLE_S)
            if len(self.greeting) > _GREETING_BYTES:
                raise OSError(0, "endless talk before the SSH version line")
        return data

    def _read(self) -> bytes:
        try:
            data = self._wire.recv(_READ_BYTES)
        except ConnectionError:
            self.ended = True
            raise
        if self._quick and isinstance(self._wire, socket.socket) and _QUICKACK is not None:
            with suppress(OSError):
                self._wire.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
        return data

    def send(self, data: bytes) -> int:
        """Write, as a socket does."""
        try:
            return self._wire.send(data)
        except ConnectionError:
            self.ended = True
            raise

    def settimeout(self, seconds: float | None) -> None:
        """Bound each read and write."""
        self._wire.settimeout(seconds)

    def cut(self) -> None:
        """End every blocked read and write at once, from any thread."""
        if isinstance(self._wire, socket.socket):
            with suppress(OSError):
                self._wire.shutdown(socket.SHUT_RDWR)
        elif self.proxy:
            self.proxy.cut()

    def close(self) -> None:
        """Let go of the wire. Never raises."""
        self.cut()
        self._closed = True
        with suppress(Exception):
            self._wire.close()


def dial(host: str, port: int, timeout_s: float) -> socket.socket:
    """A connected TCP socket, whichever of the host's addresses answers first in turn, all within `timeout_s`.

    Raises UnreachableError for name servers that do not answer, and OSError (gaierror, TimeoutError,
    ConnectionRefusedError, ...) with the last address's reason.
    """
    ends = time.monotonic() + timeout_s
    reason: OSError = OSError(0, "the name has no address")
    try:
        found = resolve(host, port, timeout_s)
    except NameTimeoutError as error:
        raise UnreachableError(str(error), hint="check the name servers of this machine (/etc/resolv.conf)") from error
    for number, (family, kind, protocol, _, address) in enumerate(found):
        left = (ends - time.monotonic()) / (len(found) - number)  # one dead address leaves time for the next
        if left <= 0:
            break
        try:
            wire = socket.socket(family, kind, protocol)
        except OSError as error:  # an address family that this machine does not speak
            reason = error
            continue
        try:
            wire.settimeout(left)
            wire.connect(address)
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            wire.close()
            reason = error
        else:
            return wire
    raise reason
