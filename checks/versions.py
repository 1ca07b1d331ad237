"""Version texts to comparable versions. The text as read is kept by whoever shows it."""

from __future__ import annotations

import functools
import re

from packaging.version import InvalidVersion, Version

from checks.common.dataclass import dataclass


class VersionError(ValueError):
    """A text that is no version. The message says what was read and what was expected."""


_SECRET_SERVER = re.compile(r"(0|[1-9][0-9]{0,2})\.(0|[1-9][0-9]{0,2})\.([0-9]{6})")
_FILE_VERSION = re.compile(r"[0-9]{1,5}(\.[0-9]{1,10}){1,3}")
_REMEMBERED_CHARS = 40
"""No longer text is kept: a version is shorter, and what a node says may be of any length."""
_PART_OF_A_FILE_VERSION = 65536
"""A part of a file's binary version holds 16 bits: 8.9.300000 stands there as 8.9.37856."""


def parse_version(text: str) -> Version:
    """Any dotted version. Raises VersionError."""
    if not text.isascii():
        raise VersionError(f"{text!r} is no version: its digits are not the plain ones")
    try:
        return _version(text.strip())
    except InvalidVersion:
        raise VersionError(f"{text!r} is no version") from None


def _version(text: str) -> Version:
    return _remembered(text) if len(text) <= _REMEMBERED_CHARS else Version(text)


_remembered = functools.lru_cache(maxsize=4_096)(Version)
"""A version never changes, and the nodes of an estate have the same few."""


def parse_secret_server(text: str) -> Version:
    """A Secret Server version as the vendor writes it: MAJOR.MINOR.BUILD, the build padded to six digits.

    Malformed texts ("10.9000005", "8.9", "11.07.000049", digits that are not ASCII) are refused rather than guessed at.
    Raises VersionError.
    """
    return _known_secret_server(text) if len(text) <= _REMEMBERED_CHARS else _secret_server(text)


def _secret_server(text: str) -> Version:
    match = _SECRET_SERVER.fullmatch(text.strip())
    if not match:
        raise VersionError(
            f"{text!r} is no Secret Server version; it has plain numbers and six digits at the end, like 10.9.000064"
        )
    return Version(".".join(str(int(part)) for part in match.groups()))


_known_secret_server = functools.lru_cache(maxsize=1_024)(_secret_server)


def parse_file_version(text: str) -> Version:
    """A Windows file version, which cannot carry the padding: 10.9.5.0 stands for 10.9.000005. Raises VersionError."""
    if not _FILE_VERSION.fullmatch(text.strip()):
        raise VersionError(f"{text!r} is no file version; expected numbers like 10.9.5.0")
    return _version(text.strip())


def secret_server_text(version: Version) -> str:
    """The vendor's way to write `version`: 10.9.5 and 10.9.5.0 become 10.9.000005."""
    major, minor, build = (*version.release, 0, 0, 0)[:3]
    return f"{major}.{minor}.{build:06d}"


def is_wrapped(read: str, full: str) -> bool:
    """Whether `read`, from a file's binary version, is `full` with a build too large for 16 bits."""
    low, high = parse_version(read).release, parse_version(full).release
    pairs = list(zip(low, high, strict=False))
    fits = all(part % _PART_OF_A_FILE_VERSION == own for own, part in pairs)
    return len(low) == len(high) and low != high and fits and max(high) >= _PART_OF_A_FILE_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What is known of a node's version."""

    version: str | None
    """As the vendor writes it; None where it is unknown."""
    read: bool
    """True where the node itself said so; False where the inventory stands in."""
    problem: str = ""
    """Why it could not be read from the node; empty where it was."""
    doubts: tuple[str, ...] = ()
    """What speaks against it: libraries that disagree, a declared version that is another."""
    as_read: tuple[tuple[str, str], ...] = ()
    """Each file, or the package, with the version text as read, or why there is none."""
    closed: bool = False
    """True where the doubts come of a library that could not be looked into: nothing is said against the others."""
    defect: str = ""
    """Why the product's own code could not read it, where that is a defect of the product's."""

    @property
    def origin(self) -> str:
        """Where the version comes from, for messages."""
        return "read from the node" if self.read else "declared in the inventory"
