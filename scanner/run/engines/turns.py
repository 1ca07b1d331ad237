"""How long a thread has its turn, while hundreds wait for nodes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

_TURN_S = 0.05
_SHORT_TURN_S = 0.005


@contextmanager
def unhurried() -> Iterator[None]:
    """Let a thread have its turn for longer than the interpreter's 5 ms, after which each of those that wait wakes up.

    They only ever wait for a moment, and there are hundreds: what they are woken for is a fifth of what the system does
    for a scan.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(_TURN_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


@contextmanager
def at_once() -> Iterator[None]:
    """Let threads that a node has answered go on soon, while this one computes for long: others' time is running, and
    when an answer came is what clocks are compared by.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(min(before, _SHORT_TURN_S))
    try:
        yield
    finally:
        sys.setswitchinterval(before)
