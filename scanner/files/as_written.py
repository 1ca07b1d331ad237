"""Files of ours read part by part: only what is laid out as preflight writes it is read so.

Whatever else there is (edited by hand, damaged, of another format) is left to a reader of whole documents, which tells
of it in full.
"""

from __future__ import annotations

import os
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
    with path.open("rb") as file:
        # That is read by whoever can tell what is wrong with it.
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OtherwiseError
        yield file


def no_constant(_: str) -> NoReturn:
    """For NaN and infinity, which stand in no document of ours."""
    raise OtherwiseError
