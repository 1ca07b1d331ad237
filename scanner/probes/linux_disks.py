"""What a Linux machine of a Chef cluster is asked about its disks. Needs no root."""

from __future__ import annotations

import re

from checks.disk_facts import Drive, LinuxDisks
from scanner.probes.probe import Answer, Probe, UnreadableError

_ROW = re.compile(r"(\S.*?)\s+(\S+)\s+(\d+)\s+\d+\s+(-?\d+)\s+(?:\d+%|-)\s+(/.*)")
_IN_MEMORY = ("tmpfs", "devtmpfs", "ramfs", "squashfs", "iso9660", "efivarfs")


def read_linux_disks(answer: Answer) -> LinuxDisks:
    """Read `df -PTk` of all local file systems, then of each folder. Raises UnreadableError."""
    if answer.exit_code != 0 or answer.truncated:
        raise UnreadableError(f"df failed: {_shown(answer.output or answer.error_output)}")
    whole, *parts = re.split(r"^folder (/\S+)$", answer.output, flags=re.MULTILINE)
    local = {device: drive for device, drive in _rows(whole) if drive.kind not in _IN_MEMORY}
    if not local:
        raise UnreadableError(f"df names no local file system: {_shown(whole)}")
    pairs = zip(parts[::2], parts[1::2], strict=True)
    folders = tuple((path, _folder(path, said, answer.error_output)) for path, said in pairs)
    return LinuxDisks(tuple(local.values()), folders)


def _folder(path: str, said: str, errors: str) -> Drive | None:
    if said.strip() == "missing":
        return None
    rows = _rows(said)
    if len(rows) != 1:
        raise UnreadableError(f"df does not tell where {path} lies: {_shown(said.strip() or errors)}")
    return rows[0][1]


def _rows(text: str) -> list[tuple[str, Drive]]:
    rows = []
    for line in text.splitlines():
        found = _ROW.fullmatch(line.strip())
        if found:
            device, kind, total, free, mounted = found.groups()
            rows.append((device, Drive(mounted, int(total) * 1024, max(0, int(free)) * 1024, kind)))
        elif line.strip() and not line.startswith("Filesystem "):
            raise UnreadableError(f"this line of df is not understood: {_shown(line)}")
    return rows


def _shown(text: str) -> str:
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return repr(line[:200])


PROBES = (
    Probe(
        id="linux-disks",
        language="sh",
        purpose="size and free space of the local file systems, and which of them hold Chef Backend's data and logs",
        script="""\
df -PTkl 2>/dev/null
for folder in /var/log/chef-backend /var/opt/chef-backend; do
    echo "folder $folder"
    if [ -d "$folder" ]; then df -PTk "$folder"; else echo missing; fi
done""",
        readers=((LinuxDisks, read_linux_disks),),
    ),
)
