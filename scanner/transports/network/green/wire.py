"""Sockets that let other conversations go on while they wait."""

from __future__ import annotations

import errno
import os
import socket
import time
from typing import Any

from scanner.transports.network.green.loop import Loop, Park
from scanner.transports.network.green.waiting import pause

_BETWEEN_TRIES_S = 0.01


def open_socket(family: int, kind: int, protocol: int = 0) -> socket.socket:
    """One for whoever calls: a thread, or a conversation of a loop. Raises OSError."""
    loop = Loop.current()
    return GreenSocket(loop, family, kind, protocol) if loop else socket.socket(family, kind, protocol)


class GreenSocket(socket.socket):
    """A stream socket of a loop. Its conversation reads and writes; other threads may shut it down and close it."""

    def __init__(self, loop: Loop, family: int, kind: int, protocol: int = 0) -> None:
        super().__init__(family, kind, protocol)
        super().settimeout(0)
        self._loop = loop
        self._number = self.fileno()
        self._watched = False
        self._bound_s: float | None = None
        self._readable = False
        """Unless the system said so since it gave the last, or less than was asked for, there is nothing to read."""
        self._ended = False
        """The peer has said all, or a byte out of band: what is left of it is there, and is told of no more."""
        self._reader: Park | None = None
        self._writer: Park | None = None
        self._over = False

    def settimeout(self, value: float | None, /) -> None:
        """Bound each read and write, in seconds; 0: wait for nothing."""
        self._bound_s = value

    def gettimeout(self) -> float | None:
        """That bound."""
        return self._bound_s

    def connect(self, address: Any, /) -> None:
        """As ever. Raises OSError."""
        until = self._until()
        while True:
            code = super().connect_ex(address)
            if code in (0, errno.EINPROGRESS):
                self._watch()
            if code == errno.EINPROGRESS:
                self._await_room(until)
                code = self.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code not in (errno.EAGAIN, errno.EWOULDBLOCK):  # a socket of the file system whose owner is busy
                break
            if until is not None and time.monotonic() >= until:
                raise TimeoutError("timed out")
            pause(_BETWEEN_TRIES_S)
        if code:
            raise OSError(code, os.strerror(code))

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """As ever. Raises TimeoutError, and OSError."""
        self._loop.let_others()
        if not self._readable and self._bound_s != 0:
            self._await_data()
        while True:
            try:
                data = super().recv(size, flags)
            except BlockingIOError:
                self._readable = False
                if self._bound_s == 0:
                    raise
                self._await_data()
            else:
                self._readable = self._over or self._ended or not data or len(data) == size
                return data

    def send(self, data: Any, flags: int = 0, /) -> int:
        """As ever. Raises TimeoutError, and OSError."""
        while True:
            try:
                return super().send(data, flags)
            except BlockingIOError:
                if self._bound_s == 0:
                    raise
                self._await_room(self._until())

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """As ever. Raises TimeoutError, and OSError."""
        rest = memoryview(data)
        while rest:
            rest = rest[self.send(rest, flags) :]

    def shutdown(self, how: int, /) -> None:
        """As ever, from any thread: nobody waits any more then."""
        try:
            super().shutdown(how)
        finally:
            self._loop.tell(self._end)

    def close(self) -> None:
        """As ever, from any thread."""
        self._loop.tell(self._end)
        super().close()

    def tell(self, *, readable: bool, writable: bool, ended: bool = False) -> None:
        """What the loop has heard of it."""
        self._ended = self._ended or ended
        if readable:
            self._readable = True
            if self._reader:
                self._reader.wake()
        if writable and self._writer:
            self._writer.wake()

    def _end(self) -> None:
        self._over = True
        self.tell(readable=True, writable=True)
        if self.fileno() < 0:
            self._loop.forget(self._number, self)

    def _watch(self) -> None:
        if not self._watched:
            self._watched = True
            self._loop.watch(self._number, self)

    def _until(self) -> float | None:
        return None if self._bound_s is None else time.monotonic() + self._bound_s

    def _await_data(self) -> None:
        self._reader = Park(self._loop)
        self._await(self._reader, self._until())

    def _await_room(self, until: float | None) -> None:
        self._writer = Park(self._loop)
        self._await(self._writer, until)

    def _await(self, park: Park, until: float | None) -> None:
        if not self._over and not park.wait(until):
            raise TimeoutError("timed out")
