"""What `df` says of a simulated machine's file systems, as the probe of the disks asks it."""

from __future__ import annotations

from typing import Annotated

from reports.codec.shape import Form
from scanner.lab.machines.chef_backend.cluster import CommandOutput

_INDEX = "/var/opt/chef-backend/elasticsearch/data"

Volume = tuple[str, str, int, int, int, str]
"""Device, type, KiB in all, KiB used, KiB free, where it is mounted."""


def answer(
    disk_gb: int, free_mb: int, file_system: str, index_disk: tuple[int, ...], *, backend: bool
) -> CommandOutput:
    """One disk, with the product's folders on it, or on another file system of the given type."""
    disk = _volume("/dev/sda2", "xfs", disk_gb * 10**9, free_mb * 10**6, "/")
    elsewhere = _volume("nas:/chef", file_system, disk_gb * 10**9, free_mb * 10**6, "/var/opt")
    data = disk if file_system == "xfs" else elsewhere
    local = [_volume("tmpfs", "tmpfs", 1_976_320_000, 1_976_320_000, "/dev/shm"), disk]  # noqa: S108  df names it so
    index = data
    if index_disk:
        size, free = (number * 10**9 for number in index_disk)
        index = _volume("/dev/sdb1", "xfs", size, free, _INDEX)
        local.append(index)
    text = f"index {_INDEX}\n" + table(*local)
    for folder, volume in (("/var/log/chef-backend", disk), ("/var/opt/chef-backend", data)):
        text += f"folder {folder}\n" + (table(volume) if backend else "missing\n")
    return CommandOutput(text + f"elasticsearch {_INDEX}\n" + (table(index) if backend else "missing\n"))


def table(*volumes: Volume) -> str:
    """The table of GNU `df -PTk`, columns as wide as their widest cell."""
    rows = [("Filesystem", "Type", "1024-blocks", "Used", "Available", "Capacity", "Mounted on")]
    for device, kind, size, used, free, mounted in volumes:
        # Rounded up, and of what is not kept for root.
        percent = -(-100 * used // (used + free)) if used + free else 0
        rows.append((device, kind, str(size), str(used), str(free), f"{percent}%", mounted))
    widths = [max(len(row[column]) for row in rows) for column in range(6)]
    widths[0], widths[3] = max(widths[0], 14), max(widths[3], 5)
    return "".join(
        f"{row[0]:<{widths[0]}} {row[1]:<{widths[1]}} "
        + " ".join(cell.rjust(width) for cell, width in zip(row[2:6], widths[2:], strict=True))
        + f" {row[6]}\n"
        for row in rows
    )


def _index_disk(sizes: object) -> tuple[int, ...]:
    numbers = sizes if isinstance(sizes, list) else [0]
    if len(numbers) not in (0, 2) or not all(type(size) is int and size > 0 for size in numbers):
        raise ValueError
    return tuple(numbers)


IndexDisk = Annotated[tuple[int, ...], Form("GB and GB free, such as [200, 30]", _index_disk, {"type": "array"})]
"""GB, and GB free, of a disk that Elasticsearch's data have to themselves; empty: there is none."""


def _volume(device: str, kind: str, size_bytes: int, free_bytes: int, mounted: str) -> Volume:
    size, free = size_bytes // 1024, free_bytes // 1024
    return (device, kind, size, max(0, size - free), free, mounted)
