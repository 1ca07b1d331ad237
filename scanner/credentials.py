"""Passwords and passphrases from where the inventory says they are, read once and before anything is contacted."""

from __future__ import annotations

import os
import shlex
import stat
import subprocess
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path

from scanner.errors import InventoryError, Problem
from scanner.inventory.model import Inventory, Node, SecretSource, SshSettings, WinrmSettings
from scanner.inventory.values import Place, Problems
from scanner.secrets import Secret

COMMAND_TIMEOUT_S = 30.0
_MOST_BYTES = 64 * 1024
_LINE = 200


class _UnusableError(Exception):
    """A secret that could not be read: why and what to do, never what."""


def resolve(inventory: Inventory, only: AbstractSet[tuple[str, str]] | None = None) -> Inventory:
    """The same inventory with every SecretSource replaced by its Secret; each source is read once.

    `only` names the nodes that are about to be asked, as (cluster, node); the others keep their sources unread.
    None: all. Commands run in the inventory's folder, without a shell, for at most `COMMAND_TIMEOUT_S`. Files that the
    nodes' settings name (keys, certificates) are looked for, too.

    Raises InventoryError with everything that is missing.
    """
    reader = _Reader(inventory.path.absolute().parent)
    clusters = tuple(
        replace(
            cluster,
            nodes=tuple(
                reader.node(node) if only is None or (cluster.name, node.name) in only else node
                for node in cluster.nodes
            ),
        )
        for cluster in inventory.clusters
    )
    problems = reader.problems()
    if problems:
        raise InventoryError(str(inventory.path), problems)
    return replace(inventory, clusters=clusters)


@dataclass(slots=True)
class _Reader:
    folder: Path
    known: dict[SecretSource, Secret | None] = field(default_factory=dict)
    failures: dict[str, list[Place]] = field(default_factory=dict)
    """Each thing that is wrong, with the keys that it concerns."""
    causes: dict[SecretSource, str] = field(default_factory=dict)

    def node(self, node: Node) -> Node:
        place: Place = ("clusters", node.cluster, "nodes", node.name)
        if "sql_user" in node.options:
            node = replace(node, sql_password=self._secret(node.sql_password, "sql_password", place))
        if node.tds:
            self._check_tds(node, place)
        if node.winrm:
            return replace(node, winrm=self._winrm(node.winrm, place))
        if node.ssh:
            return replace(node, ssh=self._ssh(node.ssh, place))
        return node

    def _check_tds(self, node: Node, place: Place) -> None:
        if node.logs_in_to_sql and not find_spec("pytds"):
            self._fail(
                'SQL Server can be asked with a login only where python-tds is installed; run: pip install "'
                'preflight-scanner[tds]"',
                (*place, "sql_user"),
            )
        if node.tds and node.tds.verify:
            self._need(node.tds.ca_file, (*place, "ca_file"), folder_will_do=True)

    def problems(self) -> list[Problem]:
        """One for each cause, at the first node it concerns: a password for forty nodes is missing once."""
        found = Problems()
        for cause, places in self.failures.items():
            more = len({place[:4] for place in places}) - 1
            found.add(places[0], cause + (f" (and {more} more node{'s' * (more > 1)})" if more else ""))
        return list(found.found)

    def _winrm(self, settings: WinrmSettings, place: Place) -> WinrmSettings:
        if settings.auth == "certificate":
            self._need(settings.cert_file, (*place, "cert_file"))
            self._need(settings.key_file, (*place, "key_file"))
        if settings.verify and settings.scheme == "https":
            self._need(settings.ca_file, (*place, "ca_file"), folder_will_do=True)
        # A password that is not used is not asked for.
        needed = None if settings.auth == "certificate" else settings.password
        return replace(settings, password=self._secret(needed, "password", place))

    def _ssh(self, settings: SshSettings, place: Place) -> SshSettings:
        self._need(settings.key_file, (*place, "key_file"))
        if settings.host_key_policy == "strict" and not settings.host_key:
            self._need(settings.known_hosts, (*place, "known_hosts"))
        if settings.ssh_config != SshSettings().ssh_config:
            self._need(settings.ssh_config, (*place, "ssh_config"))
        return replace(
            settings,
            passphrase=self._secret(settings.passphrase, "passphrase", place),
            password=self._secret(settings.password, "password", place),
        )

    def _need(self, path: str, place: Place, *, folder_will_do: bool = False) -> None:
        if not path:
            return
        found = Path(path)
        if not found.exists():
            self._fail(f"{path}: there is no such file", place)
        elif found.is_dir() and not folder_will_do:
            self._fail(f"{path} is a folder; name the file in it", place)
        elif not os.access(found, os.R_OK):
            self._fail(f"{path}: you may not read this file; check its owner and mode", place)

    def _secret(self, source: SecretSource | Secret | None, name: str, place: Place) -> Secret | None:
        if not isinstance(source, SecretSource):
            return source
        if source not in self.known:
            try:
                self.known[source] = Secret(_read(source, self.folder))
            except _UnusableError as error:
                self.known[source] = None
                self.causes[source] = str(error)
        if source in self.causes:
            part = "env" if source.env else "file" if source.file else "command"
            self._fail(self.causes[source], (*place, f"{name}_{part}"))
        return self.known[source]

    def _fail(self, cause: str, place: Place) -> None:
        self.failures.setdefault(cause, []).append(place)


def _read(source: SecretSource, folder: Path) -> str:
    if source.env:
        return _from_environment(source.env, os.environ)
    if source.file:
        return _from_file(folder / source.file)
    return _from_command(source.command, folder)


def _from_environment(name: str, environment: Mapping[str, str]) -> str:
    value = environment.get(name)
    if value is None:
        raise _UnusableError(f"the environment variable {name} is not set; set it, and export it to this program")
    what = f"the environment variable {name}"
    if not value:
        raise _UnusableError(f"{what} is empty; set it to the secret")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise _UnusableError(f"{what} is not UTF-8; set it under a UTF-8 locale") from None
    return _one_line(value, what)


def _from_file(path: Path) -> str:
    what = str(path)
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            exposed = stat.S_IMODE(found.st_mode) & 0o077
            # The rule that ssh has for its keys: whoever owns the file answers for it. Mounted secrets of others pass.
            if os.name == "posix" and stat.S_ISREG(found.st_mode) and found.st_uid == os.getuid() and exposed:
                raise _UnusableError(
                    f"{what} is open to others (mode {stat.S_IMODE(found.st_mode):04o}); run: "
                    f"chmod 600 {shlex.quote(what)}"
                )
            data = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        raise _UnusableError(f"{what}: there is no such file; create it with the secret on its first line") from None
    except IsADirectoryError:
        raise _UnusableError(f"{what} is a folder; name the file in it") from None
    except PermissionError:
        raise _UnusableError(f"{what}: you may not read this file; check its owner and mode") from None
    except (OSError, ValueError) as error:
        raise _UnusableError(f"{what}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(data) > _MOST_BYTES:
        raise _UnusableError(f"{what} is larger than 64 KiB; expected the secret on one line")
    return _decoded(data, what)


def _from_command(command: str, folder: Path) -> str:
    what, arguments = _arguments(command)
    try:
        with subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
        ) as process:
            try:
                output, errors = process.communicate(timeout=COMMAND_TIMEOUT_S)
            except BaseException:
                process.kill()
                raise
    except subprocess.TimeoutExpired:
        raise _UnusableError(
            f"{what} did not end within {COMMAND_TIMEOUT_S:g} s; does it ask for something? Run it by hand to see"
        ) from None
    except FileNotFoundError:
        raise _UnusableError(
            f"{what}: there is no such program on the PATH (no shell is used: pipes need sh -c)"
        ) from None
    except (OSError, ValueError) as error:
        raise _UnusableError(f"{what} cannot be started: {getattr(error, 'strerror', None) or error}") from None
    if process.returncode != 0:
        raise _UnusableError(f"{what} failed with {_ending(process.returncode)}{_first_line(errors)}")
    if len(output) > _MOST_BYTES:
        raise _UnusableError(f"{what} printed more than 64 KiB; expected the secret on one line")
    return _decoded(output, f"the output of {what}")


def _arguments(command: str) -> tuple[str, str | list[str]]:
    """What to call the command in messages (its program alone: arguments may be sensitive), and what to start."""
    if os.name == "nt":
        # CreateProcess has rules of its own, and shlex would eat every backslash of a path.
        return "the command", command
    try:
        arguments = shlex.split(command)
    except ValueError as error:
        raise _UnusableError(
            f"the command cannot be split into words: {str(error).lower()}; check its quotes"
        ) from None
    if not arguments or not arguments[0]:
        raise _UnusableError("the command names no program")
    return f"the command {arguments[0]}", arguments


def _ending(code: int) -> str:
    return f"exit code {code}" if code > 0 else f"signal {-code}"


def _first_line(errors: bytes) -> str:
    lines = errors[:_MOST_BYTES].decode("utf-8", "replace").strip().splitlines()
    clean = "".join(c if c.isprintable() else "?" for c in lines[0][:_LINE]) if lines else ""
    return f": {clean}" if clean else ", and said nothing; run it by hand to see"


def _decoded(data: bytes, what: str) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _UnusableError(f"{what} is not UTF-8; save it as UTF-8") from None
    for ending in ("\r\n", "\n"):
        if text.endswith(ending):
            text = text.removesuffix(ending)
            break
    if not text:
        raise _UnusableError(f"{what} is empty; expected the secret on one line")
    return _one_line(text, what)


def _one_line(text: str, what: str) -> str:
    if any(c in text for c in "\r\n\0"):
        raise _UnusableError(f"{what} holds a line break; expected the secret alone, on one line")
    return text
