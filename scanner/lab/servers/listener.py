"""A loopback TCP listener that gives each connection a thread, and leaves neither thread nor socket behind."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Self

LOOPBACK = "127.0.0.1"
_JOIN_S = 5.0


class Stoppable:
    """A context manager that ends with `stop`."""

    def stop(self) -> None:
        """Leave nothing running."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class Listener(Stoppable):
    """Accepts connections on a free loopback port and hands each to `handle` in a thread of its own.

    `handle` may block in its socket: `stop` shuts every open connection down. With `refuse` the port is taken but
    nobody listens, so that a connection is refused for sure.
    """

    def __init__(self, handle: Callable[[socket.socket], None], *, refuse: bool = False, name: str = "lab") -> None:
        self._handle = handle
        self._name = name
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: set[threading.Thread] = set()
        self._stopping = threading.Event()
        self._socket = socket.socket()
        self._acceptor: threading.Thread | None = None
        self.accepted = 0
        """Connections taken so far."""
        try:
            self._socket.bind((LOOPBACK, 0))
            self.port: int = self._socket.getsockname()[1]
            if not refuse:
                self._socket.listen(128)
        except OSError:
            self._socket.close()
            raise
        if not refuse:
            self._acceptor = threading.Thread(target=self._accept, name=f"{name}-accept", daemon=True)
            self._acceptor.start()

    @property
    def stopping(self) -> threading.Event:
        """Set once `stop` was called; a handler that waits, waits for this."""
        return self._stopping

    def stop(self) -> None:
        """Close the port and every connection, and wait for their threads. May be called twice."""
        self._stopping.set()
        if self._acceptor:
            # A close alone does not wake accept() everywhere; a connection does.
            with contextlib.suppress(OSError):
                socket.create_connection((LOOPBACK, self.port), timeout=1).close()
            self._acceptor.join(_JOIN_S)
        self._socket.close()
        with self._lock:
            connections, threads = list(self._open), list(self._threads)
        for connection in connections:
            _shut(connection)
        for thread in threads:
            thread.join(_JOIN_S)

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            if self._stopping.is_set():
                connection.close()
                return
            self.accepted += 1
            thread = threading.Thread(
                target=self._serve, args=(connection,), name=f"{self._name}-{self.accepted}", daemon=True
            )
            with self._lock:
                self._open.add(connection)
                # A thread cannot take itself off the list: `stop` would not wait for its last steps.
                self._threads = {known for known in self._threads if known.is_alive()} | {thread}
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            # A scanner that gives up in mid-conversation is what many scenarios are about.
            with contextlib.suppress(OSError):
                self._handle(connection)
        finally:
            with self._lock:
                self._open.discard(connection)
            _shut(connection)
            connection.close()


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
