"""A recorded Windows: a few registry keys and files as plain data, seen through the accessors of the real script."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import field
from fnmatch import fnmatchcase

from checks.common.dataclass import dataclass
from scanner.lab.machines.windows.sql import SqlService


class AccessError(Exception):
    """What an accessor throws. The text is the real script's: `kind: what: message`."""

    def __init__(self, kind: str, what: str, message: str) -> None:
        super().__init__(f"{kind}: {what}: {message}")
        self.kind = kind
        """missing, denied, locked, blocked or unreadable; for WMI, "wmi" and its number."""

    @property
    def line(self) -> str:
        """As prelude.ps1's Get-PfErrorText tells it."""
        return " ".join(str(self).split())[:2000]

    @property
    def state(self) -> str:
        """What a configuration file is said to be in: prelude.ps1, Get-PfTextKind."""
        return self.kind if self.kind in ("missing", "denied", "locked") else "unreadable"


class HangsError(Exception):
    """A call that does not return. What has been asked is the text."""


_MESSAGES = {
    "missing": "The system cannot find the file specified.",
    "denied": "Access is denied.",
    "locked": "The process cannot access the file because it is being used by another process.",
    "unreadable": "The network path was not found.",
}

_REFUSALS = {
    "refused": (10061, "No connection could be made because the target machine actively refused it."),
    "unresolved": (11001, "No such host is known"),
    "unreachable": (10065, "A socket operation was attempted to an unreachable host."),
    "forbidden": (10013, "An attempt was made to access a socket in a way forbidden by its access permissions."),
}
_WMI_IIS = "WMI root\\WebAdministration"

Registered = str | int | list[str]
"""A value of the registry: a list is REG_MULTI_SZ."""
ARCHIVE = 0x20
DIRECTORY = 0x10
ENCRYPTED = 0x4000


NOW_TICKS = 637_000_000_000_000_000
"""When it is on a recorded machine, as far as the ages of files go: 100 ns since the year 1."""
_TICKS_PER_HOUR = 36_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One recorded file."""

    text: str = ""
    sha256: str = ""
    """Empty: of `text` in UTF-8."""
    version: str = ""
    """The FileVersion text of its resources, in a language that Windows finds."""
    numbers: str | None = None
    """The numbers beside it; None: those of `version`, each cut to its 16 bits."""
    encoding: str = "utf-8"
    """What `text` is written in; "utf-16" with its byte order mark."""
    attributes: int = ARCHIVE
    size: int | None = None
    """Bytes; None: of `text` in UTF-8."""
    state: str = ""
    """Empty, or `denied`, `locked` or `unreadable`: how opening it fails."""
    hidden: bool = False
    """True where even its attributes are denied."""
    age_hours: float = 0.0
    """Since it was written to."""
    made_hours: float | None = None
    """Since it was made; None: since it was written to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A recorded Windows host that answers the batch as the real script would there."""

    registry: Mapping[str, Mapping[str, Registered] | str] = field(default_factory=dict)
    """`HKLM\\...` to its values; the string "denied" for a key that may not be opened."""
    files: Mapping[str, File] = field(default_factory=dict)
    """Full path to the file. Folders are those that hold files, and those of `folders`."""
    folders: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    pools: Mapping[str, int] | None = None
    """Application pools with their states, 1 started and 3 stopped; None where WMI knows no IIS."""
    drives: tuple[tuple[str, int, int], ...] = (("C:\\", 120 * 10**9, 80 * 10**9),)
    """Fixed drives: name, bytes in all, bytes free."""
    connections: tuple[str, ...] = ()
    """Where it is connected to, as "10.0.0.31:1433"."""
    outbound: Mapping[str, str] = field(default_factory=dict)
    """HOST:PORT to how a connection from there ends: silent, refused or unresolved; any other host is reached."""
    ahead_s: float = 0.0
    """Seconds by which its clock is ahead of the real one; negative: behind."""
    processors: int = 4
    memory_bytes: int = 16 * 2**30
    sql: tuple[SqlService, ...] = ()
    """The instances of SQL Server that run. One that only the registry names does not."""
    powershell: str = "5.1.17763.1"
    language_mode: str = "FullLanguage"
    slow: Mapping[str, float] = field(default_factory=dict)
    """Probe id to the seconds that it takes."""
    hangs: tuple[str, ...] = ()
    """Paths, servers ("\\\\fs") and other things that are asked and never answer."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """What the watch has seen hang, with the seconds that it waited: refused from then on."""
    canned: Mapping[str, object] = field(default_factory=dict)
    """Probe id to the value it gives; wins over the emulation, and is all there is for a plugin's probe."""
    errors: Mapping[str, str] = field(default_factory=dict)
    """Probe id to the error it ends in."""
    noise: str = ""
    """Text that a chatty host prints before the answer."""
    frame: str = ""
    """Empty, or `truncated`, `garbage`, `empty` or `plain`: what becomes of the answer."""

    def enter(self, what: str) -> None:
        """Enter-PfAccess. Raises AccessError for what hung before, HangsError for what does."""
        name = blocked_name(what)
        if name in self.refused:
            raise AccessError("blocked", what, f"no answer within {self.refused[name]} s")
        if any(what.lower() == one.lower() or name == one.lower() or _is_below(what, one) for one in self.hangs):
            raise HangsError(what)

    def registry_value(self, key: str, name: str) -> Registered | None:
        """Get-PfRegistryValue: None where the key or the value is missing."""
        values = self._key(key)
        return next((value for known, value in values.items() if known.lower() == name.lower()), None)

    def has_registry_key(self, key: str) -> bool:
        """Test-PfRegistryKey: a key exists where it, or one below it, is recorded."""
        self._key(key)
        wanted = key.lower()
        return any((known.lower() + "\\").startswith(wanted + "\\") for known in self.registry)

    def pool_states(self) -> Mapping[str, int]:
        """Get-PfPoolStates."""
        self.enter(_WMI_IIS)
        if self.pools is None:
            raise AccessError("wmi 0x8004100E", "root\\WebAdministration", "Invalid namespace ")
        return self.pools

    def connection(self, host: str, port: int) -> dict[str, str | int]:
        """One row of Get-PfConnections."""
        state = self.outbound.get(f"{host}:{port}", "open")
        code, detail = _REFUSALS.get(state, (0, ""))
        if code:
            state = "refused"  # which kind of it, the reader tells by the number
        return {"host": host, "port": port, "state": state, "code": code, "detail": detail}

    def tcp_connections(self) -> list[dict[str, str | int]]:
        """Get-PfTcpConnections."""
        self.enter("the TCP connections")
        remotes = (remote.rpartition(":") for remote in self.connections)
        return [
            {"local": "10.0.0.21", "local_port": 49_700 + number, "remote": host.strip("[]"), "remote_port": int(port)}
            for number, (host, _, port) in enumerate(remotes)
        ]

    def registry_value_names(self, key: str) -> list[str]:
        """Get-PfRegistryValueNames: none where the key is missing."""
        return list(self._key(key))

    def expand(self, text: str) -> str:
        """Expand-PfEnvironment: unknown variables stay as they are."""
        known = {name.lower(): value for name, value in self.environment.items()}
        return re.sub(r"%([^%]+)%", lambda match: known.get(match[1].lower(), match[0]), text)

    def system_folder(self) -> str:
        """Get-PfSystemFolder."""
        return self.expand(r"%windir%\System32")

    def attributes(self, path: str) -> int | None:
        """Get-PfFileAttributes: None where there is no such file or folder."""
        self.enter(path)
        wanted = _folded(path)
        found = self._file(path)
        if found is not None:
            if found.hidden:
                raise AccessError("denied", path, _MESSAGES["denied"])
            return found.attributes
        below = wanted + "\\"
        known = any(_folded(name).startswith(below) for name in self.files)
        known = known or any((_folded(name) + "\\").startswith(below) for name in self.folders)
        return DIRECTORY if known else None

    def file_bytes(self, path: str) -> bytes:
        """Get-PfFileBytes."""
        found = self._opened(path)
        return found.text.encode(found.encoding)

    def file_hash(self, path: str) -> str:
        """Get-PfFileHash: lower-case SHA-256."""
        found = self._opened(path)
        return found.sha256 or hashlib.sha256(found.text.encode(found.encoding)).hexdigest()

    def file_size(self, path: str) -> int:
        """Get-PfFileSize. A locked or unreadable file still tells its size."""
        found = self._recorded(path)
        return len(found.text.encode(found.encoding)) if found.size is None else found.size

    def file_times(self, path: str) -> tuple[int, int]:
        """Get-PfFileTimes: written and made. A folder is as old as the newest file right in it."""
        self.enter(path)
        found = self._file(path)
        if found is None and self.attributes(path) is None:
            raise AccessError("missing", path, "it has no time, so it is gone")
        if found is not None:
            made = found.age_hours if found.made_hours is None else found.made_hours
            return _ago(found.age_hours), _ago(made)
        times = [self.file_times(f"{path}\\{name}") for name in self.file_names(path, "*")]
        return (max(written for written, _ in times), max(made for _, made in times)) if times else (NOW_TICKS,) * 2

    def file_piece(self, path: str, offset: int, count: int) -> str:
        """Get-PfFilePiece."""
        return self._opened(path).text[offset : offset + count]

    def folder_names(self, folder: str) -> list[str]:
        """Get-PfFolderNames, in Windows' order."""
        self.enter(folder)
        inside = _folded(folder) + "\\"
        paths = [path.replace("/", "\\") for path in (*self.files, *(f"{name}\\" for name in self.folders))]
        below = [path[len(inside) :] for path in paths if _folded(path + "x").startswith(inside)]
        below = [name for name in below if "\\" in name] + self._right_in(folder, folders=True)
        names = {name.partition("\\")[0].lower(): name.partition("\\")[0] for name in below}
        return [names[name] for name in sorted(names)]

    def file_version(self, path: str) -> dict[str, str]:
        """Get-PfFileVersion. Of a file that it cannot open, Windows tells nothing and no error: so it is opened."""
        found = self._recorded(path)
        if found.state or found.hidden:
            self._opened(path)
        return {"numbers": _wrapped(found.version) if found.numbers is None else found.numbers, "text": found.version}

    def file_names(self, folder: str, pattern: str) -> list[str]:
        """Get-PfFileNames: names of the files in `folder` that fit, in Windows' order."""
        self.enter(folder)
        names = self._right_in(folder, folders=False)
        return sorted((name for name in names if fnmatchcase(name.lower(), pattern.lower())), key=str.lower)

    def _right_in(self, folder: str, *, folders: bool) -> list[str]:
        """The names of what is recorded right in `folder`, and by its attributes is a folder or is none."""
        inside = _folded(folder) + "\\"
        files = {path: file for path, file in self.files.items() if bool(file.attributes & DIRECTORY) == folders}
        names = [path.replace("/", "\\")[len(inside) :] for path in files if _folded(path).startswith(inside)]
        return [name for name in names if "\\" not in name]

    def _key(self, key: str) -> Mapping[str, Registered]:
        wanted = key.lower()
        for name, values in self.registry.items():
            closed = isinstance(values, str) and (wanted == name.lower() or wanted.startswith(name.lower() + "\\"))
            if closed:
                raise AccessError("denied", key, "Requested registry access is not allowed.")
        found = next((values for name, values in self.registry.items() if name.lower() == wanted), {})
        return {} if isinstance(found, str) else found

    def _file(self, path: str) -> File | None:
        wanted = _folded(path)
        return next((found for name, found in self.files.items() if _folded(name) == wanted), None)

    def _recorded(self, path: str) -> File:
        self.enter(path)
        found = self._file(path)
        if found is None:
            raise AccessError("missing", path, _MESSAGES["missing"])
        return found

    def _opened(self, path: str) -> File:
        found = self._recorded(path)
        if found.state or found.hidden:
            kind = found.state or "denied"
            raise AccessError(kind, path, _MESSAGES.get(kind, kind))
        return found


def blocked_name(what: str) -> str:
    """Get-PfBlockedName: a file hangs by itself, a share with its server."""
    name = what.lower()
    return "\\\\" + name[2:].split("\\")[0] if name.startswith("\\\\") else name


def _is_below(path: str, folder: str) -> bool:
    return _folded(path).startswith(_folded(folder) + "\\")


def _wrapped(version: str) -> str:
    """The numbers of a version resource whose text is `version`: 16 bits each."""
    parts = version.split(".")
    if len(parts) > len("aaaa") or not all(part.isdecimal() for part in parts):
        return ""
    return ".".join(str(int(part) % 0x10000) for part in [*parts, "0", "0", "0"][:4])


def _ago(hours: float) -> int:
    return NOW_TICKS - int(hours * _TICKS_PER_HOUR)


def _folded(path: str) -> str:
    return path.replace("/", "\\").rstrip("\\").lower()
