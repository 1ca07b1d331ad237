"""What is known of the files around a Secret Server application, beside its libraries."""

from __future__ import annotations

from checks.common.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFile:
    """The state of a file of the web root. Its content never leaves the node."""

    path: str
    state: str
    """hashed, missing, locked, denied or unreadable."""
    sha256: str
    """64 lower-case hex digits; empty unless `state` is hashed."""
    efs: bool
    """NTFS attribute 0x4000."""
    size_bytes: int | None
    """None where not even the file's attributes could be read, or there is no file."""
    detail: str = ""
    """What Windows said where it could not be hashed, one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptionConfig(ConfigFile):
    """The state of `encryption.config`, which holds the key: the same on all nodes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseConfig(ConfigFile):
    """The state of `database.config`, which may differ between nodes legitimately."""


@dataclass(frozen=True, slots=True)
class ConfigState:
    """Whether IIS can read one configuration file. Its content never leaves the node."""

    path: str
    state: str
    """wellformed, missing, empty, malformed, locked, denied or unreadable."""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class WebConfig:
    """The application's web.config."""

    own: ConfigState
    rooted: bool
    """Whether its outermost element is `configuration`."""
    named: tuple[ConfigState, ...] = ()
    """The files that it names in `configSource`, without which IIS does not take it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderDigest:
    """One folder of the application, without those below it and without what is a node's own."""

    path: str
    r"""Relative to the web root, lower case: "" or "\bin"."""
    digest: str
    """SHA-256 over names and hashes of all files that were hashed in it."""
    count: int
    """Files that were hashed in it."""
    partial: bool
    """True where some of its files were left out, so that `digest` says nothing."""
    files: tuple[tuple[str, str], ...] | None
    """Each file's name, lower case, with the first 8 hex digits of its SHA-256; None where too many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppTree:
    """Digests of the application's files; what is a node's own by design is not among them."""

    root: str
    folders: tuple[FolderDigest, ...]
    left_out: tuple[tuple[str, str], ...]
    r"""What could not be hashed, with the reason: "\bin\x.dll", or a whole folder, "\bin\"."""
    stopped: str
    """Which bound ended the walk: time, bytes or files; empty where it came to its end."""
    files: int
    bytes: int
    unlisted: tuple[str, ...] = ()
    r"""Folders that could not be looked into, "\bin\"; those that are links to elsewhere are not among them."""
