"""Calls of the operating system and of C libraries that nothing can interrupt, each in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from scanner.transports.network.green.loop import Loop
from scanner.transports.network.green.waiting import Signal

T = TypeVar("T")
_MUCH_BYTES = 64 * 1024
"""What takes longer to look through than other conversations should wait: what one node says may take seconds."""


class TookTooLongError(TimeoutError):
    """A call did not end within its time."""


def within(seconds: float | None, call: Callable[[], T], name: str = "bounded") -> T:
    """What `call` gives, or raises. Raises TookTooLongError when it takes longer; its thread is then left to itself.

    For what gives the interpreter free while it waits: libkrb5, resolvers. A thread that is left ends with the process.
    """
    results: list[T] = []
    errors: list[BaseException] = []
    loop, done = Loop.current(), Signal()

    def run() -> None:
        try:
            if loop:
                loop.initialize()
            results.append(call())
        except BaseException as error:  # noqa: BLE001  raised again below, in the caller's thread
            errors.append(error)
        finally:
            done.set()

    threading.Thread(target=run, name=name, daemon=True).start()
    done.wait(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TookTooLongError(f"{name} took longer than {seconds:g} s")
    return results[0]


def aside(call: Callable[[], T]) -> T:
    """What `call` gives, or raises, from where it keeps no other conversation waiting."""
    return within(None, call, "aside") if Loop.current() else call()


def looked_through(size: int, call: Callable[[], T]) -> T:
    """What `call` gives, or raises, which looks through so many bytes that a node has said."""
    return aside(call) if size > _MUCH_BYTES else call()
