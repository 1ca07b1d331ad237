"""A watchdog for conversations: what blocks in a foreign library ends when somebody else closes its socket."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

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


class Deadline:
    """Calls `action` from a thread of its own unless the `with` block ends within `seconds`.

    `action` makes every blocked call of the block return, as a rule by closing a socket; what it raises is dropped.
    When the block has been left, the action is over or will not happen, and no thread is left. One that is `spared`
    runs on when all others are ended by an interrupt: it guards a farewell.
    """

    __slots__ = ("__weakref__", "_action", "_ends", "_left", "_spared", "_thread", "_wake", "fired", "owner", "seconds")

    def __init__(self, seconds: float, action: Callable[[], object], *, spared: bool = False) -> None:
        self.seconds = seconds
        self.fired = False
        """True once the time was up; says why calls of the block failed."""
        self.owner: object = None
        """Whose it is, as `name_thread` said in the thread that waits."""
        self._action = action
        self._ends = 0.0
        self._left = False
        self._spared = spared
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="deadline", daemon=True)

    @property
    def remaining_s(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self._ends - time.monotonic())

    def sleep(self, seconds: float) -> None:
        """Wait so long, or as long as there is time left."""
        time.sleep(min(seconds, self.remaining_s))

    def __enter__(self) -> Self:
        self.owner = getattr(_named, "owner", None)
        self._ends = time.monotonic() + self.seconds
        self._thread.start()
        if not self._spared:
            with _running_lock:
                _running.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with _running_lock:
            _running.discard(self)
        self._left = True
        self._wake.set()
        self._thread.join()

    def end(self) -> None:
        """Fire now, whatever time is left."""
        self._wake.set()

    def _watch(self) -> None:
        self._wake.wait(max(0.0, self.seconds))
        if not self._left:
            self.fired = True
            with suppress(Exception):
                self._action()
