"""Whether something is at a path, for whoever may not even look there.

pathlib raises what the system says of the way to it, such as of a folder that may not be entered, and of names that are
too long: every path that users write would need to be asked for that.
"""

from __future__ import annotations

import os
from pathlib import Path

_NOTHING = (FileNotFoundError, NotADirectoryError)


def exists(path: str | Path) -> bool:
    """Whether there is anything, as far as can be seen."""
    return os.path.exists(path)  # noqa: PTH110  it gives False where pathlib raises


def is_file(path: str | Path) -> bool:
    """Whether a regular file is seen there."""
    return os.path.isfile(path)  # noqa: PTH113  as above


def is_folder(path: str | Path) -> bool:
    """Whether a folder is seen there."""
    return os.path.isdir(path)  # noqa: PTH112  as above


def is_missing(path: str | Path) -> bool:
    """Whether there certainly is nothing."""
    return isinstance(_trouble(path), _NOTHING)


def unseen(path: str | Path, what: str = "file") -> str:
    """Why nothing is seen at the path, in words that go behind it and a colon; "" where something is."""
    trouble = _trouble(path)
    if trouble is None:
        return ""
    if isinstance(trouble, _NOTHING):
        return f"there is no such {what}"
    if isinstance(trouble, PermissionError):
        return f"you may not look for this {what} there; check who may enter the folders on the way"
    return f"it cannot be looked for: {getattr(trouble, 'strerror', None) or trouble}"


def _trouble(path: str | Path) -> OSError | ValueError | None:
    """What keeps the path from being looked at."""
    try:
        Path(path).stat()
    except (OSError, ValueError) as trouble:
        return trouble
    return None
