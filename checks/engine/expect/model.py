"""What somebody expects of nodes beyond what comes with preflight: one expectation, written down without any code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from checks.common.dataclass import dataclass
from checks.outcome import Severity

Kind = Literal["file", "registry", "service", "package", "port", "command", "sql"]

KINDS: Mapping[Kind, str] = {
    "file": "a file or folder on the node",
    "registry": "a key of Windows' registry",
    "service": "a service",
    "package": "an installed package",
    "port": "a port that something listens on",
    "command": "what a command of your own prints",
    "sql": "what one SELECT of your own gives",
}
"""What an expectation can be about, by the key that says so."""

ANSWERED: Mapping[str, frozenset[Kind]] = {
    "sh": frozenset({"file", "service", "package", "port", "command"}),
    "powershell": frozenset({"file", "registry", "service", "package", "port", "command", "sql"}),
    "tds": frozenset(),
}
"""What a node can be asked for, by the language that it is spoken to in."""
ROOT_PATH = r"/[A-Za-z0-9_./@%+-]*"
"""Paths that may be read as root: nothing in them is anything to a shell or to sudoers."""
WINDOWS_SERVICE = r"[A-Za-z0-9_.$@ -]+"
"""What the name of a service on Windows is made of; it stands in a question to WMI."""

Wanted = str | int | bool | tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """One expectation. What it wants is under the keys of its kind, as the inventory writes them."""

    id: str
    title: str
    kind: Kind
    subject: str
    """The path, the name, the port, the command, the SELECT."""
    wants: Mapping[str, Wanted] = field(default_factory=dict)
    same: bool = False
    """True: all nodes have to answer the same, too."""
    warns: bool = False
    """True: a breach is a warning."""
    clusters: tuple[str, ...] = ()
    """Empty: all clusters."""
    products: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    severity: Severity = Severity.MEDIUM
    why: str = ""
    fix: str = ""
    url: str = ""
    sudo: bool = False
    """True: what it takes root to read is read as root."""
    timeout_s: int = 30

    def text(self, name: str) -> str:
        """What is wanted under a key, as a text; empty where nothing is."""
        found = self.wants.get(name, "")
        return found if isinstance(found, str) else str(found).lower() if isinstance(found, bool) else str(found)

    def texts(self, name: str) -> tuple[str, ...]:
        """The texts that are wanted under a key."""
        found = self.wants.get(name, ())
        return found if isinstance(found, tuple) else (str(found),)

    def flag(self, name: str, default: bool) -> bool:
        """Whether something is wanted to be so."""
        found = self.wants.get(name, default)
        return found if isinstance(found, bool) else default

    def items(self) -> tuple[str, ...]:
        """The names of what the node has to say, in the order in which it is told; see `Observation`."""
        return _ITEMS[self.kind](self)

    @property
    def patterns(self) -> tuple[tuple[str, str, str], ...]:
        """What content is searched for: the item's name, the key, the text."""
        return tuple(
            (f"{key.replace('_', '-')}-{number}", key, text)
            for key in CONTENT
            for number, text in enumerate(self.texts(key), 1)
        )


CONTENT = ("contains", "lacks", "matches", "matches_not")
"""Keys that look into a text: for a literal, or line by line for a regular expression."""
_WHOLE = ("value", "least", "most")


def _file(wanted: Expectation) -> tuple[str, ...]:
    plain = ("type", "mode", "owner", "group", "size", "sha256")
    by_key = {"max_mode": "mode", "least": "size", "most": "size"}
    asked = {by_key.get(name, name) for name in wanted.wants}
    if wanted.same and not asked & {*plain, *CONTENT}:
        asked.add("sha256")
    return ("exists", *(name for name in plain if name in asked), *(name for name, _, _ in wanted.patterns))


def _registry(wanted: Expectation) -> tuple[str, ...]:
    named = bool(wanted.text("name"))
    return ("exists", *(("value",) if named and wanted.flag("exists", default=True) else ()))


def _service(wanted: Expectation) -> tuple[str, ...]:
    return ("exists", "state", "running", *(("enabled",) if "enabled" in wanted.wants or wanted.same else ()))


def _package(_: Expectation) -> tuple[str, ...]:
    return ("installed", "version", "manager")


def _port(_: Expectation) -> tuple[str, ...]:
    return ("listening", "addresses")


def _command(wanted: Expectation) -> tuple[str, ...]:
    whole = wanted.same or any(key in wanted.wants for key in _WHOLE)
    return (
        "exit",
        *(("version",) if "version" in wanted.wants else ()),
        *(("value",) if whole else ()),
        *(name for name, _, _ in wanted.patterns),
    )


def _sql(wanted: Expectation) -> tuple[str, ...]:
    whole = wanted.same or any(key in wanted.wants for key in (*_WHOLE, *CONTENT))
    return ("rows", *(("value",) if whole else ()), *(name for name, _, _ in wanted.patterns))


_ITEMS = {
    "file": _file,
    "registry": _registry,
    "service": _service,
    "package": _package,
    "port": _port,
    "command": _command,
    "sql": _sql,
}


def subject_of(wanted: Expectation) -> str:
    """What it is about, in words: "file /etc/shadow"."""
    name = f", value {wanted.text('name')}" if wanted.kind == "registry" and wanted.text("name") else ""
    return f"{wanted.kind} {wanted.subject}{name}"


def told(wanted: Expectation) -> str:
    """What is expected, in words: "file /etc/shadow: mode at most 0640; owner root"."""
    return f"{subject_of(wanted)}: {'; '.join(wishes(wanted))}"


def wishes(wanted: Expectation) -> list[str]:
    """Each thing that is expected, in words."""
    first = {
        "file": ("exists", "exists", "does not exist"),
        "registry": ("exists", "exists", "does not exist"),
        "package": ("installed", "is installed", "is not installed"),
        "port": ("listening", "something listens", "nothing listens"),
    }.get(wanted.kind)
    told_as = []
    if first:
        told_as.append(first[1] if wanted.flag(first[0], default=True) else first[2])
    if wanted.kind == "service":
        told_as += _service_wishes(wanted)
    if wanted.kind == "command":
        told_as.append(f"ends with {wanted.text('exit') or '0'}")
    unit = " bytes" if wanted.kind == "file" else ""
    words = {
        "type": "is a {}",
        "sha256": "SHA-256 {}",
        "mode": "mode {}",
        "max_mode": "mode at most {}",
        "owner": "owner {}",
        "group": "group {}",
        "size": "{} bytes",
        "version": "version {}",
        "value": "is {}",
        "least": "at least {}" + unit,
        "most": "at most {}" + unit,
        "address": "on {} alone",
        "rows": "{} rows",
    }
    told_as += [text.format(wanted.text(key)) for key, text in words.items() if key in wanted.wants]
    content = {"contains": "has {!r} in it", "lacks": "does not have {!r} in it"}
    content |= {"matches": "a line matches {!r}", "matches_not": "no line matches {!r}"}
    told_as += [content[key].format(text) for _, key, text in wanted.patterns]
    if wanted.same:
        told_as.append("the same on all nodes")
    return told_as


def _service_wishes(wanted: Expectation) -> list[str]:
    if not wanted.flag("exists", default=True):
        return ["does not exist"]
    words = {"running": ("runs", "does not run"), "enabled": ("starts by itself", "does not start by itself")}
    names = [name for name in words if name in wanted.wants] or ["running"]
    return [words[name][0] if wanted.flag(name, default=True) else words[name][1] for name in names]
