"""Who is on the other end: an inventory's settings together with ~/.ssh/config, as one route of hops.

`ssh -G` gives OpenSSH's own reading of the file where ssh is installed (Include, Match, canonical names); paramiko's
reader stands in elsewhere. What the inventory says wins. `StrictHostKeyChecking` of the file is not looked at:
strictness is loosened in the inventory only. No other file is read, /etc/ssh/ssh_config neither.
"""

from __future__ import annotations

import getpass
import os
import shlex
import shutil
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from scanner.errors import UnreachableError
from scanner.inventory.model import SshSettings
from scanner.secrets import Secret

_DEFAULT_KEYS = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")
_DEFAULT_KNOWN_HOSTS = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
_GLOBAL_KNOWN_HOSTS = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
_DEFAULT_CONFIG = "~/.ssh/config"


@dataclass(frozen=True, slots=True)
class Hop:
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
    """Private keys that were named for it; if any, no other is offered."""
    default_keys: tuple[Path, ...]
    passphrase: Secret | None
    password: Secret | None
    agent: str
    """Path of the agent's socket; empty where no agent is to be asked."""
    connect_timeout_s: float
    legacy_algorithms: bool = False
    """Whether SHA-1 will do where the server has nothing better; never for jump hosts."""

    @property
    def place(self) -> str:
        """host:port, for messages."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def route(host: str, settings: SshSettings) -> tuple[Hop, ...]:
    """The hops to a node: its jump hosts in order, then the node. Raises UnreachableError for what cannot be used."""
    said = _said(host, settings, user=settings.user, port=settings.port)
    target = _hop(host, settings, said, user=settings.user, port=settings.port, pinned=settings.host_key)
    target = replace(target, legacy_algorithms=settings.legacy_algorithms)
    jump = settings.jump or said.get("proxyjump", "")
    if settings.jump.lower() == "none" or jump.lower() == "none":
        jump = ""
    if not settings.jump and said.get("proxycommand", "none") != "none":
        raise UnreachableError(
            f"{settings.ssh_config} has a ProxyCommand for {host}, and preflight runs none",
            hint='use ProxyJump there or `jump` in the inventory; `ssh_config = ""` leaves the file out',
        )
    hops = []
    for text in filter(None, (part.strip() for part in jump.split(","))):
        user, jump_host, port = _split(text)
        # The inventory's user and password are for the hosts that the inventory names, not for those of ~/.ssh/config.
        user = user or (settings.user if settings.jump else "")
        known = _said(jump_host, settings, user=user, port=port)
        hops.append(_hop(jump_host, settings, known, user=user, port=port, pinned="", stranger=not settings.jump))
    return (*hops, target)


def _split(jump: str) -> tuple[str, str, int | None]:
    """User, host and port of `[user@]host[:port]`, `ssh://` tolerated."""
    rest = jump.removeprefix("ssh://").rstrip("/")
    user, _, place = rest.rpartition("@")
    host, port = place, ""
    if place.startswith("["):
        host, _, port = place[1:].partition("]")
        port = port.removeprefix(":")
    elif place.count(":") == 1:
        host, _, port = place.partition(":")
    if not host or (port and not port.isascii()) or (port and not port.isdigit()):
        raise UnreachableError(f"jump host {jump!r} is not [user@]host[:port]")
    return user, host, int(port) if port else None


def _hop(
    host: str,
    settings: SshSettings,
    said: Mapping[str, str],
    *,
    user: str,
    port: int | None,
    pinned: str,
    stranger: bool = False,
) -> Hop:
    user = user or said.get("user", "") or _local_user()
    address = said.get("hostname", host)
    try:
        actual = port or int(said.get("port", "22"))
    except ValueError as error:
        raise UnreachableError(f"{settings.ssh_config} has no number as the port of {host}") from error
    tokens = {"h": address, "n": host, "p": str(actual), "r": user, "k": said.get("hostkeyalias", host)}
    identities = [_path(text, tokens) for text in said.get("identityfile", "").split("\n") if text]
    named: tuple[Path, ...] = (_path(settings.key_file, {}),) if settings.key_file else ()
    # ssh -G lists OpenSSH's own default names where the file names no key.
    if not named and any(path.parent != _path("~/.ssh", {}) or path.name[:3] != "id_" for path in identities):
        named = tuple(identities)
    if settings.known_hosts:
        known_hosts = [settings.known_hosts]
    else:
        # A name with a blank in it comes back unquoted from ssh -G, and is not found.
        users = said.get("userknownhostsfile", "").split() or list(_DEFAULT_KNOWN_HOSTS)
        known_hosts = users + (said.get("globalknownhostsfile", "").split() or list(_GLOBAL_KNOWN_HOSTS))
    return Hop(
        host=address,
        port=actual,
        user=user,
        known_as=said.get("hostkeyalias", ""),
        known_hosts=tuple(_path(text, tokens) for text in known_hosts if text.lower() != "none"),
        host_key=pinned,
        host_key_policy=settings.host_key_policy,
        named_keys=named,
        default_keys=tuple(_path(text, {}) for text in _DEFAULT_KEYS),
        passphrase=settings.passphrase if isinstance(settings.passphrase, Secret) else None,
        password=settings.password if isinstance(settings.password, Secret) and not stranger else None,
        agent=_agent(said.get("identityagent", ""), tokens) if settings.agent else "",
        connect_timeout_s=settings.connect_timeout_s,
    )


def _agent(configured: str, tokens: Mapping[str, str]) -> str:
    if configured.lower() == "none":
        return ""
    if not configured or configured == "SSH_AUTH_SOCK":
        return os.environ.get("SSH_AUTH_SOCK", "")
    if configured.startswith("$"):
        return os.environ.get(configured[1:].strip("{}"), "")
    return str(_path(configured, tokens))


def _path(text: str, tokens: Mapping[str, str]) -> Path:
    """A file's name with `~` and OpenSSH's % tokens filled in."""
    if tokens and "%" in text:
        known = {"%": "%", "d": str(_path("~", {})), "u": _local_user(), "l": socket.gethostname(), **tokens}
        parts = text.split("%")
        text = parts[0]
        skip = False
        for part in parts[1:]:
            if skip:  # the second % of a pair: the rest is plain text
                text, skip = text + part, False
            elif not part:
                text, skip = text + "%", True
            else:
                text += known.get(part[0], "%" + part[0]) + part[1:]
    try:
        return Path(text).expanduser()
    except RuntimeError:  # no home directory
        return Path(text)


def _local_user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError) as error:
        raise UnreachableError("this account has no name to log in with", hint="set `user`") from error


def _said(host: str, settings: SshSettings, *, user: str, port: int | None) -> dict[str, str]:
    """The file's options for a host, names in lower case; several identity files are separated by line breaks."""
    if not settings.ssh_config:
        return {}
    path = _path(settings.ssh_config, {})
    if not path.exists():
        if settings.ssh_config == _DEFAULT_CONFIG:
            return {}
        raise UnreachableError(f"ssh_config {settings.ssh_config} does not exist")
    program = shutil.which("ssh")
    if not program:
        return _read_with_paramiko(path, host)
    command = [program, "-F", str(path), "-G"]
    command += ["-l", user] if user else []
    command += ["-p", str(port)] if port else []
    try:
        done = subprocess.run(
            [*command, "--", host], stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=15
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise UnreachableError(f"cannot read {settings.ssh_config} with `ssh -G`: {error}") from error
    if done.returncode:
        lines = [line for line in done.stderr.decode(errors="replace").splitlines() if "Pseudo-terminal" not in line]
        raise UnreachableError(f"{settings.ssh_config} is not usable: {' '.join(lines) or done.returncode}")
    said: dict[str, str] = {}
    for line in done.stdout.decode(errors="surrogateescape").splitlines():
        name, _, value = line.partition(" ")
        repeated = name == "identityfile" and name in said
        said[name] = f"{said[name]}\n{value}" if repeated else value
    return said


def _read_with_paramiko(path: Path, host: str) -> dict[str, str]:
    import paramiko

    try:
        with path.open(encoding="utf-8", errors="surrogateescape") as lines:
            config = paramiko.SSHConfig()
            config.parse(lines)
        found = config.lookup(host)
    except (OSError, ValueError, ImportError, paramiko.SSHException) as error:
        raise UnreachableError(f"{path} is not usable: {error}") from error
    said: dict[str, str] = {}
    options: dict[str, str | list[str]] = {**found}
    for name, value in options.items():
        values = value if isinstance(value, list) else [value]
        said[name.lower()] = "\n".join(values) if name == "identityfile" else " ".join(values)
    for name in ("userknownhostsfile", "globalknownhostsfile"):
        if name in said:
            said[name] = " ".join(shlex.split(said[name]))
    return said
