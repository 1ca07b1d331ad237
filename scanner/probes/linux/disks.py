"""What a Linux machine of a Chef cluster is asked about its disks. Root is needed to find an index that was moved."""

from __future__ import annotations

import re
from collections.abc import Sequence

from checks.common.dataclass import dataclass
from checks.common.disk_facts import Drive, LinuxDisks
from checks.engine.wording import count
from scanner.probes.probe import Answer, Probe, UnreadableError

FOLDERS = ("/var/log/chef-backend", "/var/opt/chef-backend")
_USUAL_INDEX = "/var/opt/chef-backend/elasticsearch/data"
_LINE_CHARS = 10_000
"""A device and a mount point have paths of at most 4,096 characters."""
_FIGURES = tuple(map(re.compile, (r"\d{1,18}", r"\d{1,18}", r"-?\d{1,18}", r"\d{1,18}%|-", r"/.*")))
"""What follows a file system's type, word by word: size, used, free, share, and where the mount point's name begins."""
_SECTION = re.compile(r"^(folder|elasticsearch) (/.*)$", re.MULTILINE)
# Said before anything else, so that it is missed where the rest of the answer is cut.
_INDEX = re.compile(r"index (/.*)\n")
_IN_MEMORY = ("tmpfs", "devtmpfs", "ramfs", "squashfs", "iso9660", "efivarfs")
# Drawn over another file system, or lent by the machine's own host: their size is not the machine's, or is told twice.
_LAYERED = ("overlay", "aufs", "unionfs", "rootfs", "vboxsf", "vmhgfs", "prl_fs", "9p", "virtiofs", "fuse.")


@dataclass(frozen=True, slots=True)
class _Row:
    device: str
    drive: Drive
    used_bytes: int


def read_linux_disks(answer: Answer) -> LinuxDisks:
    """Read `df -PTk` of all local file systems, then of each folder. Raises UnreadableError."""
    if answer.truncated:
        raise UnreadableError("the output of df was cut at the size cap")
    if answer.exit_code != 0:
        raise UnreadableError(f"df failed: {_shown(answer.output or answer.error_output)}")
    asked = _INDEX.match(answer.output)
    whole, *parts = _SECTION.split(answer.output[asked.end() :] if asked else answer.output)
    rows = [row for row in _rows(whole) if row.drive.kind not in _IN_MEMORY]
    if not rows:
        raise UnreadableError(f"df names no local file system: {_shown(whole)}")
    sections = list(zip(parts[::3], parts[1::3], parts[2::3], strict=True))
    folders = tuple(
        (path, _folder(path, text, answer.error_output)) for kind, path, text in sections if kind == "folder"
    )
    # A last line without its end was cut in its middle; and what was to come after it was not seen.
    if not answer.output.endswith("\n") or not dict(folders).keys() >= set(FOLDERS):
        raise UnreadableError(f"the answer of df is cut off: it ends with {_shown(answer.output[-200:])}")
    if not asked:  # collected before it was asked for: where it usually is
        own = _mounted(rows, _USUAL_INDEX)
        apart = own and own.name.startswith(f"{FOLDERS[1]}/")
        return LinuxDisks(_disks(rows), folders, _USUAL_INDEX, own) if apart else LinuxDisks(_disks(rows), folders)
    path, text = next(((path, text) for kind, path, text in sections if kind == "elasticsearch"), ("", ""))
    if path != asked[1]:
        raise UnreadableError(f"the answer of df is cut off: it says nothing of {_shown(asked[1])}")
    # The folder is Elasticsearch's own, and may be hidden from others; where it is mounted, the first table tells.
    index = _folder(path, text, answer.error_output) or _mounted(rows, path)
    return LinuxDisks(_disks(rows), folders, path, index)


def _folder(path: str, said: str, errors: str) -> Drive | None:
    if said.strip() == "missing":
        return None
    rows = _rows(said)
    if len(rows) != 1:
        raise UnreadableError(f"df does not tell where {path} lies: {_shown(said.strip() or errors)}")
    return rows[0].drive


def _disks(rows: Sequence[_Row]) -> tuple[Drive, ...]:
    """The file systems whose sizes add up to the machine's disks: each device once."""
    own = [row for row in rows if not row.drive.kind.startswith(_LAYERED)] or rows
    disks: dict[str, Drive] = {}
    used: dict[str, int] = {}
    for row in own:
        # Datasets of one pool share its free space, and each counts it as its own.
        device = row.device.partition("/")[0] if row.drive.kind == "zfs" else row.device
        disks.setdefault(device, row.drive)
        used[device] = used.get(device, 0) + row.used_bytes
    return tuple(
        Drive(disk.name, used[name] + disk.free_bytes, disk.free_bytes, disk.kind) if disk.kind == "zfs" else disk
        for name, disk in disks.items()
    )


def _mounted(rows: Sequence[_Row], path: str) -> Drive | None:
    """The local file system that `path` lies on by its name."""
    above = [row.drive for row in rows if f"{path}/".startswith(f"{row.drive.name.rstrip('/')}/")]
    return max(above, key=lambda drive: len(drive.name), default=None)


def _rows(text: str) -> list[_Row]:
    rows = []
    for line in text.splitlines():
        if len(line) > _LINE_CHARS:
            raise UnreadableError(f"df printed a line of {count(len(line), 'character')}: {_shown(line[:400])}")
        found = _row(line.strip())
        if found:
            device, kind, total, used, free, mounted = found
            if not kind.isascii():
                raise UnreadableError(f"this line of df names no kind of file system: {_shown(line)}")
            drive = Drive(mounted, int(total) * 1024, max(0, int(free)) * 1024, kind)
            rows.append(_Row(device, drive, int(used) * 1024))
        elif line.strip() and not line.startswith("Filesystem "):
            raise UnreadableError(f"this line of df is not understood: {_shown(line)}")
    return rows


def _row(line: str) -> tuple[str, ...] | None:
    """Device, type, size, used, free and mount point. A device's name and a mount point's may hold blanks.

    Word by word: a pattern for the whole line looks at a long one again and again.
    """
    words = list(re.finditer(r"\S+", line))
    for number in range(1, len(words) - len(_FIGURES)):
        figures = words[number + 1 : number + 1 + len(_FIGURES)]
        if all(form.fullmatch(word[0]) for form, word in zip(_FIGURES, figures, strict=True)):
            total, used, free = (word[0] for word in figures[:3])
            device = line[: words[number - 1].end()]
            return device, words[number][0], total, used, free, line[figures[-1].start() :]
    return None


def _shown(text: str) -> str:
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return repr(line[:200])


PROBES = (
    Probe(
        id="linux-disks",
        language="sh",
        purpose="size and free space of the local file systems, and which hold Chef Backend's data, logs and index",
        script="""\
folder= quote="['\\"]" line='
'
if [ -d /etc/chef-backend ]; then
    setting="^[[:space:]]*elasticsearch[.[]$quote*data_dir$quote*[]]*[[:space:]]*=*[[:space:]]*$quote"
    folder=$(
        $SUDO cat /etc/chef-backend/chef-backend.rb | sed -n "s|$setting\\(/[^'\\"]*\\).*|\\1|p"
    )
    folder=${folder##*"$line"}
fi
case $folder in /*) index=$folder ;; *) index=/var/opt/chef-backend/elasticsearch/data ;; esac
echo "index $index"
df -PTkl 2>/dev/null
for folder in /var/log/chef-backend /var/opt/chef-backend; do
    echo "folder $folder"
    if [ -d "$folder" ]; then df -PTk "$folder"; else echo missing; fi
done
echo "elasticsearch $index"
if [ -d "$index" ]; then df -PTk "$index"; else echo missing; fi""",
        readers=((LinuxDisks, read_linux_disks),),
        sample="index /var/opt/chef-backend/elasticsearch/data\n"
        "Filesystem     Type  1024-blocks     Used Available Capacity Mounted on\n"
        "tmpfs          tmpfs     1930000        0   1930000       0% /dev/shm\n"
        "/dev/sda2      xfs      97656250 39062500  58593750      40% /\n"
        "folder /var/log/chef-backend\n"
        "Filesystem     Type 1024-blocks     Used Available Capacity Mounted on\n"
        "/dev/sda2      xfs     97656250 39062500  58593750      40% /\n"
        "folder /var/opt/chef-backend\n"
        "Filesystem     Type 1024-blocks     Used Available Capacity Mounted on\n"
        "/dev/sda2      xfs     97656250 39062500  58593750      40% /\n"
        "elasticsearch /var/opt/chef-backend/elasticsearch/data\n"
        "Filesystem     Type 1024-blocks     Used Available Capacity Mounted on\n"
        "/dev/sda2      xfs     97656250 39062500  58593750      40% /\n",
    ),
)
