"""The last thing that a command says: its exit code, to the process that watches over it, where there is one."""

from __future__ import annotations

import contextlib
import os

_told_to = -1


def tell_to(descriptor: int) -> None:
    """Say it there."""
    global _told_to  # noqa: PLW0603  a process ends once
    _told_to = descriptor


def tell(code: object) -> None:
    """Say that the end has come, with this exit code. Only the first one counts."""
    global _told_to
    descriptor, _told_to = _told_to, -1
    if descriptor >= 0:
        number = 0 if code is None else code if isinstance(code, int) else 1
        with contextlib.suppress(OSError):
            os.write(descriptor, bytes([number & 0xFF]))
            os.close(descriptor)
