"""What a shell prints, gathered until it is worth its reader's while."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from paramiko.buffered_pipe import PipeTimeout

_MOST_BYTES = 256 * 1024
"""So much at the latest: a fraction of the window (2 MiB) that the other side fills before it waits for a reader."""
_TAIL_BYTES = 512


class Gathered:
    """Stands in the place of a channel's buffer, and wakes its reader for what it waits for, not for each packet.

    A node's answer comes in a hundred packets, each of which woke a thread to look at a few bytes of it. Whoever waits
    sees all that has come once `is_awaited` says so of its end, once it is much, and once no more will come or the time
    is up.
    """

    def __init__(self, is_awaited: Callable[[bytes], bool]) -> None:
        self._is_awaited = is_awaited
        self._turn = threading.Condition(threading.Lock())
        self._come = bytearray()
        self._is_due = False
        self._closed = False

    def feed(self, data: bytes) -> None:
        """More has come; called by the thread that reads from the wire."""
        with self._turn:
            self._come += data
            if not self._is_due:
                self._is_due = len(self._come) >= _MOST_BYTES or self._is_awaited(bytes(self._come[-_TAIL_BYTES:]))
                if self._is_due:
                    self._turn.notify_all()

    def read(self, most: int, timeout: float | None = None) -> bytes:
        """What has come, at most so much; nothing at the end. Raises PipeTimeout where nothing has come in time."""
        ends = None if timeout is None else time.monotonic() + timeout
        with self._turn:
            while not self._is_due and not self._closed:
                left_s = None if ends is None else ends - time.monotonic()
                if left_s is not None and left_s <= 0:
                    if not self._come:
                        raise PipeTimeout
                    break
                self._turn.wait(left_s)
            said = bytes(self._come[:most])
            del self._come[:most]
            self._is_due = self._is_due and bool(self._come)
            return said

    def close(self) -> None:
        """No more will come."""
        with self._turn:
            self._closed = True
            self._turn.notify_all()

    def __len__(self) -> int:
        """How much has come and was not read."""
        return len(self._come)
