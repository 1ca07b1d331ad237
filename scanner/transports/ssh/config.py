"""Who is on the other end: an inventory's settings together with ~/.ssh/config, as one route of hops.

`ssh -G` gives OpenSSH's own reading of the file where ssh is installed (Include, Match, canonical names); paramiko's
reader stands in elsewhere. What the inventory says wins. `StrictHostKeyChecking` of the file is not looked at:
strictness is loosened in the inventory only. No other file is read, /etc/ssh/ssh_config neither.
"""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from types import MappingProxyType

from scanner.errors import UnreachableError
from scanner.inventory.model import SshSettings
from scanner.inventory.reading.looking import unseen
from scanner.secrets import children
from scanner.secrets.secret import Secret
from scanner.transports.bounded import aside
from scanner.transports.ssh.hop import Jump, SshHop, Wishes, fill_in, local_user, path_of, read_jump

_PATIENCE_S = 15.0
_MOST_BYTES = 1024 * 1024
_DEFAULT_KEYS = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")
_DEFAULT_KNOWN_HOSTS = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
_GLOBAL_KNOWN_HOSTS = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
_DEFAULT_CONFIG = "~/.ssh/config"
_MOST_HOPS = 8
"""Jump hosts on one way: more are a mistake in the configuration, and each costs a login."""
_UNSAID = "preflight-was-not-told"
"""What is put behind the configuration for `User` and `IdentityFile`, to tell its word from OpenSSH's own defaults."""
_SEVERAL = frozenset(("identityfile", "certificatefile"))
"""Options that may be given more than once; their values are separated by line breaks."""
_WITH_TOKENS = ("proxycommand", "proxyjump", "identityfile")
_WISHES = {
    "kex": ("kexalgorithms",),
    "host_keys": ("hostkeyalgorithms",),
    "ciphers": ("ciphers",),
    "macs": ("macs",),
    # The second is the name up to OpenSSH 8.4.
    "signatures": ("pubkeyacceptedalgorithms", "pubkeyacceptedkeytypes"),
}

Said = Mapping[str, str]
"""What the file says of a host, by the options' names in lower case."""


def route(host: str, settings: SshSettings) -> tuple[SshHop, ...]:
    """The hops to a node: its jump hosts in order, then the node. Raises UnreachableError for what cannot be used."""
    said = _said(host, settings, user=settings.user, port=settings.port)
    target = _hop(Jump(settings.user, host, settings.port), settings, said, role="node")
    if settings.jump.lower() == "none":
        return (target,)
    here = ((host, target.port, target.user),)
    if settings.jump:
        return (*_through(settings.jump, target, settings, here, role="jump host"), target)
    return _with_its_own_way(target, settings, said, here)


_Names = tuple[tuple[str, int, str], ...]
"""The servers that have led to a jump host, by name, port and user: the node first."""


def _with_its_own_way(hop: SshHop, settings: SshSettings, said: Said, before: _Names) -> tuple[SshHop, ...]:
    """A hop, the last of `before`, behind whatever the file says that leads to it."""
    jump = said.get("proxyjump", "")
    if jump and jump.lower() != "none":
        return (*_through(jump, hop, settings, before, role="stranger"), hop)
    command = said.get("proxycommand", "")
    if command and command.lower() != "none":
        return (_behind(command, before[-1][0], hop, settings),)
    return (hop,)


def _through(jumps: str, target: SshHop, settings: SshSettings, before: _Names, *, role: str) -> tuple[SshHop, ...]:
    """The hops of `a,b` to `target`: as with `ssh -J`, a is reached in its own way, and b through a alone."""
    tokens = {"h": target.host, "n": before[-1][0], "p": str(target.port), "r": target.user}
    way: tuple[SshHop, ...] = ()
    for text in filter(None, (part.strip() for part in jumps.split(","))):
        jump = read_jump(fill_in(text, tokens))
        said = _said_of_a_jump_host(jump, settings)
        hop = _hop(jump, settings, said, role=role)
        if way:
            way = (*way, hop)
        else:
            names = (*before, (jump.host, hop.port, hop.user))
            if names[-1] in before:
                raise UnreachableError(
                    f"the jump hosts of {before[0][0]} lead in a circle: {' -> '.join(name for name, _, _ in names)}",
                    hint=f"give {jump.host} `ProxyJump none` in {settings.ssh_config}, above what holds for all hosts",
                )
            _check_length(len(names), before)
            way = _with_its_own_way(hop, settings, said, names)
        _check_length(len(way), before)
    return way


def _check_length(hops: int, before: _Names) -> None:
    if hops > _MOST_HOPS:
        raise UnreachableError(
            f"more than {_MOST_HOPS} jump hosts lead to {before[0][0]}",
            hint="look at `jump`, and at ProxyJump in the OpenSSH configuration",
        )


def _behind(command: str, name: str, hop: SshHop, settings: SshSettings) -> SshHop:
    if os.name == "nt":
        raise UnreachableError(
            f"{settings.ssh_config} has a ProxyCommand for {name}, which preflight does not run on Windows",
            hint='use ProxyJump there or `jump` in the inventory; `ssh_config = ""` leaves the file out',
        )
    tokens = {"h": hop.host, "n": name, "p": str(hop.port), "r": hop.user, "k": hop.known_as or name}
    return replace(hop, command=fill_in(command, tokens))


def _hop(jump: Jump, settings: SshSettings, said: Said, *, role: str) -> SshHop:
    """`role` is node, jump host (of the inventory) or stranger: a jump host that only the file names."""
    # A jump host is somebody else's machine: what the file says of it counts before what is for the node.
    user = jump.user or said.get("user", "") or (settings.user if role != "stranger" else "") or local_user()
    address = said.get("hostname", jump.host)
    try:
        port = jump.port or int(said.get("port", "22"))
    except ValueError as error:
        raise UnreachableError(f"{settings.ssh_config} has no number as the port of {jump.host}") from error
    alias = said.get("hostkeyalias", "")
    tokens = {"h": address, "n": jump.host, "p": str(port), "r": user, "k": alias or jump.host}
    named = tuple(path_of(text, tokens) for text in _texts(said, "identityfile"))
    if settings.key_file:
        own = path_of(settings.key_file, {})
        named = (own,) if role == "node" else (*(path for path in named if path != own), own)
    if settings.known_hosts:
        known_hosts = [settings.known_hosts]
    else:
        # A name with a blank in it comes back unquoted from ssh -G, and is not found.
        users = said.get("userknownhostsfile", "").split() or list(_DEFAULT_KNOWN_HOSTS)
        known_hosts = users + (said.get("globalknownhostsfile", "").split() or list(_GLOBAL_KNOWN_HOSTS))
    # The inventory's password is for its own user, at the hosts that it names.
    trusted = role == "node" or (role == "jump host" and user == (settings.user or user))
    return SshHop(
        host=address,
        port=port,
        user=user,
        known_as=alias,
        known_hosts=tuple(path_of(text, tokens) for text in known_hosts if text.lower() != "none"),
        host_key=settings.host_key if role == "node" else "",
        host_key_policy=settings.host_key_policy,
        named_keys=named,
        default_keys=tuple(path_of(text, {}) for text in _DEFAULT_KEYS),
        passphrase=settings.passphrase if isinstance(settings.passphrase, Secret) else None,
        password=settings.password if isinstance(settings.password, Secret) and trusted else None,
        agent=_agent(said.get("identityagent", ""), tokens) if settings.agent else "",
        connect_timeout_s=settings.connect_timeout_s,
        legacy_algorithms=settings.legacy_algorithms and role == "node",
        certificates=tuple(path_of(text, tokens) for text in _texts(said, "certificatefile")),
        identities_only=(bool(settings.key_file) and role == "node") or said.get("identitiesonly", "") == "yes",
        wishes=Wishes(**{name: _first(said, options) for name, options in _WISHES.items()}),
    )


def _texts(said: Said, name: str) -> list[str]:
    return [text for text in said.get(name, "").split("\n") if text and text.lower() != "none"]


def _first(said: Said, names: tuple[str, ...]) -> str:
    return next((said[name] for name in names if name in said), "")


def _agent(configured: str, tokens: Mapping[str, str]) -> str:
    if configured.lower() == "none":
        return ""
    if not configured or configured == "SSH_AUTH_SOCK":
        return os.environ.get("SSH_AUTH_SOCK", "")
    if configured.startswith("$"):
        return os.environ.get(configured[1:].strip("{}"), "")
    return str(path_of(configured, tokens))


def _said_of_a_jump_host(jump: Jump, settings: SshSettings) -> Said:
    """The same for each of the many nodes behind it: asked for once, as long as the file stays as it is."""
    path = path_of(settings.ssh_config, {})
    try:
        status = path.stat() if settings.ssh_config else None
    except OSError:
        status = None
    if status is None:
        return _said(jump.host, settings, user=jump.user, port=jump.port)
    return _remembered(jump, settings.ssh_config, str(path), status.st_mtime_ns, status.st_size, shutil.which("ssh"))


@lru_cache(maxsize=256)
def _remembered(jump: Jump, ssh_config: str, _path: str, _mtime_ns: int, _size: int, _program: str | None) -> Said:
    return MappingProxyType(_said(jump.host, SshSettings(ssh_config=ssh_config), user=jump.user, port=jump.port))


def _said(host: str, settings: SshSettings, *, user: str, port: int | None) -> dict[str, str]:
    """The file's options for a host, and none of OpenSSH's own defaults that would be mistaken for the file's."""
    if not settings.ssh_config:
        return {}
    path = path_of(settings.ssh_config, {})
    if absence := unseen(path):
        if settings.ssh_config == _DEFAULT_CONFIG:
            return {}
        raise UnreachableError(f"ssh_config {settings.ssh_config}: {absence}")
    program = shutil.which("ssh")
    if not program:
        return _read_with_paramiko(path, host)
    said = _read_with_ssh(program, path, host, settings.ssh_config, user=user, port=port)
    for name in ("user", *_SEVERAL):
        told = [text for text in said.pop(name, "").split("\n") if text and text != _UNSAID]
        if told:
            said[name] = "\n".join(told)
    usual = _usual(program)
    for names in _WISHES.values():
        for name in names:
            if said.get(name) == usual.get(name):
                said.pop(name, None)
    return said


def _read_with_ssh(program: str, path: Path, host: str, shown: str, *, user: str, port: int | None) -> dict[str, str]:
    arguments = [*(["-l", user] if user else []), *(["-p", str(port)] if port else []), "--", host]
    # ssh -G does not tell what was written from what is usual, so its last word is ours.
    text = f'Include "{path.absolute()}"\nMatch all\n    User {_UNSAID}\n    IdentityFile {_UNSAID}\n'
    plain = os.name != "nt" and not set(str(path)) & set('"\\*?[]{}\n%$')
    behind = path
    with ExitStack() as stack:
        try:
            if plain:
                behind = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="preflight-"))) / "config"
                behind.write_text(text, encoding="utf-8", errors="surrogateescape")
        except OSError:  # nowhere to write: the file itself tells most of it
            plain, behind = False, path
        said, trouble = _ask(program, behind, arguments, shown)
    if trouble:
        hint = "give that host `ProxyJump none` there" if "jumphost loop" in trouble else ""
        raise UnreachableError(f"{shown} is not usable: {trouble}".replace(str(behind), shown), hint=hint)
    if not plain and said.get("identityfile", "").count("\n") > 2:  # its own list of names
        del said["identityfile"]
    return said


@lru_cache(maxsize=8)
def _usual(program: str) -> Mapping[str, str]:
    """What ssh says where no file says anything."""
    said, _ = _ask(program, "none", ["--", "localhost"], "nothing")
    return MappingProxyType(said)


def _ask(program: str, file: Path | str, arguments: list[str], shown: str) -> tuple[dict[str, str], str]:
    """What `ssh -G` says, and what is wrong."""
    command = [program, "-F", str(file), "-G", *arguments]
    try:
        done = aside(partial(children.run, command, timeout_s=_PATIENCE_S, most_bytes=_MOST_BYTES))
    except children.TimeUpError as error:
        raise UnreachableError(
            f"`ssh -G` did not read {shown} within {_PATIENCE_S:g} s", hint="look at its `Match exec` lines"
        ) from error
    except children.TooMuchError as error:
        raise UnreachableError(f"`ssh -G` prints more than 1 MiB of {shown}") from error
    except (OSError, ValueError) as error:
        raise UnreachableError(f"cannot read {shown} with `ssh -G`: {error}") from error
    if done.code:
        lines = [line for line in done.errors.decode(errors="replace").splitlines() if "Pseudo-terminal" not in line]
        return {}, " ".join(lines) or str(done.code)
    said: dict[str, str] = {}
    for line in done.output.decode(errors="surrogateescape").splitlines():
        name, _, value = line.partition(" ")
        said[name] = f"{said[name]}\n{value}" if name in _SEVERAL and name in said else value
    return said, ""


def _read_with_paramiko(path: Path, host: str) -> dict[str, str]:
    import paramiko

    try:
        with path.open(encoding="utf-8", errors="surrogateescape") as lines:
            config = paramiko.SSHConfig()
            # Its own tokens know the file alone, and not which port and user the inventory names.
            config.TOKENS_BY_CONFIG_KEY = {**config.TOKENS_BY_CONFIG_KEY, **{name: [] for name in _WITH_TOKENS}}
            config.parse(lines)
        found = config.lookup(host)
    except (OSError, ValueError, ImportError, paramiko.SSHException) as error:
        raise UnreachableError(f"{path} is not usable: {error}") from error
    said: dict[str, str] = {}
    options: dict[str, str | list[str] | None] = {**found}
    for name, value in options.items():
        if value is None:  # what `ProxyCommand none` becomes there
            continue
        values = value if isinstance(value, list) else [value]
        said[name.lower()] = "\n".join(values) if name in _SEVERAL else " ".join(values)
    for name in ("userknownhostsfile", "globalknownhostsfile"):
        if name in said:
            said[name] = " ".join(shlex.split(said[name]))
    return said
