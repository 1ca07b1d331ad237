"""Something done in a copy of this process, which nothing that it does can change."""

from __future__ import annotations

import os
from collections.abc import Callable


def in_a_copy(run: Callable[[], tuple[int, str]], *, broken: tuple[int, str]) -> tuple[int, str]:
    """The status and the words that `run` gives there, or `broken` where it raises.

    The status is negative where a signal ends it.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status, said = broken
        try:
            os.close(reading)
            try:
                status, said = run()
            finally:
                os.write(writing, said.encode())
        finally:
            os._exit(status)
    os.close(writing)
    with open(reading, encoding="utf-8") as pipe:  # noqa: PTH123  a descriptor
        said = pipe.read()
    _, ended = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(ended), said
