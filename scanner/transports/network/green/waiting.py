"""Waiting for something that somebody else brings about: in a loop the other conversations go on meanwhile."""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import suppress

from scanner.transports.network.green.loop import Loop, Park


class Signal:
    """Is set once, from any thread, for the one thread or conversation that made it and waits."""

    __slots__ = ("_event", "_loop", "_park", "is_set")

    def __init__(self) -> None:
        self._loop = Loop.current()
        self._park = Park(self._loop) if self._loop else None
        self._event = None if self._loop else threading.Event()
        self.is_set = False

    def set(self) -> None:
        """Wake whoever waits."""
        self.is_set = True
        if self._loop and self._park:
            self._loop.tell(self._park.wake)
        elif self._event:
            self._event.set()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it is set, or so long; whether it is set."""
        if self._park:
            self._park.wait(None if seconds is None else time.monotonic() + max(0.0, seconds))
        elif self._event:
            self._event.wait(seconds if seconds is None else max(0.0, seconds))
        return self.is_set


class Turns:
    """So many may go on at a time; of those that wait the first one is the next."""

    def __init__(self, width: int) -> None:
        self._free = width
        self._lock = threading.Lock()
        self._waiting: deque[Signal] = deque()

    def acquire(self, timeout: float | None = None) -> bool:
        """Wait for a turn, at most so many seconds; whether there was one."""
        with self._lock:
            if self._free > 0:
                self._free -= 1
                return True
            signal = Signal()
            self._waiting.append(signal)
        try:
            signal.wait(timeout)
        except BaseException:
            if not self._given_up(signal):
                self.release()
            raise
        return not self._given_up(signal)

    def release(self) -> None:
        """The next one's turn."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._free += 1

    def _given_up(self, signal: Signal) -> bool:
        """Whether it never had its turn; it gets none any more."""
        with self._lock, suppress(ValueError):
            self._waiting.remove(signal)
            return True
        return False


def pause(seconds: float) -> None:
    """Wait so long."""
    if Loop.current():
        Signal().wait(seconds)
    else:
        time.sleep(seconds)
