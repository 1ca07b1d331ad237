"""Readers of what the machines of a Chef Backend cluster say of themselves. What is not understood is shown."""

from __future__ import annotations

import re

from checks.chef_backend.node_facts import InstalledPackage
from scanner.probes.chef_backend_readers import printed_lines
from scanner.probes.probe import Answer, UnreadableError

_RPM = re.compile(r"rpm (?P<version>\S+) (?P<at>\d{1,12})\|")
_DEB = re.compile(r"deb \S+ \S+ (?P<state>\S+)(?: (?P<version>\d\S*))?(?: (?P<at>\d{9,12}))?")
_NOW = re.compile(r"now (\d{1,12})")
_MANIFEST = re.compile(r'manifest (?:.*: No such file or directory|"build_version"\s*:\s*"(?P<version>[^"]+)")')
# What dpkg says of a package that was removed, or never there.
_ABSENT = ("not-installed", "config-files")


def read_installed_package(answer: Answer) -> InstalledPackage:
    """What rpm or dpkg, and the manifest, say of Chef Backend. Raises UnreadableError."""
    what = "the installed package of chef-backend"
    lines = printed_lines(answer, what)
    if len(lines) != 3:
        raise UnreadableError(f"{what}: expected three lines, not {_shown(lines)}")
    now, manifest = _NOW.fullmatch(lines[1]), _MANIFEST.fullmatch(lines[2])
    rpm, deb = _RPM.fullmatch(lines[0]), _DEB.fullmatch(lines[0])
    if not now or not manifest or not (rpm or deb or lines[0] == "none"):
        raise UnreadableError(f"{what}: not understood: {_shown(lines)}")
    version, state, at, manager = "", "", None, ""
    if rpm:
        manager, version, state, at = "rpm", rpm["version"], "installed", int(rpm["at"])
    elif deb and deb["state"] not in _ABSENT:
        if not deb["version"]:
            raise UnreadableError(f"{what}: dpkg names no version: {_shown(lines)}")
        manager, version, state = "deb", deb["version"], deb["state"]
        at = int(deb["at"]) if deb["at"] else None
    return InstalledPackage(manager, version, state, at, int(now[1]), manifest["version"] or "")


def _shown(lines: list[str]) -> str:
    text = "; ".join(lines) or "no output"
    return repr(text if len(text) <= 200 else f"{text[:200]}…")
