"""From a scenario's short words ("2008 R2", ".NET 4.8", "Classic") to the registry values and files of such a host."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scanner.lab.machines.windows.iis import IIS_KEYS, application_host, redirection
from scanner.lab.machines.windows.sql import (
    BACKUP_KEYS,
    DATABASE_KEYS,
    DEFAULT_VERSION,
    REPLICA_KEYS,
    SERVICE_KEYS,
    SqlService,
    service,
)
from scanner.probes.secret_server.database.sql_questions import questions

WEB_ROOT = r"C:\inetpub\wwwroot\SecretServer"
_CURRENT_VERSION = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
_COMPUTER_NAME = r"HKLM\SYSTEM\CurrentControlSet\Control\ComputerName\ActiveComputerName"
_SQL = "Microsoft\\Microsoft SQL Server"
_INETSRV = r"C:\Windows\System32\inetsrv\config"

_WINDOWS = {
    "2008": ("Windows Server (R) 2008 Standard", "6.0", 6002, "Service Pack 2", "2.0"),
    "2008 R2": ("Windows Server 2008 R2 Standard", "6.1", 7601, "Service Pack 1", "2.0"),
    "2012": ("Windows Server 2012 Standard", "6.2", 9200, "", "3.0"),
    "2012 R2": ("Windows Server 2012 R2 Standard", "6.3", 9600, "", "4.0"),
    "2016": ("Windows Server 2016 Standard", "6.3", 14393, "", "5.1.14393.6343"),
    "2019": ("Windows Server 2019 Standard", "6.3", 17763, "", "5.1.17763.5202"),
    "2022": ("Windows Server 2022 Standard", "6.3", 20348, "", "5.1.20348.2227"),
    "2025": ("Windows Server 2025 Standard", "6.3", 26100, "", "5.1.26100.1"),
    "client": ("Windows 10 Pro", "6.3", 19045, "", "5.1.19041.3803"),
}
_DOTNET = {
    "4.5": 378389,
    "4.5.1": 378675,
    "4.5.2": 379893,
    "4.6": 393295,
    "4.6.1": 394254,
    "4.6.2": 394802,
    "4.7": 460798,
    "4.7.1": 461308,
    "4.7.2": 461808,
    "4.8": 528040,
    "4.8.1": 533320,
}
_INTERNET_SETTINGS = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Internet Settings"
_OF_EVERY_WINDOWS: Mapping[str, Mapping[str, str | int | list[str]]] = {
    r"HKLM\SYSTEM\CurrentControlSet\Control\Session Manager": {
        "BootExecute": ["autocheck autochk *"],
        "ObjectDirectories": [r"\Windows", r"\RPC Control"],
        "ProtectionMode": 1,
    },
    r"HKLM\SYSTEM\CurrentControlSet\Services\EventLog": {"Start": 2},
    r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing": {"SessionIdHigh": 0},
    r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update": {},
    _INTERNET_SETTINGS: {"ActiveXCache": r"C:\Windows\Downloaded Program Files", "CodeBaseSearchPath": "CODEBASE"},
    # WinHTTP without a proxy; binary, as hex digits.
    rf"{_INTERNET_SETTINGS}\Connections": {"WinHttpSettings": "1800000000000000010000000000000000000000"},
}
"""Keys and values that are there on a freshly installed Windows, as far as a probe reads or passes them."""
_PRODUCT_TYPES = {1: "WinNT", 2: "LanmanNT", 3: "ServerNT"}
_SQL_PREFIX = {"9": "MSSQL", "10": "MSSQL10"}

_REST = ("ahead_s", "language_mode", "slow", "hangs", "errors", "canned", "noise", "frame")
_OTHERS = (
    *(
        "windows",
        "product_type",
        "powershell",
        "dotnet",
        "sql",
        "database_version",
        "app_version",
        "web_root",
        "web_dir",
    ),
    *(
        "pool_states",
        "drives",
        "connections",
        "outbound",
        "encryption_config",
        "database_config",
        "iis",
        "application_host_config",
        "redirection_config",
    ),
    *("registry", "files", "folders", "environment"),
    *("computer_name", "domain", "processors", "memory_gb"),
)
_KEYS = frozenset(_REST + _OTHERS)
_CONFIG_KEYS = frozenset(("text", "state", "efs", "size", "hidden"))
_FILE_KEYS = frozenset(
    (
        *("text", "sha256", "version", "numbers", "encoding", "attributes", "size", "state", "hidden"),
        *("age_hours", "made_hours", "zip"),
    )
)
_OUTBOUND = ("open", "silent", "refused", "unresolved", "unreachable", "forbidden")
_SQL_KEYS = frozenset(("name", "version", "patch_level", "edition", "id", "wow64", "stopped", "cluster")) | SERVICE_KEYS
_FRAMES = ("", "truncated", "garbage", "empty", "plain")


class MachineError(ValueError):
    """A scenario's table says something that no machine has. The message names the key."""


@dataclass(slots=True, kw_only=True)
class Recorded:
    """What a table amounts to."""

    registry: dict[str, dict[str, str | int | list[str]] | str] = field(default_factory=dict)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    folders: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    powershell: str = ""
    pools: dict[str, int] | None = None
    drives: tuple[tuple[str, int, int], ...] = ()
    processors: int = 4
    memory_bytes: int = 0
    connections: tuple[str, ...] = ()
    outbound: dict[str, str] = field(default_factory=dict)
    sql: list[SqlService] = field(default_factory=list)
    rest: dict[str, Any] = field(default_factory=dict)


def read_table(table: Mapping[str, object]) -> Recorded:
    """What the keys of `Machine.from_table` amount to. Raises MachineError."""
    _known(table, _KEYS, "")
    recorded = Recorded(
        environment={
            "SystemDrive": "C:",
            "SystemRoot": r"C:\Windows",
            "windir": r"C:\Windows",
            "ProgramFiles": r"C:\Program Files",
        },
        folders=tuple(str(folder) for folder in _array(table, "folders")),
        connections=tuple(str(remote) for remote in _array(table, "connections")),
        rest={key: table[key] for key in _REST if key in table},
    )
    recorded.rest["hangs"] = tuple(str(one) for one in _array(table, "hangs"))
    if table.get("frame", "") not in _FRAMES:
        raise MachineError(f"frame: {table['frame']!r} is none of {', '.join(_FRAMES[1:])}")
    if type(table.get("ahead_s", 0)) not in (int, float):
        raise MachineError(f"ahead_s: expected a number of seconds, not {table['ahead_s']!r}")
    _windows(recorded, table)
    _dotnet(recorded, table.get("dotnet", "4.8"))
    usual: list[Mapping[str, Any]] = [{"version": str(table.get("database_version", DEFAULT_VERSION))}]
    for number, row in enumerate(_array(table, "sql")):
        _sql_instance(recorded, row, usual, f"sql[{number}]")
        if recorded.sql:
            usual = []
    if "app_version" in table:
        _application(recorded, table)
    _iis(recorded, table)
    _drives(recorded, table)
    _outbound(recorded, table)
    _literal(recorded, table)
    return recorded


def _windows(recorded: Recorded, table: Mapping[str, object]) -> None:
    wanted = table.get("windows", "2019")
    if wanted not in _WINDOWS:
        raise MachineError(f"windows: {wanted!r} is none of {', '.join(_WINDOWS)}")
    name, version, build, service_pack, powershell = _WINDOWS[str(wanted)]
    recorded.powershell = str(table.get("powershell", powershell))
    values: dict[str, str | int | list[str]] = {
        "ProductName": name,
        "CurrentVersion": version,
        "CurrentBuild": str(build),
        "CurrentBuildNumber": str(build),
    }
    if service_pack:
        values["CSDVersion"] = service_pack
    if build >= 10240:  # from Windows 10 on, CurrentVersion stays at 6.3 and these two tell the truth
        values |= {"CurrentMajorVersionNumber": 10, "CurrentMinorVersionNumber": 0}
    recorded.registry[_CURRENT_VERSION] = values
    kind = table.get("product_type", 1 if wanted == "client" else 3)
    if kind not in _PRODUCT_TYPES:
        raise MachineError(f"product_type: {kind!r} is none of 1, 2, 3")
    options = r"HKLM\SYSTEM\CurrentControlSet\Control\ProductOptions"
    for name in (_COMPUTER_NAME, _COMPUTER_NAME.replace("Active", "")):
        recorded.registry[name] = {"ComputerName": str(table.get("computer_name", "NODE"))}
    tcpip = r"HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters"
    recorded.registry[tcpip] = {"Domain": str(table.get("domain", "corp.example"))}
    processors, memory_gb = table.get("processors", 4), table.get("memory_gb", 16)
    if not isinstance(processors, int) or not isinstance(memory_gb, int | float):
        raise MachineError("processors, memory_gb: expected numbers")
    recorded.processors, recorded.memory_bytes = processors, int(memory_gb * 2**30)
    recorded.registry[options] = {"ProductType": _PRODUCT_TYPES[kind]}
    recorded.registry |= {key: dict(held) for key, held in _OF_EVERY_WINDOWS.items()}


def _dotnet(recorded: Recorded, wanted: object) -> None:
    if wanted == "none":
        return
    release = _DOTNET.get(str(wanted)) if not isinstance(wanted, int) else wanted
    if release is None:
        raise MachineError(f"dotnet: {wanted!r} is none of {', '.join(_DOTNET)}, a release number or 'none'")
    key = r"HKLM\SOFTWARE\Microsoft\NET Framework Setup\NDP\v4\Full"
    recorded.registry[key] = {"Install": 1, "Release": release}


def _sql_instance(recorded: Recorded, row: object, usual: list[Mapping[str, Any]], place: str) -> None:
    if not isinstance(row, Mapping) or not isinstance(row.get("version"), str):
        raise MachineError(f'{place}: expected a table with at least `version = "11.0.2100.60"`')
    _known(row, _SQL_KEYS, f"{place}.")
    name, version = str(row.get("name", "MSSQLSERVER")), str(row["version"])
    major, minor = [*version.split("."), "", ""][:2]
    prefix = _SQL_PREFIX.get(major, f"MSSQL{major}") + ("_50" if (major, minor) == ("10", "50") else "")
    instance = str(row.get("id", f"{prefix}.{name}"))
    software = r"HKLM\SOFTWARE\Wow6432Node" if row.get("wow64") else r"HKLM\SOFTWARE"
    names = recorded.registry.setdefault(rf"{software}\{_SQL}\Instance Names\SQL", {})
    if isinstance(names, dict):
        names[name] = instance
    recorded.registry[rf"{software}\{_SQL}\{instance}\Setup"] = {
        "Version": version,
        "PatchLevel": str(row.get("patch_level", version)),
        "Edition": str(row.get("edition", "Standard Edition")),
    }
    if row.get("cluster"):
        recorded.registry[rf"{software}\{_SQL}\{instance}\Cluster"] = {"ClusterName": str(row["cluster"])}
    if row.get("stopped") or name.startswith("MICROSOFT##"):
        return
    _known(_table(row, "refuses"), frozenset(questions()), f"{place}.refuses.")
    databases = _tables(row, "databases", DATABASE_KEYS, place) if "databases" in row else usual
    for number, database in enumerate(databases):
        here = f"{place}.databases[{number}]"
        _tables(database, "replicas", REPLICA_KEYS, here)
        _tables(database, "backups", BACKUP_KEYS, here)
    named = recorded.registry[_COMPUTER_NAME]
    computer = str(named["ComputerName"]) if isinstance(named, dict) else ""
    recorded.sql.append(service(name, row, databases, computer))


def _application(recorded: Recorded, table: Mapping[str, object]) -> None:
    root = str(table.get("web_root", WEB_ROOT)).rstrip("\\")
    web_dir = str(table.get("web_dir", root))
    if web_dir:
        recorded.registry[r"HKLM\SOFTWARE\Thycotic\Secret Server"] = {"WebDir": web_dir}
    versions = table["app_version"]
    listed = [str(version) for version in versions] if isinstance(versions, list) else [str(versions)] * 3
    libraries = ("Thycotic.ihawu.Business.dll", "Thycotic.AppCore.dll", "Thycotic.Foundation.dll")
    for library, version in zip(libraries, listed, strict=False):
        recorded.files[rf"{root}\bin\{library}"] = {"text": version, "version": _file_version(version), "size": 1048576}
    recorded.files[rf"{root}\saml.config"] = {"text": "<saml/>"}
    recorded.files[rf"{root}\web.config"] = {"text": "<configuration/>"}
    _config_file(recorded, table, "encryption_config", "the cluster's key", root)
    _config_file(recorded, table, "database_config", "the way to the database", root)


def _config_file(recorded: Recorded, table: Mapping[str, object], key: str, default: str, root: str) -> None:
    config = table.get(key, default)
    if isinstance(config, str):
        config = {"text": config}
    if not isinstance(config, Mapping):
        raise MachineError(f"{key}: expected a text or a table")
    _known(config, _CONFIG_KEYS, f"{key}.")
    values = {"text": default, **{name: config[name] for name in config if name != "efs"}}
    if config.get("efs"):
        values["attributes"] = 0x4000 | 0x20
    if values.get("state") != "missing":
        recorded.files[rf"{root}\{key.replace('_', '.')}"] = values


def _file_version(version: str) -> str:
    """10.9.000005 is 10.9.5.0 in a file's resources."""
    parts = version.split(".")
    if len(parts) == 3 and all(part.isdigit() for part in parts):
        return ".".join(str(int(part)) for part in parts) + ".0"
    return version


NO_IIS = False


def _iis(recorded: Recorded, table: Mapping[str, object]) -> None:
    literal = table.get("application_host_config")
    iis = table.get("iis", {} if "app_version" in table else NO_IIS)
    if iis is NO_IIS and literal is None:
        return
    settings = iis if isinstance(iis, Mapping) else {}
    _known(settings, IIS_KEYS, "iis.")
    shared = str(settings.get("shared", "")).rstrip("\\")
    pointer = table.get("redirection_config", redirection(shared))
    recorded.files[rf"{_INETSRV}\redirection.config"] = {"text": str(pointer)}
    text = literal if literal is not None else application_host(settings, str(table.get("web_root", WEB_ROOT)))
    recorded.files[rf"{shared or _INETSRV}\applicationHost.config"] = {"text": str(text)}
    states = table.get("pool_states", {})
    if states == "missing":
        return
    if not isinstance(states, Mapping):
        raise MachineError("pool_states: expected a table of states, or 'missing'")
    recorded.pools = dict.fromkeys(re.findall(r'<add name="([^"]*)"', str(text)), 1) | dict(states)


def _drives(recorded: Recorded, table: Mapping[str, object]) -> None:
    rows = []
    for name, sizes in (_table(table, "drives") or {"C": [120, 80]}).items():
        if not isinstance(sizes, list) or [type(size) for size in sizes] not in ([int, int], [int, float]):
            raise MachineError(f"drives.{name}: expected [GB in all, GB free]")
        rows.append((f"{name}:\\", sizes[0] * 10**9, int(sizes[1] * 10**9)))
    recorded.drives = tuple(rows)


def _outbound(recorded: Recorded, table: Mapping[str, object]) -> None:
    for target, state in _table(table, "outbound").items():
        if state not in _OUTBOUND:
            raise MachineError(f"outbound.{target}: {state!r} is none of {', '.join(_OUTBOUND)}")
        recorded.outbound[target] = state


def _literal(recorded: Recorded, table: Mapping[str, object]) -> None:
    for key, values in _table(table, "registry").items():
        if values == "denied":
            recorded.registry[key] = "denied"
        elif isinstance(values, Mapping):
            known = recorded.registry.get(key)
            recorded.registry[key] = {**(known if isinstance(known, dict) else {}), **values}
        else:
            raise MachineError(f"registry.{key}: expected a table of values, or 'denied'")
    for path, values in _table(table, "files").items():
        if values is False:
            recorded.files.pop(path, None)
            continue
        given = {"text": values} if isinstance(values, str) else values
        if not isinstance(given, Mapping):
            raise MachineError(f"files.{path}: expected a table, a text or false")
        _known(given, _FILE_KEYS, f"files.{path}.")
        packed = _zip(given["zip"], f"files.{path}.zip") if "zip" in given else {}
        plain = {key: value for key, value in given.items() if key != "zip"}
        recorded.files[path] = {**recorded.files.get(path, {}), **packed, **plain}
    recorded.environment |= {name: str(value) for name, value in _table(table, "environment").items()}


def _zip(names: object, place: str) -> dict[str, str | int]:
    """A real zip, one character per byte."""
    if not isinstance(names, Mapping) or not all(type(size) is int and 0 <= size <= 10**6 for size in names.values()):
        raise MachineError(f"{place}: expected a table of names with their sizes")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, size in names.items():
            archive.writestr(zipfile.ZipInfo(str(name)), b"\0" * size, zipfile.ZIP_DEFLATED)
    text = packed.getvalue().decode("latin-1")
    return {"text": text, "size": len(text)}


def _known(table: Mapping[str, object], keys: frozenset[str], place: str) -> None:
    odd = sorted(set(table) - keys)
    if odd:
        raise MachineError(f"{place}{odd[0]}: unknown key; there are {', '.join(sorted(keys))}")


def _table(table: Mapping[str, object], key: str) -> Mapping[str, Any]:
    value = table.get(key, {})
    if not isinstance(value, Mapping):
        raise MachineError(f"{key}: expected a table")
    return value


def _tables(table: Mapping[str, Any], key: str, keys: frozenset[str], place: str) -> list[Mapping[str, Any]]:
    """An array of tables with known keys."""
    rows = []
    for number, row in enumerate(_array(table, key)):
        here = f"{place}.{key}[{number}]"
        if not isinstance(row, Mapping):
            raise MachineError(f"{here}: expected a table")
        _known(row, keys, f"{here}.")
        rows.append(row)
    return rows


def _array(table: Mapping[str, object], key: str) -> list[object]:
    value = table.get(key, [])
    if not isinstance(value, list):
        raise MachineError(f"{key}: expected an array")
    return value
