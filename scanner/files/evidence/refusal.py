"""What is said of a file that is no evidence, or none any more."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from scanner.errors import UsageError

AGAIN = "copy it again from where it was collected, or collect again"


def refuse(path: Path, why: str) -> NoReturn:
    """Raise the UsageError."""
    raise UsageError(f"evidence {path}: {why}")


def mib(size: int) -> str:
    """So many bytes, in words."""
    return f"{size / 1024 / 1024:,.0f} MiB"
