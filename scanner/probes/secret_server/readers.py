"""From what the Secret Server probes answered to facts. Pure: each reader raises UnreadableError or gives its fact."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TypeVar

from checks.secret_server.facts.node import (
    AppFiles,
    AppPool,
    DotnetFramework,
    FileVersion,
    IisApplication,
    IisConfiguration,
    IsapiRestriction,
    SqlInstance,
    SqlInstances,
    SqlPrelogin,
    WebRoot,
    WindowsVersion,
)
from scanner.probes.probe import Answer, UnreadableError
from scanner.probes.secret_server.files.roots import Folder, choose, read_folders

T = TypeVar("T")

_WMI_DENIED = (0x80041003, 0x80070005)
"""WBEM_E_ACCESS_DENIED and E_ACCESSDENIED."""
_PRODUCT_TYPES = {"winnt": 1, "lanmannt": 2, "servernt": 3}
_MODES = {"": "Integrated", "0": "Integrated", "integrated": "Integrated", "1": "Classic", "classic": "Classic"}
SWITCHES = ("enable_32_bit", "auto_start")


def value_of(answer: Answer) -> Mapping[str, object]:
    """The JSON object that a probe answered. Raises UnreadableError for an error, a cut or a garbled answer."""
    if answer.exit_code != 0:
        raise UnreadableError(explain(answer.output))
    if answer.truncated:
        raise UnreadableError(f"the answer is larger than the cap for one probe; it begins: {_shown(answer.output)}")
    try:
        value = json.loads(answer.output, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise UnreadableError(f"the answer is no JSON: {_shown(answer.output)}") from None
    if not isinstance(value, dict):
        raise UnreadableError(f"the answer is no object: {_shown(answer.output)}")
    return value


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")  # though Python reads NaN and Infinity as numbers


def explain(error: str) -> str:
    """An accessor's `kind: what: message` as one line that says what is missing; other errors as they are."""
    error = _line(error)
    told = re.fullmatch(r"wmi 0x([0-9A-Fa-f]{1,8}): (root\\[^:]*): (.*)", error)
    if told:
        return _explain_wmi(int(told[1], 16), told[2], told[3])
    kinds, places = "missing|denied|locked|blocked|unreadable", r"HKLM\\.*?|\\\\.*?|[A-Za-z]:\\.*?|[^:]*"
    match = re.fullmatch(rf"({kinds}): ({places}): (.*)", error)
    if not match:
        return error or "the probe failed and did not say why"
    kind, what, message = match.groups()
    if kind == "blocked":
        return f"{what} does not answer ({message}): it was not asked again"
    if what.startswith("\\\\"):
        return (
            f"{what} cannot be read: {message} A WinRM logon with NTLM does not reach on to a file share;"
            " use kerberos with delegation, or credssp"
        )
    if kind == "denied":
        right = "read access to this registry key" if what.startswith("HKLM") else "read access to this file"
        return f"access to {what} is denied: give the scanner's account {right} ({message})"
    if kind == "missing":
        return f"{what} does not exist ({message})"
    if kind == "locked":
        return f"{what} is locked by another process ({message})"
    return f"{what} cannot be read: {message}"


def _explain_wmi(code: int, namespace: str, message: str) -> str:
    told = f"(0x{code:08X}: {message})"
    if code in _WMI_DENIED:
        return (
            f"access to WMI {namespace} is denied: give the scanner's account Enable Account on it (wmimgmt.msc) {told}"
        )
    return f"WMI {namespace} cannot be asked {told}"


def windows_version(answer: Answer) -> WindowsVersion:
    """From windows-version."""
    value = value_of(answer)
    current = re.fullmatch(r"(\d{1,3})\.(\d{1,3})", text(value, "current_version"))
    major, minor = (None if value.get(key) is None else need(value, key, int) for key in ("major", "minor"))
    if major is None or minor is None:
        if current is None:
            raise UnreadableError(
                f"the registry's CurrentVersion is no version: {_shown(value.get('current_version'))}"
            )
        major, minor = int(current[1]), int(current[2])
    build = text(value, "build")
    if not re.fullmatch(r"\d{1,9}", build):
        raise UnreadableError(f"the registry's CurrentBuildNumber is no number: {_shown(value.get('build'))}")
    product_type = _PRODUCT_TYPES.get(text(value, "product_type").lower())
    if product_type is None:
        raise UnreadableError(f"the registry's ProductType is not understood: {_shown(value.get('product_type'))}")
    name = text(value, "product_name") or f"Windows {major}.{minor}.{build}"
    return WindowsVersion(
        name=name,
        major=major,
        minor=minor,
        build=int(build),
        product_type=product_type,
        service_pack=text(value, "service_pack"),
    )


def dotnet_framework(answer: Answer) -> DotnetFramework:
    """From dotnet-framework."""
    release = value_of(answer).get("release", "nothing at all")
    if release is not None and (not isinstance(release, int) or isinstance(release, bool) or release < 0):
        raise UnreadableError(f"the registry's Release is no number: {_shown(release)}")
    return DotnetFramework(release)


def sql_instances(answer: Answer) -> SqlInstances:
    """From sql-instances."""
    rows = rows_of(value_of(answer), "instances")
    return SqlInstances(
        tuple(
            SqlInstance(
                name=named(row, "name"),
                instance_id=need(row, "instance_id", str),
                version=text(row, "version"),
                patch_level=text(row, "patch_level"),
                edition=text(row, "edition"),
                problem=explain(text(row, "error")) if text(row, "error") else "",
            )
            for row in rows
        )
    )


def iis_configuration(answer: Answer) -> IisConfiguration:
    """From iis-configuration."""
    missing = re.match(r"missing: ([^\\]:\\[^:]*applicationHost\.config):", answer.output)
    if answer.exit_code != 0 and missing:
        raise UnreadableError(f"IIS is not installed: there is no {missing[1]}")
    value = value_of(answer)
    pools = []
    whole = asks_for_switches(value)
    for row in rows_of(value, "pools"):
        mode = need(row, "mode", str)
        if not mode and need(row, "mode_source", str) != "default":
            raise UnreadableError(f"a pool's mode is set and not told: {ascii(dict(row))[:200]}")
        known = _MODES.get(mode.lower(), mode)
        pools.append(AppPool(named(row, "name"), known, need(row, "mode_source", str), text(row, "runtime_version")))
    applications = tuple(
        IisApplication(
            site=named(row, "site"),
            path=named(row, "path"),
            physical_path=need(row, "physical_path", str),
            pool=need(row, "pool", str),
            site_auto_start=need(row, "site_auto_start", str).strip() if whole else "",
        )
        for row in rows_of(value, "applications")
    )
    rows = rows_of(value, "isapi") if whole else []
    isapi = tuple(
        IsapiRestriction(named(row, "path"), *(text(row, key) for key in ("allowed", "description"))) for row in rows
    )
    odd = next((row.allowed for row in isapi if row.allowed.lower() not in ("", "true", "false", "1", "0")), None)
    if odd is not None:
        raise UnreadableError(f"whether an ISAPI restriction allows is neither true nor false: {_shown(odd)}")
    return IisConfiguration(
        path=named(value, "path"),
        shared=need(value, "shared", bool),
        pools=tuple(pools),
        applications=applications,
        isapi=isapi,
    )


def asks_for_switches(value: Mapping[str, object]) -> bool:
    """Whether the answer is of a version that asks for bitness, automatic start and ISAPI restrictions.

    One that has any of them has to have all: what such an answer lacks was lost, and is not what IIS would take.
    """
    pools = [need(row, "settings", dict) for row in rows_of(value, "pools") if "settings" in row]
    return (
        "isapi" in value
        or any("site_auto_start" in row for row in rows_of(value, "applications"))
        or any(key in settings for settings in pools for key in SWITCHES)
    )


def web_root(answer: Answer) -> WebRoot:
    """From secret-server-files: the one folder that holds the application."""
    folders, notes = folders_of(answer)
    chosen = choose(folders, notes).candidate
    return WebRoot(chosen.path, chosen.sources, tuple(folder.candidate for folder in folders))


def app_files(answer: Answer) -> AppFiles:
    """From secret-server-files: the versions in the application's folder."""
    folders, notes = folders_of(answer)
    chosen = choose(folders, notes)
    problem = text(chosen.row, "libraries_error")
    if problem:
        raise UnreadableError(explain(problem))
    files = tuple(_file_version(row) for row in rows_of(chosen.row, "libraries"))
    # To Windows, *.dll is also what begins so: "Thycotic.Core.dll_old" is somebody's backup, and not loaded.
    loaded = tuple(file for file in files if file.name.lower().endswith(".dll"))
    return AppFiles(chosen.candidate.path, loaded)


def _file_version(row: Mapping[str, object]) -> FileVersion:
    name, problem = named(row, "name"), text(row, "error")
    if "numbers" not in row:  # as evidence of version 0.1 has it
        return FileVersion(name, need(row, "version", str))
    numbers = text(row, "numbers")
    if numbers and not _NUMBERS.fullmatch(numbers):
        raise UnreadableError(f"the version of {ascii(name)[:80]} is none: {_shown(numbers)}")
    version = effective_version(numbers, text(row, "text"))
    return FileVersion(name, version, explain(problem) if problem else "")


_NUMBERS = re.compile(r"\d{1,5}(\.\d{1,5}){3}", re.ASCII)
_VERSION_TEXT = re.compile(r"(\d{1,9})[.,] ?(\d{1,9})(?:[.,] ?(\d{1,9}))?(?:[.,] ?(\d{1,9}))?(?![\d.,])")
_PART = 0x10000
"""A part of a file version's numbers holds less than this."""


def effective_version(numbers: str, words: str) -> str:
    """The version of a file, from its numbers and the text beside them in its resources.

    The numbers count, for the text may say anything; unless they are the text's own, wrapped at 65536.
    """
    found = _VERSION_TEXT.match(words.strip())
    if found is None:
        return numbers
    parts = [int(part) for part in found.groups() if part]
    written = ".".join(str(part) for part in parts)
    if not numbers:
        return written
    wrapped = [part % _PART for part in (*parts, 0, 0, 0)][:4]
    return written if max(parts) >= _PART and wrapped == [int(part) for part in numbers.split(".")] else numbers


def sql_prelogin(answer: Answer) -> SqlPrelogin:
    """From sql-prelogin, which the scanner's own machine answers."""
    value = value_of(answer)
    return SqlPrelogin(**{key: need(value, key, int) for key in ("port", "major", "minor", "build", "sub_build")})


def folders_of(answer: Answer) -> tuple[list[Folder], list[str]]:
    """The folders that may be the application's, and what stood in the way of finding them."""
    value = value_of(answer)
    notes = value.get("notes")
    if not isinstance(notes, list):
        raise UnreadableError(f"the answer has no list of notes: {_shown(notes)}")
    return read_folders(rows_of(value, "folders"), need), [explain_note(str(note)) for note in notes]


def explain_note(note: str) -> str:
    """A note on a source that could not be read: `registry: denied: …`."""
    source, _, error = note.partition(": ")
    return f"{source}: {explain(error)}"


def rows_of(value: Mapping[str, object], key: str) -> list[Mapping[str, object]]:
    """A list of objects under `key`. Raises UnreadableError."""
    rows = need(value, key, list)
    for row in rows:
        if not isinstance(row, dict):
            raise UnreadableError(f"{key} holds something that is no object: {_shown(row)}")
    return rows


def need(value: Mapping[str, object], key: str, kind: type[T]) -> T:
    """What stands under `key`, which must be a `kind`. Raises UnreadableError that shows what is there."""
    found = value.get(key)
    if not isinstance(found, kind) or (kind is int and isinstance(found, bool)):
        raise UnreadableError(f"{key} is no {kind.__name__}: {_shown(value)}")
    return found


def named(value: Mapping[str, object], key: str) -> str:
    """A name or a path under `key`: a text that is not empty. Raises UnreadableError."""
    found = need(value, key, str)
    if not found.strip():
        raise UnreadableError(f"{key} is empty: {_shown(value)}")
    return found


def text(value: Mapping[str, object], key: str) -> str:
    """A text or a number under `key` as text; empty for null or nothing. Raises UnreadableError for anything else."""
    found = value.get(key)
    if found is None:
        return ""
    if isinstance(found, bool) or not isinstance(found, str | int):
        raise UnreadableError(f"{key} is neither text nor number: {_shown(found)}")
    return " ".join(str(found).split())


def _line(raw: str) -> str:
    return " ".join("".join(char if char.isprintable() else " " for char in raw).split())


def _shown(part: object) -> str:
    line = _line(part if isinstance(part, str) else json.dumps(part))
    return line if len(line) <= 200 else line[:199] + "…"
