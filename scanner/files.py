"""Files that are either the old ones or the new ones, whatever happens while they are written."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from scanner.clock import now_s
from scanner.errors import UsageError

_DESCRIPTORS = {"/dev/stdout": 1, "/dev/stderr": 2}
_DESCRIPTOR_PATH = re.compile(r"/(?:dev|proc/self)/fd/(\d+)")
_LEFTOVER = re.compile(r"\.preflight-[0-9a-f]{16}\.tmp")
_LEFT_AFTER_S = 24 * 3600
_NEW_FILE_MODE = 0o666
"""Before the umask, as every program makes its files."""


def write_atomically(path: Path, data: bytes | str, mode: int | None = None) -> None:
    """Write `data` (text as UTF-8, newlines as they are) to `path` in one step.

    The data goes to a temporary file in the same folder, is flushed to the disk, and takes the old file's place. What
    a write that was killed left there a day ago or more is taken away. A symbolic link keeps pointing where it does:
    the file behind it is replaced. A pipe or device is written to directly.

    `mode` is the file's permission bits, umask or not; None keeps those of the file that was there, else the umask's.
    Raises UsageError, which says what to do, where the file cannot be written.
    """
    # What cannot be encoded (a lone surrogate) must not cost a report that took an hour to make.
    content = data.encode("utf-8", "backslashreplace") if isinstance(data, str) else data
    with _told(path):
        number = _descriptor(path)
        if number is not None or _is_device(path):
            with path.open("wb") if number is None else os.fdopen(os.dup(number), "wb") as device:
                device.write(content)
            return
        _replace(_writable_target(path), content, mode)


def ensure_writable(path: Path) -> None:
    """Raise the UsageError that `write_atomically` would end in now, as far as that can be known without writing."""
    with _told(path):
        if _descriptor(path) is None and not _is_device(path):
            _writable_target(path)


def same_file(one: Path, other: Path) -> bool:
    """Whether both names are of one file, there or not."""
    try:
        return one.samefile(other)
    except (OSError, ValueError):
        return one.absolute() == other.absolute()


def _descriptor(path: Path) -> int | None:
    """The open file that `path` stands for: 1 for /dev/stdout. Standard output may be a file that the shell has open;
    to replace that one, or to open it anew, would lose what else is written there.
    """
    if os.name != "posix":
        return None
    found = _DESCRIPTOR_PATH.fullmatch(str(path))
    return int(found[1]) if found else _DESCRIPTORS.get(str(path))


def _is_device(path: Path) -> bool:
    """Whether `path` is something to write into rather than a file to replace: a FIFO, /dev/null, NUL."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode))


def _writable_target(path: Path) -> Path:
    """The file to replace: `path`, or what it links to. Raises UsageError and OSError."""
    target = Path(os.path.realpath(path))
    folder = target.parent
    if target.is_dir():
        raise UsageError(f"cannot write {path}: it is a folder; name a file in it")
    if not folder.exists():
        raise UsageError(f"cannot write {path}: the folder {folder} does not exist; create it, or choose another place")
    if not folder.is_dir():
        raise UsageError(f"cannot write {path}: {folder} is no folder; choose another place")
    if not os.access(folder, os.W_OK):
        raise UsageError(f"cannot write {path}: you may not write in the folder {folder}; choose another place")
    if target.exists() and not os.access(target, os.W_OK):
        raise UsageError(f"cannot write {path}: the file that is there is write-protected; choose another name")
    return target


def _replace(target: Path, content: bytes, mode: int | None) -> None:
    if mode is None:
        with contextlib.suppress(FileNotFoundError):
            mode = stat.S_IMODE(target.stat().st_mode)
    # A name of its own length: one made from a long file name could become too long.
    temporary = target.with_name(f".preflight-{secrets.token_hex(8)}.tmp")
    _sweep(target.parent)
    # Never wider than asked for, not even for a moment.
    opened = os.open(
        temporary,
        os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0),
        _NEW_FILE_MODE if mode is None else mode & 0o600,
    )
    try:
        with os.fdopen(opened, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            temporary.chmod(mode)
        temporary.replace(target)
    except BaseException:  # An interrupt, too, leaves no litter.
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    _flush_folder(target.parent)


def _sweep(folder: Path) -> None:
    """Take away what our own killed writes left in the folder, long after any of them could still be going on."""
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            if _LEFTOVER.fullmatch(entry.name):
                with contextlib.suppress(OSError):
                    found = entry.stat(follow_symlinks=False)
                    ours = not hasattr(os, "geteuid") or found.st_uid == os.geteuid()
                    if ours and stat.S_ISREG(found.st_mode) and now_s() - found.st_mtime > _LEFT_AFTER_S:
                        Path(entry.path).unlink()


def _flush_folder(folder: Path) -> None:
    """Make the new name last through a power cut, where the system can (Windows and some network shares cannot)."""
    with contextlib.suppress(OSError):
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        hint = "is it open in another program?" if os.name == "nt" else "check who owns the folder and the file"
        raise UsageError(f"cannot write {path}: {error.strerror or 'permission denied'}; {hint}") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name.
        raise UsageError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from None
