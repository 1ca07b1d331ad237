"""Whether something is at a path, for whoever may not even look there.

pathlib raises what the system says of the way to it, such as of a folder that may not be entered, and of names that are
too long: every path that users write would need to be asked for that.
"""

from __future__ import annotations

import os
from pathlib import Path


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
    try:
        Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        pass
    return False


def unseen(path: str | Path, what: str = "file") -> str:
    """Why nothing is seen at the path, in words that go behind it and a colon; "" where something is."""
    try:
        Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        return f"there is no such {what}"
    except PermissionError:
        return f"you may not look for this {what} there; check who may enter the folders on the way"
    except (OSError, ValueError) as error:
        return f"it cannot be looked for: {getattr(error, 'strerror', None) or error}"
    return ""
