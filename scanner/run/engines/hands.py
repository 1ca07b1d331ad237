"""The threads that ask nodes: as many as this machine gives, and room for the connections that they hold."""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from typing import Any, Self, TypeVar

from scanner.run.node import NodeRequest
from scanner.transports.network.green.executor import POSSIBLE, GreenExecutor
from scanner.transports.network.green.waiting import Turns

T = TypeVar("T")

_DESCRIPTORS_PER_HAND = 8
"""A connection through a jump host, an agent, a key file, a child's pipes: more than any conversation holds at once."""
_DESCRIPTORS_BESIDE = 64
_GREEN_LOGINS = ("ntlm", "basic", "certificate")
"""Over WinRM. The others may ask a domain controller, for which only a thread can wait."""


class Hands(concurrent.futures.ThreadPoolExecutor):
    """Threads; where no more can be started, those that there are do the work.

    What asks over SSH or WinRM alone, and logs in by itself, needs none of its own: all of these share one (see
    `scanner.transports.network.green`).
    """

    def __init__(
        self, width: int, *, initializer: Callable[..., object] | None = None, initargs: tuple[Any, ...] = ()
    ) -> None:
        super().__init__(width, initializer=initializer, initargs=initargs)
        self._green = GreenExecutor(width, initializer=initializer, initargs=initargs)

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> concurrent.futures.Future[T]:
        """See the base."""
        if POSSIBLE and any(isinstance(each, NodeRequest) and _is_green(each) for each in args):
            with suppress(OSError, RuntimeError):  # no room for a loop, or a sandbox that forbids what it rests on
                return self._green.submit(fn, *args, **kwargs)
        return super().submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """See the base."""
        self._green.shutdown(wait=False, cancel_futures=cancel_futures)
        super().shutdown(wait, cancel_futures=cancel_futures)
        self._green.shutdown(wait, cancel_futures=cancel_futures)

    def _adjust_thread_count(self) -> None:
        try:
            super()._adjust_thread_count()
        except RuntimeError:
            if not any(thread.is_alive() for thread in self._threads):
                raise


def make_room(hands: int) -> None:
    """Let this process open as many files as `hands` conversations need, where the system's hard limit lets it.

    Shells start programs with 1,024 (256 on macOS), whatever the machine could do.
    """
    try:
        import resource
    except ImportError:  # Windows: there is no such limit
        return
    wanted = _DESCRIPTORS_BESIDE + _DESCRIPTORS_PER_HAND * hands
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    more = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, more), hard))
    except (OSError, ValueError):
        return  # the conversations that find none left say so


class Gate(AbstractContextManager["Gate"]):
    """Bounds how many nodes are worked on at a time, and knows how many are."""

    def __init__(self, width: int) -> None:
        self._slots = Turns(width)
        self._lock = threading.Lock()
        self.active = 0

    def __enter__(self) -> Self:
        self._slots.acquire()
        with self._lock:
            self.active += 1
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self.active -= 1
        self._slots.release()


def _is_green(call: NodeRequest) -> bool:
    """Whether nothing of it waits but as a green thread does."""
    node = call.node
    if any(probe.language == "tds" for probe in call.probes):
        return False
    if node.transport == "winrm":
        return node.winrm is not None and node.winrm.auth in _GREEN_LOGINS
    return node.transport == "ssh"
