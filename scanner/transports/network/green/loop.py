"""The loop that wakes each conversation once what it waits for has come."""

from __future__ import annotations

import heapq
import itertools
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import greenlet

_BROKEN = getattr(select, "EPOLLHUP", 0) | getattr(select, "EPOLLERR", 0)
_ENDED = getattr(select, "EPOLLRDHUP", 0) | getattr(select, "EPOLLPRI", 0) | _BROKEN
"""Or a byte out of band, at which reading stops for once although there is more that nobody is told of any more."""
_READABLE = getattr(select, "EPOLLIN", 0) | _ENDED
_WRITABLE = getattr(select, "EPOLLOUT", 0) | _BROKEN
_EVENTS = _READABLE | _WRITABLE | getattr(select, "EPOLLET", 0)
_TURN_S = 0.005
"""For so long one conversation may go on while there is always something for it to read."""
_LONGEST_S = 3600.0
_EVENTS_AT_A_TIME = 256


_here = threading.local()
"""The loop that this thread runs."""


class Watched(Protocol):
    """A socket that the system tells of."""

    def tell(self, *, readable: bool, writable: bool, ended: bool = False) -> None:
        """Something has come, or there is room; or the peer has ended what it says."""
        ...


class Park:
    """A conversation that waits. Whoever wakes it first counts; all of it happens in the loop's thread."""

    __slots__ = ("_loop", "_sleeper", "woken")

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._sleeper: greenlet.greenlet | None = None
        self.woken = False
        """Whether that for which it waited has come; else the time was up."""

    def wait(self, until: float | None) -> bool:
        """Let others go on until it is woken, or until then, by the monotonic clock; whether it was woken."""
        if self.woken:
            return True
        self._sleeper = greenlet.getcurrent()
        if until is not None:
            self._loop.remind(until, self)
        self._loop.hub.switch()
        return self.woken

    def wake(self) -> None:
        """What it waits for is there."""
        self.woken = True
        self.go_on()

    def go_on(self) -> None:
        """It has waited for long enough, whether for something or in vain."""
        sleeper, self._sleeper = self._sleeper, None
        if sleeper is not None:
            self._loop.ready.append(sleeper)


class Loop:
    """Runs conversations until it is told to end and none is left, all in the thread that runs it.

    Linux alone: it rests on epoll. Raises OSError where the system has no room for what it needs.
    """

    hub: greenlet.greenlet
    """What runs while every conversation waits; there once `run` has begun."""

    def __init__(self, initialize: Callable[[], object] = lambda: None) -> None:
        self.initialize = initialize
        """What every thread does first that works for this loop, its own among them."""
        self.ready: deque[greenlet.greenlet] = deque()
        self._alive: set[greenlet.greenlet] = set()
        self.resumed = 0.0
        """When the conversation that runs was given its turn, by the monotonic clock."""
        self._told: deque[Callable[[], None]] = deque()
        self._ringing = threading.Lock()
        self._poll = select.epoll()
        try:
            self._alarm = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            self._poll.register(self._alarm, select.EPOLLIN)
        except OSError:
            self._poll.close()
            raise
        self._sockets: dict[int, Watched] = {}
        self._due: list[tuple[float, int, Park]] = []
        self._numbers = itertools.count()
        self._sleeps = self._over = False

    @staticmethod
    def current() -> Loop | None:
        """The one that the caller runs in; None in an ordinary thread."""
        loop: Loop | None = getattr(_here, "loop", None)  # and no thread without one has anything of greenlet's
        return loop

    def tell(self, what: Callable[[], None]) -> None:
        """Have the loop's thread do something short, from any thread."""
        self._told.append(what)
        if self._sleeps:
            with self._ringing:
                if self._alarm >= 0:
                    os.eventfd_write(self._alarm, 1)

    def begin(self, work: Callable[[], None]) -> None:
        """Start a conversation, in the loop's thread. `work` raises nothing."""

        def whole() -> None:
            try:
                work()
            finally:
                self._alive.discard(greenlet.getcurrent())

        conversation = greenlet.greenlet(whole, self.hub)
        self._alive.add(conversation)
        self.ready.append(conversation)

    @property
    def running(self) -> int:
        """Conversations that have begun and not ended."""
        return len(self._alive)

    def watch(self, number: int, watched: Watched) -> None:
        """Tell a socket from now on when there is something to read, or room to write again."""
        self._sockets[number] = watched
        self._poll.register(number, _EVENTS)

    def forget(self, number: int, watched: Watched) -> None:
        """It is being closed."""
        if self._sockets.get(number) is watched:
            del self._sockets[number]

    def remind(self, when: float, park: Park) -> None:
        """Its time is up then, by the monotonic clock."""
        heapq.heappush(self._due, (when, next(self._numbers), park))

    def let_others(self) -> None:
        """Let the others go on, where the conversation that calls has had its turn."""
        if time.monotonic() - self.resumed > _TURN_S:
            self.ready.append(greenlet.getcurrent())
            self.hub.switch()

    def run(self) -> None:
        """Until it is told to `stop`."""
        self.hub = greenlet.getcurrent()
        _here.loop = self
        try:
            self.initialize()
            while not self._over:
                self._turn()
        finally:
            self._leave()

    def _leave(self) -> None:
        """Let nothing of greenlet's outlive the thread.

        What something refers to yet of a thread that has ended, its first greenlet, is given free twice, and takes
        the process along (greenlet 3.5.6 with Python 3.11).
        """
        for left in list(self._alive):  # none, but where the loop itself has broken down
            with suppress(BaseException):
                left.throw()
        for kept in (self._alive, self.ready, self._sockets, self._due):
            kept.clear()
        del self.hub, _here.loop

    def stop(self) -> None:
        """It is over, in the loop's thread."""
        self._over = True

    def close(self) -> None:
        """Let go of what it holds of the system."""
        self._poll.close()
        with self._ringing:  # who rings late must not ring at what was given this number meanwhile
            os.close(self._alarm)
            self._alarm = -1

    def _turn(self) -> None:
        for _ in range(len(self.ready)):
            self.resumed = time.monotonic()
            self.ready.popleft().switch()
        self._hear()
        self._look(0.0 if self._over else self._patience())
        now = time.monotonic()
        while self._due and (self._due[0][2].woken or self._due[0][0] <= now):
            heapq.heappop(self._due)[2].go_on()

    def _hear(self) -> None:
        while self._told:
            self._told.popleft()()

    def _patience(self) -> float:
        if self.ready:
            return 0.0
        return max(0.0, min(_LONGEST_S, self._due[0][0] - time.monotonic())) if self._due else _LONGEST_S

    def _look(self, seconds: float) -> None:
        self._sleeps = seconds > 0
        # What was told before that was not rung for.
        try:
            found = self._poll.poll(0 if self._told else seconds, _EVENTS_AT_A_TIME)
        finally:
            self._sleeps = False
        for number, events in found:
            if number == self._alarm:
                os.eventfd_read(self._alarm)
            elif watched := self._sockets.get(number):
                watched.tell(
                    readable=bool(events & _READABLE), writable=bool(events & _WRITABLE), ended=bool(events & _ENDED)
                )
        self._hear()
