"""From a scenario's short words ("2008 R2", ".NET 4.8", "Classic") to the registry values and files of such a host."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Collection, Mapping
from dataclasses import field, fields
from typing import Annotated, Any, Literal

from checks.common.dataclass import dataclass
from reports.codec.shape import one_of
from scanner.lab.machines.windows.iis import IIS_KEYS, application_host, redirection
from scanner.lab.machines.windows.machine import ARCHIVE, ENCRYPTED, File, Machine, Registered
from scanner.lab.machines.windows.sql import (
    BACKUP_KEYS,
    DATABASE_KEYS,
    DEFAULT_VERSION,
    REPLICA_KEYS,
    SERVICE_KEYS,
    SqlService,
    service,
)
from scanner.lab.tables import ScenarioError, meant, read_table
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
_OF_EVERY_WINDOWS: Mapping[str, Mapping[str, Registered]] = {
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
_ENVIRONMENT = {
    "SystemDrive": "C:",
    "SystemRoot": r"C:\Windows",
    "windir": r"C:\Windows",
    "ProgramFiles": r"C:\Program Files",
}
_PRODUCT_TYPES = {1: "WinNT", 2: "LanmanNT", 3: "ServerNT"}
_SQL_PREFIX = {"9": "MSSQL", "10": "MSSQL10"}

_Table = Mapping[str, Any]
_CONFIG_KEYS = ("text", "state", "efs", "size", "hidden")
_FILE_KEYS = ("zip", *(one.name for one in fields(File)))
_SQL_KEYS = ("name", "version", "patch_level", "edition", "id", "wow64", "stopped", "cluster", *SERVICE_KEYS)
_Reach = Literal["open", "silent", "refused", "unresolved", "unreachable", "forbidden"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowsKeys:
    """The keys of a scenario's `windows`; scenarios/README.md says what each means."""

    windows: str = "2019"
    product_type: Annotated[int, one_of(*_PRODUCT_TYPES)] | None = None
    powershell: str | None = None
    language_mode: str = "FullLanguage"
    dotnet: Any = "4.8"
    computer_name: str = "NODE"
    domain: str = "corp.example"
    processors: int = 4
    memory_gb: float = 16
    sql: Any = ()
    database_version: str = DEFAULT_VERSION
    app_version: Any = None
    web_root: str = WEB_ROOT
    web_dir: str | None = None
    encryption_config: Any = "the cluster's key"
    database_config: Any = "the way to the database"
    iis: Any = None
    pool_states: Any = field(default_factory=dict)
    application_host_config: str | None = None
    redirection_config: str | None = None
    drives: _Table = field(default_factory=lambda: {"C": [120, 80]})
    connections: tuple[str, ...] = ()
    outbound: Mapping[str, _Reach] = field(default_factory=dict)
    registry: _Table = field(default_factory=dict)
    files: _Table = field(default_factory=dict)
    folders: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    ahead_s: float = 0.0
    slow: Mapping[str, float] = field(default_factory=dict)
    hangs: tuple[str, ...] = ()
    canned: _Table = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    noise: str = ""
    frame: Literal["", "truncated", "garbage", "empty", "plain"] = ""


@dataclass(slots=True, kw_only=True)
class _Recorded:
    """A machine while its keys are followed."""

    registry: dict[str, dict[str, Registered] | str] = field(default_factory=dict)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    sql: list[SqlService] = field(default_factory=list)
    pools: dict[str, int] | None = None


def read_windows(table: Mapping[str, object]) -> Machine:
    """The machine that a scenario's `windows` describes; nothing said is a bare Windows 2019. Raises ScenarioError."""
    keys = read_table(WindowsKeys, table, "")
    recorded = _Recorded()
    powershell = _windows(recorded, keys)
    _dotnet(recorded, keys.dotnet)
    usual: list[_Table] = [{"version": keys.database_version}]
    for number, row in enumerate(_rows(keys.sql, _SQL_KEYS, "sql")):
        _sql_instance(recorded, row, usual, f"sql[{number}]")
        if recorded.sql:
            usual = []
    if keys.app_version is not None:
        _application(recorded, keys)
    _iis(recorded, keys)
    _literal(recorded, keys)
    return Machine(
        registry=recorded.registry,
        files={path: File(**values) for path, values in recorded.files.items()},
        folders=keys.folders,
        environment={**_ENVIRONMENT, **keys.environment},
        pools=recorded.pools,
        drives=_drives(keys.drives),
        connections=keys.connections,
        outbound=keys.outbound,
        ahead_s=keys.ahead_s,
        processors=keys.processors,
        memory_bytes=int(keys.memory_gb * 2**30),
        sql=tuple(recorded.sql),
        powershell=powershell,
        language_mode=keys.language_mode,
        slow=keys.slow,
        hangs=keys.hangs,
        canned=keys.canned,
        errors=keys.errors,
        noise=keys.noise,
        frame=keys.frame,
    )


def _windows(recorded: _Recorded, keys: WindowsKeys) -> str:
    """What Windows says of itself; gives the version of its PowerShell."""
    if keys.windows not in _WINDOWS:
        raise ScenarioError("windows", f"{keys.windows!r} is none of {', '.join(_WINDOWS)}")
    name, version, build, service_pack, powershell = _WINDOWS[keys.windows]
    values: dict[str, Registered] = {
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
    kind = keys.product_type or (1 if keys.windows == "client" else 3)
    for key in (_COMPUTER_NAME, _COMPUTER_NAME.replace("Active", "")):
        recorded.registry[key] = {"ComputerName": keys.computer_name}
    tcpip = r"HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters"
    recorded.registry[tcpip] = {"Domain": keys.domain}
    options = r"HKLM\SYSTEM\CurrentControlSet\Control\ProductOptions"
    recorded.registry[options] = {"ProductType": _PRODUCT_TYPES[kind]}
    recorded.registry |= {key: dict(held) for key, held in _OF_EVERY_WINDOWS.items()}
    return powershell if keys.powershell is None else keys.powershell


def _dotnet(recorded: _Recorded, wanted: object) -> None:
    if wanted == "none":
        return
    release = _DOTNET.get(str(wanted)) if not isinstance(wanted, int) else wanted
    if release is None:
        raise ScenarioError("dotnet", f"{wanted!r} is none of {', '.join(_DOTNET)}, a release number or 'none'")
    key = r"HKLM\SOFTWARE\Microsoft\NET Framework Setup\NDP\v4\Full"
    recorded.registry[key] = {"Install": 1, "Release": release}


def _sql_instance(recorded: _Recorded, row: _Table, usual: list[_Table], place: str) -> None:
    if not isinstance(row.get("version"), str):
        raise ScenarioError(place, 'expected a table with at least `version = "11.0.2100.60"`')
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
    _known(_table(row.get("refuses", {}), f"{place}.refuses"), questions(), f"{place}.refuses")
    databases = _rows(row["databases"], DATABASE_KEYS, f"{place}.databases") if "databases" in row else usual
    for number, database in enumerate(databases):
        here = f"{place}.databases[{number}]"
        _rows(database.get("replicas", []), REPLICA_KEYS, f"{here}.replicas")
        _rows(database.get("backups", []), BACKUP_KEYS, f"{here}.backups")
    named = recorded.registry[_COMPUTER_NAME]
    computer = str(named["ComputerName"]) if isinstance(named, dict) else ""
    recorded.sql.append(service(name, row, databases, computer))


def _application(recorded: _Recorded, keys: WindowsKeys) -> None:
    root = keys.web_root.rstrip("\\")
    web_dir = root if keys.web_dir is None else keys.web_dir
    if web_dir:
        recorded.registry[r"HKLM\SOFTWARE\Thycotic\Secret Server"] = {"WebDir": web_dir}
    versions = keys.app_version
    listed = [str(version) for version in versions] if isinstance(versions, list) else [str(versions)] * 3
    libraries = ("Thycotic.ihawu.Business.dll", "Thycotic.AppCore.dll", "Thycotic.Foundation.dll")
    for library, version in zip(libraries, listed, strict=False):
        recorded.files[rf"{root}\bin\{library}"] = {"text": version, "version": _file_version(version), "size": 1048576}
    recorded.files[rf"{root}\saml.config"] = {"text": "<saml/>"}
    recorded.files[rf"{root}\web.config"] = {"text": "<configuration/>"}
    usual = WindowsKeys()
    for key, given, default in (
        ("encryption_config", keys.encryption_config, usual.encryption_config),
        ("database_config", keys.database_config, usual.database_config),
    ):
        config = {"text": given} if isinstance(given, str) else _table(given, key)
        _known(config, _CONFIG_KEYS, key)
        values = {"text": default, **{name: config[name] for name in config if name != "efs"}}
        if config.get("efs"):
            values["attributes"] = ENCRYPTED | ARCHIVE
        if values.get("state") != "missing":
            recorded.files[rf"{root}\{key.replace('_', '.')}"] = values


def _file_version(version: str) -> str:
    """10.9.000005 is 10.9.5.0 in a file's resources."""
    parts = version.split(".")
    if len(parts) == 3 and all(part.isdigit() for part in parts):
        return ".".join(str(int(part)) for part in parts) + ".0"
    return version


def _iis(recorded: _Recorded, keys: WindowsKeys) -> None:
    literal = keys.application_host_config
    iis = keys.iis if keys.iis is not None else {} if keys.app_version is not None else False
    if iis is False and literal is None:
        return
    settings = _table(iis or {}, "iis")
    _known(settings, IIS_KEYS, "iis")
    shared = str(settings.get("shared", "")).rstrip("\\")
    pointer = redirection(shared) if keys.redirection_config is None else keys.redirection_config
    recorded.files[rf"{_INETSRV}\redirection.config"] = {"text": pointer}
    text = application_host(settings, keys.web_root) if literal is None else literal
    recorded.files[rf"{shared or _INETSRV}\applicationHost.config"] = {"text": text}
    if keys.pool_states != "missing":
        states = _table(keys.pool_states, "pool_states")
        recorded.pools = dict.fromkeys(re.findall(r'<add name="([^"]*)"', text), 1) | dict(states)


def _drives(drives: _Table) -> tuple[tuple[str, int, int], ...]:
    rows = []
    for name, sizes in drives.items():
        if not isinstance(sizes, list) or [type(size) for size in sizes] not in ([int, int], [int, float]):
            raise ScenarioError(f"drives.{name}", "expected [GB in all, GB free]")
        rows.append((f"{name}:\\", sizes[0] * 10**9, int(sizes[1] * 10**9)))
    return tuple(rows)


def _literal(recorded: _Recorded, keys: WindowsKeys) -> None:
    for key, values in keys.registry.items():
        if values == "denied":
            recorded.registry[key] = "denied"
            continue
        known = recorded.registry.get(key)
        given = _table(values, f"registry.{key}")
        recorded.registry[key] = {**(known if isinstance(known, dict) else {}), **given}
    for path, values in keys.files.items():
        if values is False:
            recorded.files.pop(path, None)
            continue
        file = {"text": values} if isinstance(values, str) else _table(values, f"files.{path}")
        _known(file, _FILE_KEYS, f"files.{path}")
        packed = _zip(file["zip"], f"files.{path}.zip") if "zip" in file else {}
        plain = {key: value for key, value in file.items() if key != "zip"}
        recorded.files[path] = {**recorded.files.get(path, {}), **packed, **plain}


def _zip(names: object, place: str) -> dict[str, str | int]:
    """A real zip, one character per byte."""
    if not isinstance(names, Mapping) or not all(type(size) is int and 0 <= size <= 10**6 for size in names.values()):
        raise ScenarioError(place, "expected a table of names with their sizes")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, size in names.items():
            archive.writestr(zipfile.ZipInfo(str(name)), b"\0" * size, zipfile.ZIP_DEFLATED)
    text = packed.getvalue().decode("latin-1")
    return {"text": text, "size": len(text)}


def _rows(rows: object, keys: Collection[str], place: str) -> list[_Table]:
    """An array of tables with known keys."""
    if not isinstance(rows, list | tuple):
        raise ScenarioError(place, "expected an array")
    found = [_table(row, f"{place}[{number}]") for number, row in enumerate(rows)]
    for number, row in enumerate(found):
        _known(row, keys, f"{place}[{number}]")
    return found


def _table(value: object, place: str) -> _Table:
    if not isinstance(value, Mapping):
        raise ScenarioError(place, f"expected a table, not {value!r}")
    return value


def _known(table: _Table, keys: Collection[str], place: str) -> None:
    for key in table:
        if key not in keys:
            raise ScenarioError(f"{place}.{key}", f"unknown key; {meant(key, keys)}")
