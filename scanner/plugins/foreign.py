"""Code that judges what a node said, ours or a plugin's: whatever it does is its own error, and ends in time."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TypeVar

from checks.facts import EndedError
from scanner.secrets.redaction import known

T = TypeVar("T")

JUDGING_S = 10.0
"""What judging one node, or one cluster by one check, may take; it needs milliseconds."""


class ForeignCodeError(EndedError):
    """What the code raised that is meant to end a whole program, or that it took too long."""


class _TimeUpError(BaseException):
    """No Exception: code that catches all of those shall not outlast its time by it."""


class Allowance:
    """Seconds that several calls may take together."""

    def __init__(self, seconds: float = JUDGING_S) -> None:
        self._seconds = seconds
        self._left_s = seconds

    def call(self, work: Callable[[], T]) -> T:
        """What `work` returns, or the Exception that it raises.

        What would end the program instead (SystemExit, whatever else is no Exception), endless recursion, lack of
        memory and lack of time become ForeignCodeError. A KeyboardInterrupt is the user's, a class made of it is not.

        A time limit needs the main thread and a system with interval timers: on Windows, and in other threads, the
        time is only taken, so that the next call is not begun.
        """
        if self._left_s <= 0:
            raise ForeignCodeError(f"not begun: what was judged before it had taken {self._seconds:g} s")
        began = time.monotonic()
        try:
            return _within(began + self._left_s, work)
        except _TimeUpError:
            raise ForeignCodeError(f"ended after {self._left_s:g} s without a result") from None
        except (MemoryError, RecursionError) as error:
            known().cleanse(error)
            raise ForeignCodeError(f"{type(error).__name__}: {error}".rstrip(": ")) from None
        except Exception as error:
            known().cleanse(error)
            raise
        except BaseException as error:
            if type(error) is KeyboardInterrupt:
                raise
            known().cleanse(error)
            raise ForeignCodeError(f"{type(error).__name__}: {error}".rstrip(": ")) from None
        finally:
            self._left_s -= time.monotonic() - began


_TICK_S = 0.05
_ends_at_s: float | None = None
"""When what is being called has to be over, by the monotonic clock; None while nothing is."""
_ticking = False
"""Whether the timer runs already, and its signal is ours."""


@contextlib.contextmanager
def many_calls() -> Iterator[None]:
    """One timer for all calls within, which looks at the time again and again: to set one for each of them, and to take
    its signal and give it back, costs more than most of them.
    """
    global _ticking  # noqa: PLW0603  timer and signal are the process's
    if _ticking or not _has_timer():
        yield
        return

    def look(_: int, __: FrameType | None) -> None:
        # Not once alone: what is raised in the middle of a `finally`, or of a callback, may be lost there.
        if _ends_at_s is not None and time.monotonic() >= _ends_at_s:
            raise _TimeUpError

    before = signal.signal(signal.SIGALRM, look)
    _ticking = True
    try:
        signal.setitimer(signal.ITIMER_REAL, _TICK_S, _TICK_S)
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        _ticking = False
        signal.signal(signal.SIGALRM, before)


def _has_timer() -> bool:
    return hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()


def _within(ends_at_s: float, work: Callable[[], T]) -> T:
    global _ends_at_s  # noqa: PLW0603  as above
    if not _ticking:
        if not _has_timer():
            return work()
        with many_calls():
            return _within(ends_at_s, work)
    if threading.current_thread() is not threading.main_thread():
        return work()
    before = _ends_at_s
    try:
        try:
            _ends_at_s = ends_at_s if before is None else min(before, ends_at_s)
            return work()
        finally:
            _ends_at_s = before
    finally:
        _ends_at_s = before  # where the time was up at the very moment at which it did not matter any more
