"""What a WS-Man server keeps under a key for one account, shells and sessions, while an operation is at work on it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Protocol, TypeVar

from scanner.lab.servers.wsman.messages import Request
from scanner.lab.servers.wsman.soap_faults import not_found_fault


class Kept(Protocol):
    """One of them."""

    owner: str
    busy: int
    """Operations that are at work on it: it is not idle meanwhile."""
    touched_s: float


K = TypeVar("K", bound=Kept)


@contextlib.contextmanager
def in_use(request: Request, user: str, kept: Mapping[str, K], lock: threading.Lock) -> Iterator[K]:
    """The one that the request names, busy until the end. Raises FaultError where there is none.

    Another account's is as good as none.
    """
    key = request.selector("ShellId")
    with lock:
        found = kept.get(key.upper())
        if found is None or found.owner != user:
            raise not_found_fault("ShellId", key)
        found.busy += 1
    try:
        yield found
    finally:
        with lock:
            found.busy -= 1
            found.touched_s = time.monotonic()
