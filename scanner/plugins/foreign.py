"""Code that judges what a node said, ours or a plugin's: whatever it does is its own error, and ends in time."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TypeVar

from checks.engine.evaluation import EndedError
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
            return _within(self._left_s, work)
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


_listening = False
"""Whether the signal of the timer is ours already."""


@contextlib.contextmanager
def many_calls() -> Iterator[None]:
    """Take the timer's signal once for all calls within: to take it and give it back costs more than most of them."""
    global _listening  # noqa: PLW0603  signals are the process's
    if _listening or not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_: int, __: FrameType | None) -> None:
        raise _TimeUpError

    before = signal.signal(signal.SIGALRM, stop)
    _listening = True
    try:
        yield
    finally:
        _listening = False
        signal.signal(signal.SIGALRM, before)


def _within(seconds: float, work: Callable[[], T]) -> T:
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        return work()
    with contextlib.nullcontext() if _listening else many_calls():
        try:
            # Again and again: what is raised in the middle of a `finally`, or of a callback, may be lost there.
            signal.setitimer(signal.ITIMER_REAL, seconds, 0.05)
            return work()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
