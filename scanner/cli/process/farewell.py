"""The last thing that a command says: its exit code, to the process that watches over it, where there is one."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys

_told_to = -1
_code = -1


def tell_to(descriptor: int) -> None:
    """Say it there."""
    global _told_to  # noqa: PLW0603  a process ends once
    _told_to = descriptor


def tell(code: object) -> None:
    """Say that the end has come, with this exit code. Only the first one counts."""
    global _told_to, _code  # noqa: PLW0603
    descriptor, _told_to = _told_to, -1
    if descriptor >= 0:
        number = 0 if code is None else code if isinstance(code, int) else 1
        _code = number & 0xFF
        with contextlib.suppress(OSError):
            os.write(descriptor, bytes([_code]))
            os.close(descriptor)


def leave_unswept() -> None:
    """End the process, once its threads have ended and everybody has tidied up, without taking it to pieces.

    The interpreter would free every object of a large scan one by one, and every module, a moment before the system
    takes back all of it at once. Whoever calls this before anything else is registered comes last.
    """
    atexit.register(_leave)


def _leave() -> None:
    if _code < 0:  # the end is none that anybody was told of
        return
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(_code)
