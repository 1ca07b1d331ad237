"""The wire below SSH: a TCP socket without delays, and an eye on what comes before the handshake."""

from __future__ import annotations

import socket
import sys
from contextlib import suppress
from typing import Protocol

from scanner.transports.ssh.proxy import Proxy

_QUICKACK = getattr(socket, "TCP_QUICKACK", None)
_READ_BYTES = _UNSENT_BYTES = 64 * 1024
_GATHERS = sys.platform == "linux"
_GATHER_S = 2.0
"""For so long little is left where it is; a server that asks whether we live (ClientAliveInterval) waits longer."""
_LEAST_S = 0.001
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
    paramiko asks for a packet in two parts, its length and its rest; what has come is read from the wire in one go. And
    it sends packet by packet: what is sent to a TCP socket goes when something is to be read, or at the end.
    """

    def __init__(self, wire: RawSocket) -> None:
        self._wire = wire
        self._quick = isinstance(wire, socket.socket) and _QUICKACK is not None
        self.proxy = wire if isinstance(wire, Proxy) else None
        """The ProxyCommand behind it, where there is one."""
        self._unsent = b""
        self._come = b""
        self._at = 0
        """How far of what has come was asked for."""
        self.greeting = b""
        """What the server said first, as far as its version line."""
        self.greeted = False
        """True once the version line began."""
        self.ended = False
        """True once the server closed its side."""

    def recv(self, size: int) -> bytes:
        """Read, as a socket does."""
        if self._at == len(self._come):
            self.flush()
            self._keep(self._read())
        if not self.greeted:  # no more than a line, or the library would keep the beginning of the first packet
            size = min(size, self._come[self._at : self._at + size].find(b"\n") + 1 or size)
        data = self._come[self._at : self._at + size]
        self._at += len(data)
        if data and not self.greeted:
            self.greeting += data
            self.greeted = self.greeting.startswith(b"SSH-") or b"\nSSH-" in self.greeting
            if self.greeted:
                # Until then the library has its own patience, which it looks up for. From now on whoever closes cuts
                # the wire, which ends every read; with a bound the system would be asked twice for each.
                self._wire.settimeout(None)
            if len(self.greeting) > _GREETING_BYTES:
                raise OSError(0, "endless talk before the SSH version line")
        return data

    @property
    def has_more(self) -> bool:
        """Whether something has come that was not asked for yet."""
        return self._at < len(self._come)

    def exactly(self, size: int) -> bytes:
        """So many bytes. Raises EOFError where the server closes its side before."""
        end = self._at + size
        if end <= len(self._come):
            data = self._come[self._at : end]
            self._at = end
            return data
        parts = [self._come[self._at :]]
        self._keep(b"")
        missing = size - len(parts[0])
        while missing:
            if not (part := self.recv(missing)):
                raise EOFError
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def awaits(self, seconds: float) -> bool:
        """Wait at most so long until there is something to read, or the end; False where the time is up."""
        if self._at < len(self._come):
            return True
        self.flush()
        self._wire.settimeout(max(seconds, _LEAST_S))
        try:
            self._keep(self._read())
        except TimeoutError:
            return False
        finally:
            self._wire.settimeout(None)
        return True

    def gather(self, least: int) -> bool:
        """Wait until so many bytes have come, or the end, but for seconds at most; whether there is something to read.

        A node's answer comes in many small packets, far between, and each of them would wake its reader: on a machine
        that is busy, that takes longer than all that is done with what is in them. The system keeps them meanwhile.
        """
        wire = self._wire
        if self._at < len(self._come) or not (_GATHERS and isinstance(wire, socket.socket)):
            return True
        try:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, least)
            if self.awaits(_GATHER_S):
                return True
            wire.settimeout(0)
            with suppress(BlockingIOError):
                self._keep(self._read())
            return self._at < len(self._come) or self.ended
        finally:
            with suppress(OSError):  # it may have been cut meanwhile
                wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
                wire.settimeout(None)

    def _keep(self, data: bytes) -> None:
        self._come, self._at = data, 0

    def _read(self) -> bytes:
        try:
            data = self._wire.recv(_READ_BYTES)
        except ConnectionError:
            self.ended = True
            raise
        self.ended = self.ended or not data
        if self._quick and isinstance(self._wire, socket.socket) and _QUICKACK is not None:
            with suppress(OSError):
                self._wire.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
        return data

    def send(self, data: bytes) -> int:
        """Write, as a socket does."""
        if not isinstance(self._wire, socket.socket):
            return self._wire.send(data)
        self._unsent += data
        if len(self._unsent) > _UNSENT_BYTES:
            self.flush()
        return len(data)

    def flush(self) -> None:
        """Write what waits for it. Raises TimeoutError, and OSError but for a connection that has ended."""
        try:
            while self._unsent:
                self._unsent = self._unsent[self._wire.send(self._unsent) :]
        except ConnectionError:
            # What the server has said before is still to be read, and tells why; else the end is read.
            self.ended, self._unsent = True, b""

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
        with suppress(Exception):
            if self._unsent:
                self._wire.settimeout(0)  # it may be a watchdog that closes, which must not wait
                self.flush()
        self.cut()
        with suppress(Exception):
            self._wire.close()
