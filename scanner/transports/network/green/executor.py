"""An executor whose calls are conversations of one loop, in one thread."""

from __future__ import annotations

import concurrent.futures
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from greenlet import GreenletExit

from scanner.transports.network.green.loop import Loop

T = TypeVar("T")
POSSIBLE = sys.platform == "linux"
"""Whether this machine has what a loop rests on."""
_Job = tuple[concurrent.futures.Future[Any], Callable[[], Any]]


class GreenExecutor(concurrent.futures.Executor):
    """At most `width` calls at a time. Every thread that works for it, and there is one as a rule, is initialized."""

    def __init__(
        self, width: int, *, initializer: Callable[..., object] | None = None, initargs: tuple[Any, ...] = ()
    ) -> None:
        self._width = width
        self._initialize = partial(initializer, *initargs) if initializer else _nothing
        self._jobs: deque[_Job] = deque()
        self._begun: set[concurrent.futures.Future[Any]] = set()
        self._lock = threading.Lock()
        self._over = False
        self._loop: Loop | None = None
        self._thread: threading.Thread | None = None

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> concurrent.futures.Future[T]:
        """See the base. Raises RuntimeError and OSError, too, where there is no room for a thread and a loop."""
        future: concurrent.futures.Future[T] = concurrent.futures.Future()
        with self._lock:
            if self._over:
                raise RuntimeError("cannot schedule new futures after shutdown")
            loop = self._loop or self._started()
            self._jobs.append((future, partial(fn, *args, **kwargs)))
            loop.tell(partial(self._go_on, loop))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """See the base."""
        with self._lock:
            self._over = True
            left = list(self._jobs) if cancel_futures else []
            if cancel_futures:
                self._jobs.clear()
            if self._loop:
                self._loop.tell(partial(self._go_on, self._loop))
        for future, _ in left:
            future.cancel()
        if wait and self._thread:
            self._thread.join()

    def _started(self) -> Loop:
        loop = Loop(self._initialize)
        thread = threading.Thread(target=self._run, args=(loop,), name="conversations", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            loop.close()
            raise
        self._loop, self._thread = loop, thread
        return loop

    def _run(self, loop: Loop) -> None:
        reason: BaseException | None = None
        try:
            loop.run()
        except BaseException as error:  # noqa: BLE001  whoever waits is told
            reason = error
        with self._lock:
            self._loop = None
            left = [*self._begun, *(future for future, _ in self._jobs)]
            self._jobs.clear()
            loop.close()
        for future in left:
            if not future.done() and (future.running() or future.set_running_or_notify_cancel()):
                future.set_exception(reason)

    def _go_on(self, loop: Loop) -> None:
        """Begin what there is room for, or end where nothing is left to be done; in the loop's thread."""
        while self._jobs and loop.running < self._width:
            with suppress(IndexError):  # cancelled meanwhile
                future, work = self._jobs.popleft()
                self._begun.add(future)  # now: the loop may break down before it comes to it
                loop.begin(partial(self._converse, loop, future, work))
        with self._lock:
            if self._over and not self._jobs and not loop.running:
                loop.stop()

    def _converse(self, loop: Loop, future: concurrent.futures.Future[Any], work: Callable[[], Any]) -> None:
        try:
            if not future.set_running_or_notify_cancel():
                self._begun.discard(future)
                return
            try:
                said = work()
            except GreenletExit:  # the loop ends, and says why
                return
            except BaseException as error:  # noqa: BLE001  whoever waits for it gets it
                future.set_exception(error)
            else:
                future.set_result(said)
            self._begun.discard(future)
        finally:
            loop.tell(partial(self._go_on, loop))


def _nothing() -> None:
    """What is initialized where nobody says."""
