"""Files of ours read part by part: only what is laid out as preflight writes it is read so.

Whatever else there is (edited by hand, damaged, of another format) is left to a reader of whole documents, which tells
of it in full.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NoReturn


class OtherwiseError(Exception):
    """The file is not as preflight writes it."""


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The file, to be read. Raises OSError, and OtherwiseError for what can be read only once."""
    # A pipe that is opened is a pipe begun: whoever writes to it would find nobody there, and the next reader nothing.
    if not stat.S_ISREG(path.stat().st_mode):
        raise OtherwiseError
    with path.open("rb") as file:
        yield file


def no_constant(_: str) -> NoReturn:
    """For NaN and infinity, which stand in no document of ours."""
    raise OtherwiseError
