"""OpenSSH's known_hosts files: parsed once, indexed by name, shared between all nodes of a scan.

Read as OpenSSH reads them (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"): hashed names, `[host]:port`, wildcards and
negation, @revoked and @cert-authority, several keys of one type. Lines that make no sense are passed over, as there.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
import stat
import threading
from collections.abc import Iterable
from dataclasses import field
from pathlib import Path

from checks.common.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class HostKey:
    """A public host key, and where it stands."""

    type: str
    """As in the key itself: ssh-ed25519, ssh-rsa, ecdsa-sha2-nistp256, ..."""
    blob: bytes
    place: str = field(default="", compare=False)
    """File and line, for messages."""

    @property
    def fingerprint(self) -> str:
        """As `ssh-keygen -l` prints it: SHA256:..."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")

    def __str__(self) -> str:
        return f"{self.type} {self.fingerprint}"


def read_key(kind: str, text: str | bytes, place: str = "") -> HostKey | None:
    """The key of `ssh-ed25519 AAAA...`; None where that is no key, or one of another type than it says."""
    try:
        blob = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    size = int.from_bytes(blob[:4], "big")
    return HostKey(kind, blob, place) if blob[4 : 4 + size] == kind.encode() else None


@dataclass(frozen=True, slots=True)
class Known:
    """What the files say about one name."""

    keys: tuple[HostKey, ...] = ()
    revoked: tuple[HostKey, ...] = ()
    authorities: bool = False
    """True where a @cert-authority line covers the name."""

    def __add__(self, other: Known) -> Known:
        return Known(self.keys + other.keys, self.revoked + other.revoked, self.authorities or other.authorities)


def name_of(host: str, port: int) -> str:
    """The name under which known_hosts files list a server."""
    return host.lower() if port == 22 else f"[{host.lower()}]:{port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    marker: bytes
    names: bytes
    kind: bytes
    key: bytes
    number: int


class _Index:
    """One file's lines by name; lookups are remembered."""

    def __init__(self, path: Path, data: bytes) -> None:
        self._path = path
        self._named: dict[bytes, list[_Line]] = {}
        self._hashed: list[tuple[bytes, bytes, _Line]] = []
        self._patterns: list[tuple[_Line, list[re.Pattern[bytes]], list[re.Pattern[bytes]]]] = []
        self._seen: dict[str, Known] = {}
        for number, line in enumerate(data.splitlines(), 1):
            self._add(line, number)

    def _add(self, text: bytes, number: int) -> None:
        fields = text.split(None, 4)
        marker = fields.pop(0) if fields and fields[0].startswith(b"@") else b""
        if len(fields) < 3 or fields[0].startswith(b"#") or marker not in {b"", b"@revoked", b"@cert-authority"}:
            return
        line = _Line(marker=marker, names=fields[0], kind=fields[1], key=fields[2], number=number)
        if line.names.startswith(b"|1|"):
            salt, _, digest = line.names[3:].partition(b"|")
            try:
                self._hashed.append((base64.b64decode(salt), base64.b64decode(digest), line))
            except binascii.Error:
                return
        elif any(sign in line.names for sign in (b"*", b"?", b"!")):
            names = line.names.lower().split(b",")
            wanted = [_pattern(name) for name in names if not name.startswith(b"!")]
            self._patterns.append((line, wanted, [_pattern(name[1:]) for name in names if name.startswith(b"!")]))
        else:
            for name in line.names.lower().split(b","):
                self._named.setdefault(name, []).append(line)

    def find(self, name: str) -> Known:
        if name in self._seen:
            return self._seen[name]
        wanted = name.lower().encode("utf-8", "surrogateescape")
        lines = list(self._named.get(wanted, ()))
        lines += [line for salt, digest, line in self._hashed if hmac.digest(salt, wanted, "sha1") == digest]
        for line, good, bad in self._patterns:
            if any(one.fullmatch(wanted) for one in good) and not any(one.fullmatch(wanted) for one in bad):
                lines.append(line)
        keys: dict[bytes, list[HostKey]] = {b"": [], b"@revoked": []}
        for line in lines:
            key = read_key(line.kind.decode("latin-1"), line.key, f"{self._path}:{line.number}")
            if key and line.marker in keys:
                keys[line.marker].append(key)
        authorities = any(line.marker == b"@cert-authority" for line in lines)
        found = self._seen[name] = Known(tuple(keys[b""]), tuple(keys[b"@revoked"]), authorities)
        return found


def _pattern(text: bytes) -> re.Pattern[bytes]:
    first, *rest = (re.escape(part).replace(rb"\?", b".") for part in text.split(b"*"))
    if not rest:
        return re.compile(first, re.DOTALL)
    # What is between two stars is taken where it comes first and looked for no more: `*a*a*a*b` would take for ever.
    middle = b"".join(b"(?>.*?" + part + b")" for part in rest[:-1] if part)
    return re.compile(first + middle + b".*" + rest[-1], re.DOTALL)


class KnownHosts:
    """One known_hosts file. Thread safe; notices when the file has changed. A missing file knows nobody."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._signature: tuple[int, ...] | None = None
        self._index = _Index(path, b"")

    def find(self, name: str) -> Known:
        """What the file says about a name (see `name_of`). Raises OSError when it cannot be read."""
        with self._lock:
            return self._fresh().find(name)

    def accept(self, name: str, key: HostKey) -> Known:
        """Add a key for a name of which nothing is known, and give what is known then: whoever came first has won.

        Raises OSError when the file cannot be written, or would not remember.
        """
        with self._lock:
            known = self._fresh().find(name)
            if known.keys or known.revoked:
                return known
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            binary = getattr(os, "O_BINARY", 0)  # Windows alone has it, and needs it
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | binary, 0o600)
            try:
                if not stat.S_ISREG(os.fstat(handle).st_mode):
                    raise OSError(0, "not a regular file, it would forget the key", str(self.path))
                whole = not os.fstat(handle).st_size
                if not whole:
                    os.lseek(handle, -1, os.SEEK_END)
                    whole = os.read(handle, 1) == b"\n"
                line = f"{name} {key.type} {base64.b64encode(key.blob).decode()}\n"
                # One write in append mode: complete or absent, also beside other processes.
                os.write(handle, (line if whole else "\n" + line).encode())
            finally:
                os.close(handle)
            return self._fresh().find(name)

    def _fresh(self) -> _Index:
        try:
            status = self.path.stat()
        except FileNotFoundError:
            if self._signature:
                self._signature, self._index = None, _Index(self.path, b"")
            return self._index
        signature = (status.st_mtime_ns, status.st_size, status.st_ino)
        if signature != self._signature:
            self._index = _Index(self.path, b"" if not stat.S_ISREG(status.st_mode) else self.path.read_bytes())
            self._signature = signature
        return self._index


_files: dict[Path, KnownHosts] = {}
_files_lock = threading.Lock()


def shared(path: Path) -> KnownHosts:
    """The one `KnownHosts` of this process for a path."""
    with _files_lock:
        return _files.setdefault(path, KnownHosts(path))


def look_up(files: Iterable[Path], name: str) -> Known:
    """What all files together say about a name. Raises OSError when one cannot be read."""
    return sum((shared(path).find(name) for path in files), Known())
