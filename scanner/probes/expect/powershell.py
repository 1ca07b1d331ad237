"""What a Windows node is asked for an expectation: one call of a function that is sent beside it. PowerShell 2.0."""

from __future__ import annotations

import re

from checks.engine.expect.model import WINDOWS_SERVICE, Expectation
from scanner.probes import rights
from scanner.probes.batch.powershell import literal, powershell_source

_FURTHER = {"command": ("expect/expect-command.ps1",), "sql": ("expect/expect-sql.ps1", "windows/sql.ps1")}


def parts(wanted: Expectation) -> tuple[str, ...]:
    """The functions that its script calls, sent once for all."""
    return tuple(powershell_source(name) for name in ("expect/expect.ps1", *_FURTHER.get(wanted.kind, ())))


def needs(wanted: Expectation) -> tuple[str, ...]:
    """What the account needs for it."""
    named = {
        "service": (rights.WMI, rights.SERVICES),
        "sql": (rights.SQL_SERVER,),
        "file": (rights.EXPECTED_FILE,),
        "command": (rights.EXPECTED_COMMAND,),
    }
    return named.get(wanted.kind, (rights.ANY,))


def can_ask(wanted: Expectation) -> bool:
    """Whether there can be such a thing on Windows."""
    return wanted.kind != "service" or bool(re.fullmatch(WINDOWS_SERVICE, wanted.subject))


def script(wanted: Expectation) -> str:
    """The question of `wanted`. Raises KeyError for a kind that Windows cannot answer."""
    return _SCRIPTS[wanted.kind](wanted)


def _call(name: str, *arguments: object) -> str:
    return " ".join([f"return {name}", *(f"({literal(argument)})" for argument in arguments)])


def _file(wanted: Expectation) -> str:
    items = wanted.items()
    asked = ("type" in items, "size" in items, "sha256" in items)
    searches = [
        f"    , @({literal(item)}, ({literal(text)}), {literal(key.startswith('matches'))})"
        for item, key, text in wanted.patterns
    ]
    lines = ["$searches = @(", *searches, ")"] if searches else ["$searches = @()"]
    return "\n".join([*lines, _call("Get-PfExpectedFile", wanted.subject, *asked) + " $searches"])


def _registry(wanted: Expectation) -> str:
    return _call("Get-PfExpectedRegistry", wanted.subject, wanted.text("name"), "value" in wanted.items())


def _service(wanted: Expectation) -> str:
    if not can_ask(wanted):
        raise ValueError(f"expectation {wanted.id}: no service can have this name")
    return _call("Get-PfExpectedService", wanted.subject, "enabled" in wanted.items())


def _package(wanted: Expectation) -> str:
    # The only character with a meaning of its own is *, for any text.
    pattern = "".join(
        ".*" if character == "*" else character if character.isalnum() and character.isascii() else _escaped(character)
        for character in wanted.subject
    )
    return _call("Get-PfExpectedPackage", rf"(?i)\A{pattern}\z")


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def _port(wanted: Expectation) -> str:
    return _call("Get-PfExpectedPort", int(wanted.subject), wanted.text("protocol") == "udp")


def _command(wanted: Expectation) -> str:
    return _call("Get-PfExpectedCommand", wanted.subject)


def _sql(wanted: Expectation) -> str:
    return _call("Get-PfExpectedSql", wanted.text("database") or "master", wanted.subject)


_SCRIPTS = {
    "file": _file,
    "registry": _registry,
    "service": _service,
    "package": _package,
    "port": _port,
    "command": _command,
    "sql": _sql,
}
