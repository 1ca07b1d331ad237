"""Files that are either the old ones or the new ones, whatever happens while they are written."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from scanner.clock import now_s
from scanner.errors import UsageError
from scanner.files.places import Place, place_of
from scanner.inventory.reading.looking import exists

_LEFTOVER = re.compile(r"\.preflight-[0-9a-f]{16}\.tmp")
_LEFT_AFTER_S = 24 * 3600
_NEW_FILE_MODE = 0o666
"""Before the umask, as every program makes its files."""
_NEW_FILE = (
    os.O_WRONLY
    | os.O_CREAT
    | os.O_EXCL
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_CLOEXEC", 0)
)


def write_atomically(
    path: Path, data: bytes | str | Iterable[bytes | str], mode: int | None = None, *, sweep: bool = True
) -> None:
    """Write `data` (text as UTF-8, newlines as they are), or its pieces as they come, to `path` in one step.

    The data goes to a temporary file in the same folder, is flushed to the disk, and takes the old file's place. What
    a write that was killed left there a day ago or more is taken away, unless `sweep` says that this has just been
    done. A symbolic link keeps pointing where it does: the file behind it is replaced; which links are followed,
    `place_of` says. What goes wrong while a piece is made is raised as it is, and leaves the old file.

    `mode` is the file's permission bits, umask or not; None keeps those that our own file had, else the umask's.
    Raises UsageError, which says what to do, where the file cannot be written.
    """
    pieces = (data,) if isinstance(data, bytes | str) else data
    try:
        with _told(path), place_of(path) as place:
            if sweep:
                _sweep(place.folder)
            _replace(path, place, _encoded(pieces), mode)
    except _MakingError as failed:
        raise failed.why from None


def ensure_writable(path: Path) -> None:
    """Raise the UsageError that `write_atomically` would end in now, as far as that can be known without writing."""
    with _told(path), place_of(path):
        pass


def refuse_existing(path: Path) -> None:
    """Raise UsageError where something is there already: what somebody has written is theirs."""
    if exists(path):
        raise UsageError(f"{path} exists and is left as it is; name another file, or move it away first")


def make_folder(path: Path) -> None:
    """Make the folder, as a program makes its own; one that is there is left as it is. Raises UsageError."""
    with _told(path):
        path.mkdir(exist_ok=True)


def same_file(one: Path, other: Path) -> bool:
    """Whether both names are of one file, there or not, through links or not."""
    with contextlib.suppress(OSError, ValueError):
        if one.samefile(other):
            return True
    try:
        return os.path.normcase(os.path.realpath(one)) == os.path.normcase(os.path.realpath(other))
    except (OSError, ValueError):  # a NUL in the name
        return one.absolute() == other.absolute()


class _MakingError(Exception):
    """A piece could not be made, which says nothing of the file."""

    def __init__(self, why: Exception) -> None:
        super().__init__()
        self.why = why


def _encoded(pieces: Iterable[bytes | str]) -> Iterator[bytes]:
    try:
        for piece in pieces:
            # What cannot be encoded (a lone surrogate) must not cost a report that took an hour to make.
            yield piece.encode("utf-8", "backslashreplace") if isinstance(piece, str) else piece
    except Exception as error:
        raise _MakingError(error) from error


def _replace(path: Path, place: Place, content: Iterable[bytes], mode: int | None) -> None:
    if mode is None:
        mode = _own_mode(place.look(place.name))
    # A name of its own length: one made from a long file name could become too long.
    temporary = f".preflight-{secrets.token_hex(8)}.tmp"
    # Never wider than asked for, not even for a moment.
    opened = os.open(
        place.at(temporary), _NEW_FILE, _NEW_FILE_MODE if mode is None else mode & 0o600, dir_fd=place.descriptor
    )
    try:
        with os.fdopen(opened, "wb") as file:
            for piece in content:
                file.write(piece)
            file.flush()
            if mode is not None:
                _set_mode(file.fileno(), place, temporary, mode)
            os.fsync(file.fileno())
            _refuse_swapped(path, place, os.fstat(file.fileno()), temporary)
            if os.name == "posix":
                _rename(place, temporary)
        if os.name != "posix":  # where an open file cannot be renamed
            _rename(place, temporary)
    except BaseException:  # An interrupt, too, leaves no litter.
        with contextlib.suppress(OSError):
            os.unlink(place.at(temporary), dir_fd=place.descriptor)
        raise
    _flush_folder(place)


def _refuse_swapped(path: Path, place: Place, written: os.stat_result, name: str) -> None:
    """Raise UsageError where `name` is not what was written: the owner of the folder may have given it to another."""
    named = place.look(name)
    if named is None or not os.path.samestat(written, named):
        raise UsageError(
            f"cannot write {path}: somebody has changed the folder {place.folder} meanwhile; "
            "choose a folder in which nobody else may write"
        )


def _own_mode(old: os.stat_result | None) -> int | None:
    """The permission bits of a file that is ours: somebody else's are theirs, and no report runs as anybody."""
    if old is None or (hasattr(os, "geteuid") and old.st_uid != os.geteuid()):
        return None
    return stat.S_IMODE(old.st_mode) & 0o777


def _set_mode(opened: int, place: Place, name: str, mode: int) -> None:
    if hasattr(os, "fchmod"):
        os.fchmod(opened, mode)
    else:
        Path(place.at(name)).chmod(mode)


def _rename(place: Place, temporary: str) -> None:
    os.replace(place.at(temporary), place.at(place.name), src_dir_fd=place.descriptor, dst_dir_fd=place.descriptor)


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


def _flush_folder(place: Place) -> None:
    """Make the new name last through a power cut, where the system can (Windows and some network shares cannot)."""
    with contextlib.suppress(OSError):
        opened = os.open(place.at("."), os.O_RDONLY, dir_fd=place.descriptor)
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
