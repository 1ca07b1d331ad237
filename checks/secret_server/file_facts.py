"""What is known of the files around a Secret Server application, beside its libraries."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DatabaseConfig:
    """The state of `database.config`. Its content never leaves the node."""

    path: str
    state: str
    """hashed, missing, locked, denied or unreadable."""
    sha256: str
    """64 lower-case hex digits; empty unless `state` is hashed. May differ between nodes legitimately."""
    efs: bool
    """NTFS attribute 0x4000."""
    size_bytes: int | None
    """None where not even the file's attributes could be read, or there is no file."""
    detail: str = ""
    """What Windows said where it could not be hashed, one line."""
