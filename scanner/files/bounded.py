"""What a file of ours holds, read up to a bound, and what is said where it cannot be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from reports.text import one_line
from scanner.errors import UsageError

_SAID_CHARS = 200


def read_bounded(path: Path, most_bytes: int, *, what: str, absent: str) -> bytes:
    """The content of the file at `path`, which is to hold `what`. Raises UsageError; `absent` is said of no file."""
    try:
        with path.open("rb") as file:
            data = file.read(most_bytes + 1)
    except FileNotFoundError:
        raise UsageError(f"{path}: {absent}") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise UsageError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(data) > most_bytes:
        raise UsageError(f"{path}: is larger than {most_bytes >> 20} MiB, and {what}")
    return data


def read_json(path: Path, most_bytes: int, *, what: str, advice: str) -> Any:
    """The JSON value in the file. Raises UsageError."""
    data = read_bounded(path, most_bytes, what=what, absent=f"there is no such file; {advice}")
    try:
        return json.loads(data.decode("utf-8-sig"))
    except RecursionError:
        raise UsageError(f"{path}: is nested too deeply, and {what}") from None
    except ValueError as error:  # no JSON, no UTF-8, a number with thousands of digits
        raise UsageError(f"{path}: no JSON: {one_line(str(error), _SAID_CHARS)}; {advice}") from None
