"""Calls of the operating system and of C libraries that nothing can interrupt, for so long and no longer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def within(seconds: float, call: Callable[[], T], name: str = "bounded") -> T:
    """What `call` gives, or raises. Raises TimeoutError when it takes longer; its thread is then left to itself.

    For what gives the interpreter free while it waits: libkrb5, resolvers. A thread that is left ends with the process.
    """
    results: list[T] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            results.append(call())
        except Exception as error:  # noqa: BLE001  raised again below, in the caller's thread
            errors.append(error)

    worker = threading.Thread(target=run, name=name, daemon=True)
    worker.start()
    worker.join(max(0.0, seconds))
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError(f"{name} took longer than {seconds:g} s")
    return results[0]
