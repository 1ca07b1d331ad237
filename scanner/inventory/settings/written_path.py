"""A path of an inventory: as this machine understands it, and as it was written, for machines with another home."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Self


class WrittenPath(str):
    """The whole path on the machine that read it."""

    __slots__ = ("written",)
    written: str

    def __new__(cls, path: str, written: str) -> Self:
        """`path` is what `written` means here."""
        made = super().__new__(cls, path)
        made.written = written
        return made

    def __reduce__(self) -> tuple[object, ...]:
        return WrittenPath, (str(self), self.written)


def expanded(path: str, folder: Path) -> str:
    """`path` with `~` expanded, and absolute: relative ones are relative to `folder`. Empty stays empty."""
    if not path:
        return ""
    written = path.written if isinstance(path, WrittenPath) else path
    return WrittenPath(str(folder / os.path.expanduser(written)), written)  # noqa: PTH111  Path.expanduser raises without a home
