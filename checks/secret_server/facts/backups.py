"""What is known of the backups that the inventory names."""

from __future__ import annotations

from checks.common.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """One backup as a node sees it."""

    path: str
    """As the inventory names it."""
    found: str
    """The file or folder that counts: `path` itself, or the newest that fits in it; empty where there is none."""
    kind: str
    """zip, folder (a copy of the application's), file (anything else), nothing (the folder `path` holds no backup),
    missing, or closed (it could not be looked at)."""
    size_bytes: int | None
    """None for a folder, or where there is no file."""
    age_s: float | None
    """Seconds since it was written, by the node's own clock; of a folder since the newest of its times."""
    left_out: int = 0
    """Files and folders in `path` that were too many to be looked at."""
    problem: str = ""
    """Why it could not be looked at, one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFile:
    """The `encryption.config` in a backup. Its content never leaves the node."""

    path: str
    state: str
    """listed (in a zip), hashed, missing, locked, denied or unreadable."""
    size_bytes: int | None
    sha256: str = ""
    """64 lower-case hex digits where `state` is hashed."""
    efs: bool = False
    """NTFS attribute 0x4000."""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppBackup:
    """The backup of the application's folder."""

    backup: Backup | None
    """None where the inventory does not send this node to look for one."""
    contents: str = ""
    """Of a zip: listed, broken (it has no end), or unseen (its list of contents could not be read); else empty."""
    entries: int | None = None
    """Files in a zip."""
    web_config: bool = False
    """Whether web.config is in it, which any copy of the application has."""
    web_config_bytes: int | None = None
    """Its size; None where there is none, or where that was not asked."""
    libraries: bool | None = None
    """Whether a library (bin\\*.dll) is in it; None where that was not asked."""
    keys: tuple[KeyFile, ...] = ()


@dataclass(frozen=True, slots=True)
class BackupFile:
    """One of the newest files in a folder of backups."""

    name: str
    size_bytes: int
    age_s: float
    """Seconds since it was written, by the node's own clock."""


@dataclass(frozen=True, slots=True)
class DatabaseBackupFile:
    """The backup of the database as a file."""

    backup: Backup | None
    """None where the inventory does not send this node to look for one."""
    folder: bool = False
    """Whether the inventory names a folder, of which `backup` is the newest file."""
    files: tuple[BackupFile, ...] = ()
    """The newest of that folder, the newest first; empty for a file, and where they were not asked."""
