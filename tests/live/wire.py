"""A stretch of network that a test can cut, mend or let fall silent."""

from __future__ import annotations

import select
import socket
import threading
from contextlib import suppress
from typing import Self


class Wire:
    """A stretch of network: what goes in comes out at `target`, until it falls silent or is cut."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self._silent = threading.Event()
        self._down = threading.Event()
        self._ends = threading.Event()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()

    def fall_silent(self) -> None:
        """Take what comes, carry none of it, and tell nobody."""
        self._silent.set()

    def cut(self) -> None:
        """End all connections and take no more."""
        self._down.set()

    def mend(self) -> None:
        self._down.clear()
        self._silent.clear()

    def close(self) -> None:
        self._ends.set()
        self._thread.join()
        self._listener.close()
        self._drop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _drop(self) -> None:
        for pair in self._pairs:
            for end in pair:
                end.close()
        self._pairs.clear()

    def _carry(self) -> None:
        while not self._ends.is_set():
            if self._down.is_set():
                self._drop()
            ends = {end: other for one, two in self._pairs for end, other in ((one, two), (two, one))}
            ready, _, _ = select.select([self._listener, *ends], [], [], 0.05)
            for end in ready:
                if end is self._listener:
                    self._take()
                else:
                    self._pass_on(end, ends[end])

    def _take(self) -> None:
        near, _ = self._listener.accept()
        with suppress(OSError):
            if not self._down.is_set():
                self._pairs.append((near, socket.create_connection(("127.0.0.1", self.target), timeout=5)))
                return
        near.close()

    def _pass_on(self, end: socket.socket, other: socket.socket) -> None:
        try:
            data = end.recv(65536)
            if data and not self._silent.is_set():
                other.sendall(data)
        except OSError:
            data = b""
        if not data and not self._silent.is_set():
            self._pairs = [pair for pair in self._pairs if end not in pair]
            end.close()
            other.close()
