"""A watchdog for conversations: what blocks in a foreign library ends when somebody else closes its socket."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self


class Deadline:
    """Calls `action` from a thread of its own unless the `with` block ends within `seconds`.

    `action` makes every blocked call of the block return, as a rule by closing a socket; what it raises is dropped.
    When the block has been left, the action is over or will not happen, and no thread is left.
    """

    __slots__ = ("_action", "_done", "_ends", "_thread", "fired", "seconds")

    def __init__(self, seconds: float, action: Callable[[], object]) -> None:
        self.seconds = seconds
        self.fired = False
        """True once the time was up; says why calls of the block failed."""
        self._action = action
        self._ends = 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="deadline", daemon=True)

    @property
    def remaining_s(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self._ends - time.monotonic())

    def sleep(self, seconds: float) -> None:
        """Wait so long, or as long as there is time left."""
        time.sleep(min(seconds, self.remaining_s))

    def __enter__(self) -> Self:
        self._ends = time.monotonic() + self.seconds
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        if not self._done.wait(max(0.0, self.seconds)):
            self.fired = True
            with suppress(Exception):
                self._action()
