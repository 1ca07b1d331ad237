"""The client configuration of OpenSSH as a list of machines: its `Host` entries that are names, not patterns."""

from __future__ import annotations

import fnmatch
import glob
import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from scanner.errors import UsageError
from scanner.inventory.importing.machines import Machine, unknown_group

_MOST_BYTES = 4 * 1024 * 1024
_MOST_DEPTH = 16
"""As deep as OpenSSH follows Include."""


class SshConfig:
    """The machines of one file, in its order."""

    def __init__(self, path: Path) -> None:
        """Raises UsageError where the file cannot be read."""
        import paramiko

        self.source = str(path)
        self._path = path
        text = _read(path, path, 0)
        try:
            self._config = paramiko.SSHConfig.from_text(text)
        except (paramiko.SSHException, ValueError) as error:
            raise UsageError(f"--from-ssh-config {path}: {error}") from None
        names = [name for line in text.splitlines() for name in _hosts(line)]
        self.names = [name for name in dict.fromkeys(names) if not any(mark in name for mark in "*?!")]

    @property
    def groups(self) -> dict[str, int]:
        """Each name, as a group of one."""
        return dict.fromkeys(self.names, 1)

    def members(self, pattern: str) -> list[Machine]:
        """The machines whose names fit. Raises UsageError."""
        found = [name for name in self.names if fnmatch.fnmatchcase(name, pattern)]
        if not found:
            raise unknown_group(pattern, self.groups, self.source)
        return [self._machine(name) for name in found]

    def _machine(self, name: str) -> Machine:
        import paramiko

        try:
            said = self._config.lookup(name)
        except (paramiko.SSHException, ImportError, ValueError, OSError) as error:
            # What takes a program or an extra library to know (Match exec) is OpenSSH's to work out, at each scan.
            return self._by_its_name(name, f"{self.source} says of it what only OpenSSH can work out ({error})")
        for word in ("proxycommand", "hostkeyalias"):
            if said.get(word, "none").lower() != "none":
                return self._by_its_name(name, f"{self.source} has a {word} for it")
        keys: dict[str, object] = {}
        if user := said.get("user"):
            keys["user"] = user
        if (port := str(said.get("port", ""))).isdigit():
            keys["port"] = int(port)
        named: str | list[str] = said.get("identityfile") or ""
        files = named if isinstance(named, list) else [named] * bool(named)
        if files:
            keys["key_file"] = str(files[0])
        if (jump := said.get("proxyjump", "")) and jump.lower() != "none":
            keys["jump"] = jump
        notes = (f"Of its keys the first is taken: {', '.join(map(str, files))}.",) if len(files) > 1 else ()
        return Machine(name=name, host=said.get("hostname", name), transport="ssh", keys=keys, notes=notes)

    def _by_its_name(self, name: str, why: str) -> Machine:
        """A machine that is found by what the file says at each scan."""
        keys = {"ssh_config": str(self._path.absolute())}
        return Machine(name=name, host=name, transport="ssh", keys=keys, notes=(f"{why}: so it is read at each scan.",))


def _hosts(line: str) -> list[str]:
    words = _words(line)
    return words[1:] if words and words[0].lower() == "host" else []


def _words(line: str) -> list[str]:
    """`Keyword value value` or `Keyword=value`, with quotes."""
    stripped = line.strip()
    if not stripped or stripped.startswith("#"):
        return []
    keyword, _, rest = stripped.replace("=", " ", 1).partition(" ") if "=" in stripped else stripped.partition(" ")
    try:
        return [keyword, *shlex.split(rest)]
    except ValueError:
        return [keyword, *rest.split()]


def _read(path: Path, top: Path, depth: int) -> str:
    """The file with what it includes in its place, as OpenSSH reads it."""
    if depth > _MOST_DEPTH:
        raise UsageError(f"--from-ssh-config {top}: its files include each other in a circle")
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"--from-ssh-config {path}: cannot be read: {error.strerror or error}") from None
    if len(data) > _MOST_BYTES:
        raise UsageError(f"--from-ssh-config {path}: is larger than 4 MiB, and no configuration of ssh")
    lines: list[str] = []
    for line in data.decode("utf-8-sig", "replace").splitlines():
        words = _words(line)
        if not words or words[0].lower() != "include":
            lines.append(line)
            continue
        for pattern in words[1:]:
            where = os.path.expanduser(pattern)  # noqa: PTH111  Path.expanduser raises without a home
            found: Sequence[str] = sorted(glob.glob(str(top.parent / where)))  # noqa: PTH207  it may be absolute
            lines += [_read(Path(name), top, depth + 1) for name in found]
    return "\n".join(lines)
