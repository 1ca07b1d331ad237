"""What is known of a host's disks, Windows or Linux."""

from __future__ import annotations

from checks.common.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Drive:
    """One fixed drive of Windows, or one local file system of Linux."""

    name: str
    """"C:", without a backslash; or where it is mounted."""
    total_bytes: int
    free_bytes: int
    kind: str = ""
    """The file system's type on Linux: "xfs"."""

    @property
    def quota(self) -> bool:
        """Whether a disk quota of the scanner's account stands in for the drive's size: more is free than there is."""
        return self.free_bytes > self.total_bytes


@dataclass(frozen=True, slots=True)
class Disks:
    """The fixed drives of a Windows host. Volumes that are mounted into folders are not among them."""

    drives: tuple[Drive, ...]
    system: str
    """The drive that Windows lies on, "C:"."""
    sql_folders: tuple[str, ...] = ()
    """Where SQL Server's instances keep data and logs unless told otherwise, as the registry has it."""


@dataclass(frozen=True, slots=True)
class LinuxDisks:
    """The local file systems of a Linux host, each device once, without those in memory or drawn over another."""

    drives: tuple[Drive, ...]
    folders: tuple[tuple[str, Drive | None], ...]
    """Folders of the product, each with the file system it lies on; None where there is no such folder."""
    index_folder: str = ""
    """Where Elasticsearch keeps its data, as the node's own configuration has it; empty where that was not asked."""
    index: Drive | None = None
    """The file system that it lies on; None where that is not known."""
