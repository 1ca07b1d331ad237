"""Passwords and passphrases from where the inventory says they are, read once and before anything is contacted."""

from __future__ import annotations

import getpass
import os
import re
import shlex
import shutil
import stat
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path

from scanner.errors import InventoryError, Problem, shortened
from scanner.inventory.model import Inventory, Node, SecretSource, SshSettings, TdsSettings, WinrmSettings
from scanner.inventory.reading.discretion import NOT_SHOWN, may_be_secret, may_be_secret_file, may_be_secret_variable
from scanner.inventory.reading.values import KeyPath, Problems
from scanner.secrets import children
from scanner.secrets.redaction import Redactor
from scanner.secrets.secret import Secret

_MOST_BYTES = 64 * 1024
_LINE = 200
_PROGRAM_AND_MORE = 2


class _UnusableError(Exception):
    """A secret that could not be read: why and what to do, never what."""


def resolve(
    inventory: Inventory,
    only: AbstractSet[tuple[str, str]] | None = None,
    learn: Callable[[Secret, str], None] = lambda _, __: None,
) -> Inventory:
    """The same inventory with every SecretSource replaced by its Secret; each source is read once.

    `only` names the nodes that are about to be asked, as (cluster, node); the others keep their sources unread.
    None: all. Commands run in the inventory's folder, without a shell, for at most the longest `connect_timeout` of the
    nodes that need what they print. Files that the nodes' settings name (keys, certificates) are looked for, too.

    Raises InventoryError with everything that is missing. `learn` is told each secret as soon as it is known, with the
    user whom it belongs to.
    """
    children.withhold(variables(inventory))
    reader = _Reader(folder=inventory.path.absolute().parent, learn=learn, fetch=_read, patience_s=_patience(inventory))
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


def variables(inventory: Inventory) -> set[str]:
    """The environment variables that the inventory takes secrets from, for whichever node."""
    found: set[str] = set()
    for node in (node for cluster in inventory.clusters for node in cluster.nodes):
        found |= {source.env for source, _ in _sources(node) if source.env}
    return found


def missing(inventory: Inventory) -> list[Problem]:
    """What `resolve` would not find on this machine, as far as that can be told without reading a secret.

    Files are looked for and their modes looked at, variables are looked for, programs are looked for and not run.
    """
    reader = _Reader(
        folder=inventory.path.absolute().parent, learn=lambda _, __: None, fetch=_look, patience_s=_patience(inventory)
    )
    for cluster in inventory.clusters:
        for node in cluster.nodes:
            reader.node(node)
    return reader.problems()


@dataclass(slots=True, kw_only=True)
class _Reader:
    folder: Path
    learn: Callable[[Secret, str], None]
    fetch: Callable[[SecretSource, Path, float], str]
    patience_s: Mapping[SecretSource, float]
    """How long each may take."""
    known: dict[SecretSource, Secret | None] = field(default_factory=dict)
    failures: dict[str, list[KeyPath]] = field(default_factory=dict)
    """Each thing that is wrong, with the keys that it concerns."""
    causes: dict[SecretSource, str] = field(default_factory=dict)

    def node(self, node: Node) -> Node:
        place: KeyPath = ("clusters", node.cluster, "nodes", node.name)
        if "sql_user" in node.options:
            node = replace(
                node, sql_password=self._secret(node.sql_password, "sql_password", place, str(node.options["sql_user"]))
            )
        if node.tds:
            self._check_tds(node, place)
        if node.winrm:
            return replace(node, winrm=self._winrm(node.winrm, place))
        if node.ssh:
            return replace(node, ssh=self._ssh(node.ssh, place))
        return node

    def _check_tds(self, node: Node, place: KeyPath) -> None:
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

    def _winrm(self, settings: WinrmSettings, place: KeyPath) -> WinrmSettings:
        if settings.auth == "certificate":
            self._need(settings.cert_file, (*place, "cert_file"))
            self._need(settings.key_file, (*place, "key_file"))
        if settings.verify and settings.scheme == "https":
            self._need(settings.ca_file, (*place, "ca_file"), folder_will_do=True)
        # A password that is not used is not asked for.
        needed = None if settings.auth == "certificate" else settings.password
        return replace(settings, password=self._secret(needed, "password", place, settings.user))

    def _ssh(self, settings: SshSettings, place: KeyPath) -> SshSettings:
        self._need(settings.key_file, (*place, "key_file"))
        if settings.host_key_policy == "strict" and not settings.host_key:
            self._need(settings.known_hosts, (*place, "known_hosts"))
        if settings.ssh_config != SshSettings().ssh_config:
            self._need(settings.ssh_config, (*place, "ssh_config"))
        return replace(
            settings,
            passphrase=self._secret(settings.passphrase, "passphrase", place),
            password=self._secret(settings.password, "password", place, settings.user),
        )

    def _need(self, path: str, place: KeyPath, *, folder_will_do: bool = False) -> None:
        if not path:
            return
        found = Path(path)
        if may_be_secret(found.name) or may_be_secret(path):
            path = NOT_SHOWN
        if not found.exists():
            self._fail(f"{path}: there is no such file{_no_home(path)}", place)
        elif found.is_dir() and not folder_will_do:
            self._fail(f"{path} is a folder; name the file in it", place)
        elif not os.access(found, os.R_OK):
            self._fail(f"{path}: you may not read this file; check its owner and mode", place)

    def _secret(self, source: SecretSource | Secret | None, name: str, place: KeyPath, user: str = "") -> Secret | None:
        if not isinstance(source, SecretSource):
            return source
        if source not in self.known:
            try:
                self.known[source] = secret = Secret(self.fetch(source, self.folder, self.patience_s[source]))
                self.learn(secret, user)
            except _UnusableError as error:
                self.known[source] = None
                self.causes[source] = str(error)
            except KeyboardInterrupt:
                raise
            except BaseException as defect:  # noqa: BLE001  no word of it: what was read may stand in it, and is not known yet
                self.known[source] = None
                self.causes[source] = (
                    f"reading it ended in {type(defect).__name__}: a defect of preflight; please report it"
                )
        if source in self.causes:
            part = next(part for part in ("env", "file", "command", "prompt") if getattr(source, part))
            self._fail(self.causes[source], (*place, f"{name}_{part}"))
        return self.known[source]

    def _fail(self, cause: str, place: KeyPath) -> None:
        self.failures.setdefault(cause, []).append(place)


def _patience(inventory: Inventory) -> dict[SecretSource, float]:
    """For each source the longest `connect_timeout` of the nodes that need it: getting it is part of reaching them."""
    found: dict[SecretSource, float] = {}
    for node in (node for cluster in inventory.clusters for node in cluster.nodes):
        for source, seconds in _sources(node):
            found[source] = max(seconds, found.get(source, 0.0))
    return found


def _sources(node: Node) -> Iterator[tuple[SecretSource, float]]:
    for settings in (node.winrm, node.ssh):
        for source in (settings.password, getattr(settings, "passphrase", None)) if settings else ():
            if settings and isinstance(source, SecretSource):
                yield source, settings.connect_timeout_s
    if isinstance(node.sql_password, SecretSource):
        here = [each.connect_timeout_s for each in (node.tds, node.winrm, node.ssh) if each]
        yield node.sql_password, here[0] if here else TdsSettings().connect_timeout_s


def _read(source: SecretSource, folder: Path, patience_s: float) -> str:
    if source.env:
        return _from_environment(source.env, os.environ)
    if source.file:
        return _from_file(folder / source.file, folder)
    if source.prompt:
        return _from_terminal(source.prompt)
    return _from_command(source.command, folder, patience_s)


def _look(source: SecretSource, folder: Path, _patience_s: float) -> str:
    """What can be said of `source` without it: raises like `_read`, and gives nothing."""
    if source.env and source.env not in os.environ:
        _from_environment(source.env, {})
    if source.file:
        _from_file(folder / source.file, folder, most_bytes=0)
    if source.command:
        words, _ = _arguments(source.command)
        if words and not shutil.which(folder / words[0] if os.sep in words[0] else words[0]):
            raise _no_program(source.command, words)
    return ""


def _from_environment(name: str, environment: Mapping[str, str]) -> str:
    value = environment.get(name)
    if value is None and may_be_secret_variable(name):
        raise _UnusableError(
            "there is no environment variable of the name that is written there (not shown: it may be the secret "
            "itself); expected the NAME of a variable, which is set and exported to this program"
        )
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


def _from_file(path: Path, folder: Path, most_bytes: int = _MOST_BYTES) -> str:
    """What the file at `path` holds; with no bytes to read, nothing, once it is found to be usable."""
    what = str(path)
    # What was written stands there as a whole path, in the inventory's folder where it was a bare word.
    if may_be_secret_file(path.name if path.parent == folder else what) and not path.exists():
        raise _UnusableError(f"there is no such file: {NOT_SHOWN}; expected the name of a file that holds the secret")
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
            if not most_bytes:
                return ""
            data = file.read(most_bytes + 1)
    except FileNotFoundError:
        advice = _no_home(what) or "; create it with the secret on its first line"
        raise _UnusableError(f"{what}: there is no such file{advice}") from None
    except IsADirectoryError:
        raise _UnusableError(f"{what} is a folder; name the file in it") from None
    except PermissionError:
        raise _UnusableError(f"{what}: you may not read this file; check its owner and mode") from None
    except (OSError, ValueError) as error:
        raise _UnusableError(f"{what}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(data) > most_bytes:
        raise _UnusableError(f"{what} is larger than 64 KiB; expected the secret on one line")
    return _decoded(data, what)


def has_terminal() -> bool:
    """Whether somebody can be asked for a password, without it being seen."""
    if os.name != "posix":
        return sys.stdin is not None and sys.stdin.isatty()
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _no_home(path: str) -> str:
    """What to do about `~name/...` that is nobody's home, and so was taken for a file beside the inventory."""
    found = re.search(r"(?:^|[/\\])~([^/\\]+)[/\\]", path)
    if not found:
        return ""
    return f"; ~{found[1]} is the home of a user {found[1]}, whom this machine does not know: write ~/ for yours"


def _from_terminal(prompt: str) -> str:
    if not has_terminal():
        raise _UnusableError("there is no terminal to ask for the password on; take it from password_env instead")
    try:
        typed = getpass.getpass(prompt)
    except EOFError:
        typed = ""
    if not typed:
        raise _UnusableError("no password was typed")
    return _one_line(typed, "what was typed")


def _from_command(command: str, folder: Path, patience_s: float) -> str:
    words, arguments = _arguments(command)
    what = f"the command {words[0]}" if words else "the command"
    # A command that speaks of a variable is given what is in it; what else preflight was given is not its business.
    granted = [name for name in children.withheld() if re.search(rf"\$\{{?{name}\b|%{name}%", command)]
    try:
        done = children.run(arguments, timeout_s=patience_s, most_bytes=_MOST_BYTES, folder=folder, granted=granted)
    except children.TimeUpError:
        raise _UnusableError(
            f"{what} did not end within {patience_s:g} s; does it ask for something? Run it by hand to see; "
            "`connect_timeout` gives it more time"
        ) from None
    except children.TooMuchError:
        raise _UnusableError(f"{what} printed more than 64 KiB; expected the secret on one line") from None
    except FileNotFoundError:
        raise _no_program(command, words) from None
    except (OSError, ValueError) as error:
        raise _UnusableError(f"{what} cannot be started: {getattr(error, 'strerror', None) or error}") from None
    if done.code != 0:
        raise _UnusableError(f"{what} failed with {_ending(done.code)}{_first_line(done, words[1:])}")
    return _decoded(done.output, f"the output of {what}")


def _no_program(command: str, words: Sequence[str]) -> _UnusableError:
    if len(words) < _PROGRAM_AND_MORE and (may_be_secret(command) or not re.search(r"[/\\]", command)):
        return _UnusableError(
            "it names no program on the PATH, and is not shown here for it may be the secret itself; "
            "expected a command that prints the secret, such as: pass show preflight/password"
        )
    what = f"the command {words[0]}" if words else "the command"
    return _UnusableError(f"{what}: there is no such program on the PATH (no shell is used: pipes need sh -c)")


def _arguments(command: str) -> tuple[list[str], str | list[str]]:
    """The words of the command, of which the first may be shown (arguments may be sensitive), and what to start."""
    if os.name == "nt":
        # CreateProcess has rules of its own, and shlex would eat every backslash of a path.
        return [], command
    try:
        arguments = shlex.split(command)
    except ValueError as error:
        raise _UnusableError(
            f"the command cannot be split into words: {str(error).lower()}; check its quotes"
        ) from None
    if not arguments or not arguments[0]:
        raise _UnusableError("the command names no program")
    return arguments, arguments


def _ending(code: int) -> str:
    return f"exit code {code}" if code > 0 else f"signal {-code}"


def _first_line(done: children.Done, arguments: Sequence[str]) -> str:
    """What it says on standard error, without what it printed, what it was called with, and what it was not given."""
    said = [*done.output.decode("utf-8", "replace").splitlines(), *arguments, *children.withheld().values()]
    words = {word for text in said for word in (text.strip(), text.partition("=")[2].strip())}
    words = {word for word in words if word and not word.startswith("-")}
    hide = Redactor(frozenset((word, "") for word in words))
    errors = hide.raw(done.errors, cut=True).decode("utf-8", "replace").strip().splitlines()
    # `sh -x` shows every command with its arguments.
    line = next((hide.message(each) for each in errors if not each.startswith("+")), "")
    clean = shortened("".join(c if c.isprintable() else "?" for c in line), _LINE)
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
