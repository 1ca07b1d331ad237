"""Where a file is to go: the folder itself, held open, on a way that nobody else has laid."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from checks.common.dataclass import dataclass
from scanner.errors import UsageError
from scanner.inventory.reading.looking import exists, is_folder

_MOST_LINKS = 40
"""As many as Linux follows."""
_STANDARD_STREAM = re.compile(r"/dev/(?:stdin|stdout|stderr|fd/\d+)|/proc/.*")
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
# A folder that one may pass through and not list is passed through, where the system knows how.
_PASSING = _FOLDER | getattr(os, "O_PATH", getattr(os, "O_SEARCH", 0))


@dataclass(frozen=True, slots=True)
class Place:
    """A name in a folder."""

    folder: Path
    """Without links."""
    name: str
    descriptor: int | None
    """The folder, open; None on Windows, which knows no such thing."""

    @property
    def path(self) -> Path:
        """The whole name, to be told and no more: what it leads to may change at any time."""
        return self.folder / self.name

    def at(self, name: str) -> str:
        """What to call a file in this folder, together with `dir_fd=place.descriptor`."""
        return name if self.descriptor is not None else str(self.folder / name)

    def look(self, name: str) -> os.stat_result | None:
        """What has this name in the folder, a link being a link; None where nothing has."""
        try:
            return os.stat(self.at(name), dir_fd=self.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None


@contextlib.contextmanager
def place_of(path: Path) -> Iterator[Place]:
    """The place of a file that is to be written or replaced: `path`, or what it links to.

    A link is followed where we, root, or the owner of the folder that it lies in made it; one that the folder's owner
    made takes nobody to where that one could not go alone. Raises UsageError for any other, for what is no file, and
    for a folder that is missing; and OSError.
    """
    if not path.name:
        raise UsageError(f"cannot write {path}: it is a folder; name a file in it")
    if os.name != "posix":
        target = Path(os.path.realpath(path))
        place = Place(target.parent, target.name, None)
        _refuse_no_file(path, place)
        yield place
        return
    walk = _Walk(path)
    try:
        walk.go()
        _refuse_no_file(path, place := Place(walk.folder, walk.name, walk.descriptor))
        yield place
    finally:
        os.close(walk.descriptor)


class _Walk:
    """From the root to the folder, one name at a time: each is looked at and then entered, whoever changes it."""

    def __init__(self, path: Path) -> None:
        self._asked = path
        self._left = list(reversed(path.absolute().parts[1:]))
        self._links = 0
        self._owners: set[int] = set()
        """Whose links have led here, ours and root's apart."""
        self.folder = Path("/")
        self.descriptor = os.open("/", _PASSING)
        self.name = ""

    def go(self) -> None:
        while self._left:
            self.name = self._left.pop()
            found = self._look()
            if found and stat.S_ISLNK(found.st_mode):
                self._follow(found)
            elif self._left:
                self._enter()
        strangers = self._owners - {os.fstat(self.descriptor).st_uid}
        if strangers:
            raise UsageError(
                f"cannot write {self._asked}: a link of {_user(min(strangers))} leads to {self.folder / self.name}, "
                "where that user may not write; name the file itself, or remove the link"
            )

    def _look(self) -> os.stat_result | None:
        if _STANDARD_STREAM.fullmatch(str(self.folder / self.name)):
            raise _no_file(self._asked)
        try:
            return os.stat(self.name, dir_fd=self.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def _follow(self, link: os.stat_result) -> None:
        where = self.folder / self.name
        trusted = {0, os.geteuid()}
        if link.st_uid not in trusted | {os.fstat(self.descriptor).st_uid}:
            raise UsageError(
                f"cannot write {self._asked}: {where} is a link of {_user(link.st_uid)}, in somebody "
                "else's folder; name the file itself, or remove the link"
            )
        if link.st_uid not in trusted:
            self._owners.add(link.st_uid)
        self._links += 1
        if self._links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        to = Path(os.readlink(self.name, dir_fd=self.descriptor))
        if to.is_absolute():
            self._change("/", Path("/"))
        self._left += reversed(to.parts[1:] if to.is_absolute() else to.parts)

    def _enter(self) -> None:
        up = self.folder.parent if self.name == ".." else self.folder / self.name
        try:
            self._change(self.name, up)
        except FileNotFoundError:
            raise UsageError(
                f"cannot write {self._asked}: the folder {up} does not exist; create it, or choose another place"
            ) from None
        except NotADirectoryError:
            raise UsageError(f"cannot write {self._asked}: {up} is no folder; choose another place") from None

    def _change(self, name: str, folder: Path) -> None:
        opened = os.open(name, _PASSING, dir_fd=None if name == "/" else self.descriptor)
        os.close(self.descriptor)
        self.descriptor, self.folder = opened, folder


def _refuse_no_file(path: Path, place: Place) -> None:
    folder = place.folder
    if place.descriptor is None and not exists(folder):
        raise UsageError(f"cannot write {path}: the folder {folder} does not exist; create it, or choose another place")
    if place.descriptor is None and not is_folder(folder):
        raise UsageError(f"cannot write {path}: {folder} is no folder; choose another place")
    found = place.look(place.name)
    if place.name in ("", ".", "..") or (found and stat.S_ISDIR(found.st_mode)):
        raise UsageError(f"cannot write {path}: it is a folder; name a file in it")
    if found and not stat.S_ISREG(found.st_mode):
        raise _no_file(path)
    if not os.access(folder, os.W_OK):
        raise UsageError(f"cannot write {path}: you may not write in the folder {folder}; choose another place")
    if found and not os.access(place.path, os.W_OK):
        raise UsageError(f"cannot write {path}: the file that is there is write-protected; choose another name")


def _no_file(path: Path) -> UsageError:
    return UsageError(
        f"cannot write {path}: it is no file but a device, a pipe or a stream, and could not be replaced in one step; "
        "name a file, or - to print a report on standard output"
    )


def _user(number: int) -> str:
    try:
        import pwd

        return f"user {pwd.getpwuid(number).pw_name}"
    except (ImportError, KeyError):
        return f"user {number}"
