"""A watchdog for conversations: what blocks in a foreign library ends when somebody else closes its socket."""

from __future__ import annotations

import heapq
import itertools
import os
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from scanner.transports.network.green.waiting import pause

# The one thing here that is shared by all of a process: an interrupt has to reach conversations wherever they are.
_running: weakref.WeakSet[Deadline] = weakref.WeakSet()
_running_lock = threading.Lock()
_named = threading.local()


def name_thread(owner: object) -> None:
    """Say whose conversations this thread holds, so that they can be ended without anybody else's."""
    _named.owner = owner


def end_all(owner: object = None) -> None:
    """Make every deadline that runs in this process fire now, for a scan that is interrupted; of one owner alone where
    several work side by side.
    """
    with _running_lock:
        running = [deadline for deadline in _running if owner is None or deadline.owner is owner]
    for deadline in running:
        deadline.end()


_KEPT = 64
"""So many that were left long before their time may wait to be forgotten."""


def _nothing() -> None:
    """What is done once there is nothing to end."""


class _Watchdog:
    """One thread for all deadlines of this process, as long as there are any: one for each costs more than a login."""

    def __init__(self) -> None:
        self._turn = threading.Condition()
        self._due: list[tuple[float, int, Deadline]] = []
        self._numbers = itertools.count()
        self._running = 0
        self._thread: threading.Thread | None = None

    def guard(self, deadline: Deadline) -> None:
        """Fire it once its time is up."""
        with self._turn:
            if self._thread is None:
                thread = threading.Thread(target=self._watch, name="deadlines", daemon=True)
                thread.start()
                self._thread = thread
            self._running += 1
            self._push(deadline)

    def hurry(self, deadline: Deadline) -> None:
        """Its time is up sooner than it was."""
        with self._turn:
            self._push(deadline)

    def release(self, deadline: Deadline) -> None:
        """Fire it no more. With the last one the thread ends."""
        with self._turn:
            deadline.left = True
            self._running -= 1
            if len(self._due) > _KEPT + 2 * self._running:
                self._due = [each for each in self._due if not each[2].left]
                heapq.heapify(self._due)
            last = None if self._running else self._thread
            if last:
                self._thread = None
                self._due.clear()
                self._turn.notify()
        if last:
            last.join()

    def _push(self, deadline: Deadline) -> None:
        heapq.heappush(self._due, (deadline.ends, next(self._numbers), deadline))
        if self._due[0][2] is deadline:
            self._turn.notify()

    def _watch(self) -> None:
        with self._turn:
            while self._thread is threading.current_thread():
                while self._due and (self._due[0][2].left or self._due[0][2].fired):
                    heapq.heappop(self._due)
                left_s = self._due[0][0] - time.monotonic() if self._due else None
                if left_s is None or left_s > 0:
                    self._turn.wait(left_s if left_s is None else min(left_s, threading.TIMEOUT_MAX))
                else:
                    heapq.heappop(self._due)[2].fire()


_watchdog = _Watchdog()


def _forget() -> None:
    global _watchdog  # noqa: PLW0603  a fork has none of the threads, and may have their locks
    _watchdog = _Watchdog()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


class Deadline:
    """Calls `action` from another thread unless the `with` block ends within `seconds`.

    `action` makes every blocked call of the block return, as a rule by closing a socket; what it raises is dropped.
    When the block has been left, the action is over or will not happen, and no thread of it is left. One that is
    `spared` runs on when all others are ended by an interrupt: it guards a farewell.
    """

    __slots__ = ("__weakref__", "_action", "_firing", "_guard", "_spared", "ends", "fired", "left", "owner", "seconds")

    def __init__(self, seconds: float, action: Callable[[], object], *, spared: bool = False) -> None:
        self.seconds = seconds
        self.fired = False
        """True once the time was up; says why calls of the block failed."""
        self.owner: object = None
        """Whose it is, as `name_thread` said in the thread that waits."""
        self.ends = 0.0
        """When, by the monotonic clock."""
        self.left = False
        """True once the block has been left."""
        self._action = action
        self._spared = spared
        self._firing: threading.Thread | None = None
        self._guard = _watchdog

    @property
    def remaining_s(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.ends - time.monotonic())

    def sleep(self, seconds: float) -> None:
        """Wait so long, or as long as there is time left."""
        pause(min(seconds, self.remaining_s))

    def __enter__(self) -> Self:
        self.owner = getattr(_named, "owner", None)
        self.ends = time.monotonic() + self.seconds
        self._guard = _watchdog
        self._guard.guard(self)
        if not self._spared:
            with _running_lock:
                _running.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with _running_lock:
            _running.discard(self)
        self._guard.release(self)
        if self._firing:
            self._firing.join()
        self._action = _nothing  # which holds the conversation, and the watchdog may keep this for a while

    def end(self) -> None:
        """Fire now, whatever time is left."""
        self.ends = min(self.ends, time.monotonic())
        self._guard.hurry(self)

    def fire(self) -> None:
        """The time is up: for the watchdog, whose other deadlines wait for no action."""
        self.fired = True
        self._firing = threading.Thread(target=self._act, name="deadline", daemon=True)
        try:
            self._firing.start()
        except RuntimeError:  # no room for another thread
            self._firing = None
            self._act()

    def _act(self) -> None:
        with suppress(Exception):
            self._action()
