"""One SSH server on the way to a node, and the texts that name such servers: jump hosts, % tokens, paths."""

from __future__ import annotations

import functools
import getpass
import os
import re
import socket
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from checks.common.dataclass import dataclass
from scanner.errors import UnreachableError
from scanner.secrets.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """Algorithms that the OpenSSH configuration asks for, as written there; empty: it does not say."""

    kex: str = ""
    host_keys: str = ""
    ciphers: str = ""
    macs: str = ""
    signatures: str = ""
    """PubkeyAcceptedAlgorithms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SshHop:
    """One SSH server on the way, with everything that reaching it needs."""

    host: str
    port: int
    user: str
    known_as: str
    """Its name in known_hosts, where that is not `host`; empty otherwise (HostKeyAlias)."""
    known_hosts: tuple[Path, ...]
    host_key: str
    """The pinned key; empty for jump hosts."""
    host_key_policy: str
    named_keys: tuple[Path, ...]
    """Key files that were named for it, in order; they are offered before any other key."""
    default_keys: tuple[Path, ...]
    passphrase: Secret | None
    password: Secret | None
    agent: str
    """Path of the agent's socket; empty where no agent is to be asked."""
    connect_timeout_s: float
    legacy_algorithms: bool = False
    """Whether what rests on SHA-1 will do where the server has nothing better; never for jump hosts."""
    certificates: tuple[Path, ...] = ()
    """Certificates that were named for it (CertificateFile), each for whichever key it certifies."""
    identities_only: bool = True
    """Whether, of the agent's keys, only those are offered that are named."""
    command: str = ""
    """The ProxyCommand that connects to it, tokens filled in; empty: a TCP connection, or the hop before it, does."""
    wishes: Wishes = field(default_factory=Wishes)

    @property
    def place(self) -> str:
        """host:port, for messages."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Jump:
    """A jump host as it is written."""

    user: str
    host: str
    """Possibly an alias of the OpenSSH configuration."""
    port: int | None


def read_jump(text: str) -> Jump:
    """Read `[user@]host[:port]`, with or without `ssh://`; IPv6 addresses in brackets. Raises UnreachableError."""
    rest = re.sub(r"^ssh://", "", text, flags=re.IGNORECASE).rstrip("/")
    user, _, place = rest.rpartition("@")
    host, port = place, ""
    if place.startswith("["):
        host, closed, port = place[1:].partition("]")
        host = host if closed and port[:1] in ("", ":") else ""
        port = port.removeprefix(":") or ("x" if port else "")
    elif place.count(":") == 1:
        host, _, port = place.partition(":")
        port = port or "x"
    # What begins with a dash would be an option of `ssh -G`.
    if not host or host.startswith("-") or user.startswith("-") or (port and not re.fullmatch(r"[0-9]{1,5}", port)):
        raise UnreachableError(f"jump host {text!r} is not [user@]host[:port]")
    if port and not 1 <= int(port) <= 65535:
        raise UnreachableError(f"jump host {text!r} has no port between 1 and 65535")
    return Jump(user, host, int(port) if port else None)


def fill_in(text: str, tokens: Mapping[str, str]) -> str:
    """`text` with `%x` replaced where `tokens` knows x, and `%%` by one %; others stay."""
    known = {"%": "%", **tokens}
    return re.sub(r"%(.)", lambda found: known.get(found[1], found[0]), text, flags=re.DOTALL)


def path_of(text: str, tokens: Mapping[str, str]) -> Path:
    """A file's name with `~` and, where `tokens` has any, OpenSSH's % tokens filled in."""
    if tokens and "%" in text:
        text = fill_in(text, {"d": str(path_of("~", {})), "u": local_user(), "l": socket.gethostname(), **tokens})
    return _from_home(text, *(os.environ.get(name) for name in _HOMES if text.startswith("~")))


@functools.lru_cache(maxsize=256)
def _from_home(text: str, *_homes: str | None) -> Path:
    """The same few for each of many nodes."""
    try:
        return Path(text).expanduser()
    except RuntimeError:  # no home directory
        return Path(text)


_HOMES = ("HOME", "USERPROFILE", "HOMEPATH", "HOMEDRIVE", "USERNAME")
"""What `~` depends on."""


def local_user() -> str:
    """The name of the account that preflight runs as. Raises UnreachableError where it has none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError) as error:
        raise UnreachableError("this account has no name to log in with", hint="set `user`") from error
