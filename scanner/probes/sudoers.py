"""The lines of sudoers that the probes need: each command that they run as root, with its arguments, and no other."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

from scanner.probes.probe import Probe

_AS_ROOT = re.compile(r"\$SUDO +((?:(?!\d?[<>])[^|&;()\n])+)")
# sudo compares the path that the name resolves to. Where /bin is a folder of its own (Ubuntu up to 18.04, RHEL 6) it
# holds some of these, /usr/bin the others; elsewhere both are one. A path that does not exist allows nothing.
_FOLDERS = ("/usr/bin", "/bin")
_VENDOR_FOLDERS = {
    "chef-backend-ctl": ("/usr/bin", "/opt/chef-backend/bin"),
    "chef-server-ctl": ("/usr/bin", "/opt/opscode/bin"),
}
_SPECIAL = re.compile(r"[,:=\\*?\[\]!\"#]")
"""Characters that mean something to sudoers in a command or its arguments."""
_PLAIN = re.compile(r"[A-Za-z_][\w.@-]*\$?")


def root_commands(probes: Iterable[Probe]) -> list[tuple[str, ...]]:
    """What the probes run as root, each command once, as words: the program's name, then its arguments."""
    commands = [tuple(shlex.split(text)) for probe in probes for text in _AS_ROOT.findall(probe.script)]
    return list(dict.fromkeys(commands))


def sudoers_lines(user: str, probes: Iterable[Probe]) -> list[str]:
    """A line for each command and each path that its program may have."""
    return [
        " ".join([f"{_user(user)} ALL=(root) NOPASSWD: {folder}/{program}", *map(_escaped, arguments)])
        for program, *arguments in root_commands(probes)
        for folder in _VENDOR_FOLDERS.get(program, _FOLDERS)
    ]


def without_terminal(user: str) -> str:
    """The line that lets `user` call sudo without a terminal, which `requiretty` forbids (RHEL up to 7)."""
    return f"Defaults:{_user(user)} !requiretty"


def _escaped(word: str) -> str:
    return _SPECIAL.sub(lambda found: f"\\{found[0]}", word)


def _user(name: str) -> str:
    """As sudoers takes it: `CORP\\svc` has its backslash doubled, and a name that looks like a group is quoted."""
    return name if _PLAIN.fullmatch(name) else re.sub(r"([^\w.@-])", r"\\\1", name)
