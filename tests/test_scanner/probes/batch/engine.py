"""A real PowerShell that runs the delivered script, with just the accessors answering from a recorded machine."""

from __future__ import annotations

import base64
import functools
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path, PureWindowsPath
from typing import Any

from scanner.lab.machines.windows.machine import Machine
from scanner.lab.machines.windows.sql import SqlError
from scanner.probes.batch.powershell import compose, literal, powershell_source
from scanner.probes.probe import Probe
from scanner.probes.secret_server.database.sql_questions import questions
from scanner.transports.powershell.script_delivery import deliver
from tests.secret_server_probes import PROBES

PWSH = shutil.which("pwsh")
NONCE = "0123456789abcdef"
POWERSHELL = tuple(probe for probe in PROBES if probe.language == "powershell")
OPTIONS: Mapping[str, object] = {
    "web_root": "c:/inetpub/wwwroot/secretserver/",
    "online": True,
    "backup_app_path": "D:\\Backup\\app",
    "backup_database_path": "D:\\Backup\\database\\",
}


def quoted(value: object) -> str:
    return f"@({', '.join(f'({literal(one)})' for one in value)})" if isinstance(value, list) else literal(value)


def real(*functions: str) -> str:
    """These accessors as they are sent."""
    found = [
        re.search(rf"^function {name}\b.*?^}}\n", powershell_source("batch/accessors.ps1"), re.MULTILINE | re.DOTALL)
        for name in functions
    ]
    return "".join(match[0] for match in found if match)


def literal_or_null(value: object) -> str:
    return "$null" if value is None else f"({literal(value)})"


def recorded_accessors(machine: Machine) -> str:
    """PowerShell functions with the names of the accessors, answering from `machine`."""
    lines = ["$Rec = @{ keys = @{}; names = @{}; denied = @(); files = @{}; folders = @(); env = @{}; drives = @() }"]
    for key, values in machine.registry.items():
        if isinstance(values, str):
            lines.append(f"$Rec['denied'] = @($Rec['denied']) + ({literal(key.lower())})")
            continue
        lines.append(f"$Rec['names'][{literal(key.lower())}] = @({', '.join(f'({literal(n)})' for n in values)})")
        lines.append(f"$Rec['keys'][{literal(key.lower())}] = @{{}}")
        lines += [f"$Rec['keys'][{literal(key.lower())}][{literal(n)}] = {quoted(v)}" for n, v in values.items()]
    folders: set[str] = {folder.lower() for folder in machine.folders}
    for path, file in machine.files.items():
        folders |= {str(parent).rstrip("\\").lower() for parent in PureWindowsPath(path).parents}
        content = file.text.encode(file.encoding)
        sha256 = file.sha256 or hashlib.sha256(content).hexdigest()
        state = file.state or ("denied" if file.hidden else "")
        values = {"path": path, "text": file.text, "sha256": sha256, "state": state}
        values |= {"bytes": base64.b64encode(content).decode()}
        if not state:
            values |= machine.file_version(path)
            values["words"] = values["text"] if file.version == values["text"] else ""
            values["text"] = file.text
        values |= {"attributes": file.attributes, "size": machine.file_size(path), "hidden": file.hidden}
        lines.append(f"$Rec['files'][{literal(path.lower())}] = @{{}}")
        lines += [f"$Rec['files'][{literal(path.lower())}][{literal(n)}] = {literal(v)}" for n, v in values.items()]
    lines += [f"$Rec['folders'] = @($Rec['folders']) + ({literal(folder)})" for folder in sorted(folders)]
    lines += [f"$Rec['env'][{literal(f'%{name}%')}] = {literal(value)}" for name, value in machine.environment.items()]
    lines += [
        f"$Rec['drives'] = @($Rec['drives']) + "
        f"@{{ name = {literal(name)}; total_bytes = {total}; free_bytes = {free} }}"
        for name, total, free in machine.drives
    ]
    if machine.pools is not None:
        lines.append("$Rec['pools'] = @()")
        lines += [
            f"$Rec['pools'] = @($Rec['pools']) + @{{ name = {literal(name)}; state = {state} }}"
            for name, state in machine.pools.items()
        ]
    lines.append("$Rec['times'] = @{}")
    for name in {*machine.files, *folders}:
        stamps = "written = {}; created = {}".format(*machine.file_times(name))
        lines.append(f"$Rec['times'][{literal(name.lower())}] = @{{ {stamps} }}")
    lines.append(f"$Rec['connections'] = @({connected(machine)})\n$Rec['outbound'] = @{{}}")
    lines += [f"$Rec['outbound'][{literal(name)}] = {literal(state)}" for name, state in machine.outbound.items()]
    lines.append(f"$Rec['processors'] = {machine.processors}")
    lines.append(f"$Rec['memory'] = [long]{machine.memory_bytes}")
    lines.append("$Rec['services'] = @{}")
    for service in machine.sql:
        name = service.name if service.name == "MSSQLSERVER" else f"MSSQL${service.name}"
        lines.append(f"$Rec['services'][{literal(name)}] = 'Running'")
    lines.append("$Rec['sql'] = @{}")
    for service in machine.sql:
        endpoint = (service.cluster or ".") + ("" if service.name == "MSSQLSERVER" else f"\\{service.name}")
        for question, query in questions().items():
            named = [str(row["name"]) for row in service.answers.get("databases", ())]
            for database in sorted({*named, *service.versions}) if question == "versions" else ("master",):
                key = f"$Rec['sql'][{literal(f'{endpoint}|{database}|{query}')}]"
                try:
                    rows = [
                        "@{" + "; ".join(f"{name} = {literal_or_null(value)}" for name, value in row.items()) + "}"
                        for row in service.ask(endpoint, database, question)
                    ]
                    lines.append(f"{key} = @({', '.join(rows)})")
                except SqlError as error:
                    lines.append(f"{key} = {literal(str(error))}")
    written = powershell_source("batch/accessors.ps1")
    kept = real(
        *("Enter-PfAccess", "Exit-PfAccess", "Get-PfBlockedName", "Stop-PfDescendants", "Stop-PfProcess"),
        *("Get-PfRegistryText", "Get-PfBusyFileHash"),
    )
    return "\n".join([*lines, _RECORDED, kept, written[written.index("function Write-PfOutput") :]])


def connected(machine: Machine) -> str:
    """The rows of Get-PfTcpConnections."""
    rows = machine.tcp_connections()
    return ", ".join(
        "@{" + "; ".join(f"{key} = {literal_or_null(value)}" for key, value in row.items()) + "}" for row in rows
    )


_RECORDED = r"""
$Clock = @{ ms = 0 }
function Get-PfClock {
    $Clock['ms'] = $Clock['ms'] + 1
    return $Clock['ms']
}
function Get-PfTicks {
    return [long]637000000000000000
}
function Get-RecKey([string]$Key) {
    $low = $Key.ToLowerInvariant()
    foreach ($denied in $Rec['denied']) {
        if ($low -eq $denied -or $low.StartsWith($denied + '\')) {
            throw ('denied: ' + $Key + ': Requested registry access is not allowed.')
        }
    }
    return $low
}
function Get-PfRegistryValue([string]$Key, [string]$Name) {
    $low = Get-RecKey $Key
    if ($Rec['keys'].ContainsKey($low)) {
        return $Rec['keys'][$low][$Name]
    }
}
function Get-PfRegistryValueNames([string]$Key) {
    $low = Get-RecKey $Key
    if ($Rec['names'].ContainsKey($low)) {
        foreach ($name in $Rec['names'][$low]) {
            $name
        }
    }
}
function Test-PfRegistryKey([string]$Key) {
    $low = Get-RecKey $Key
    foreach ($known in @($Rec['keys'].Keys)) {
        if (($known + '\').StartsWith($low + '\')) {
            return $true
        }
    }
    return $false
}
function Get-PfDrives {
    foreach ($drive in $Rec['drives']) {
        $drive
    }
}
function Get-PfRegistryHex([string]$Key, [string]$Name) { return Get-PfRegistryText $Key $Name }
function Get-PfTcpConnections {
    foreach ($row in $Rec['connections']) {
        $row
    }
}
function Get-PfConnections($Targets, [int]$Milliseconds) {
    foreach ($target in $Targets) {
        $given = @{ host = $target['host']; port = $target['port']; state = 'open'; code = 0; detail = '' }
        $known = [string]$Rec['outbound'][$target['host'] + ':' + $target['port']]
        if ($known -ne '') {
            $given['state'] = $known
        }
        if ($known -eq 'refused') {
            $given['code'] = 10061
            $given['detail'] = 'No connection could be made because the target machine actively refused it.'
        }
        if ($known -eq 'unresolved') {
            $given['state'] = 'refused'
            $given['code'] = 11001
            $given['detail'] = 'No such host is known'
        }
        $given
    }
}
function Get-PfSqlRows([string]$Server, [string]$Database, [string]$User, [string]$Query) {
    $key = $Server + '|' + $Database + '|' + $Query
    if (-not $Rec['sql'].ContainsKey($key)) {
        throw ('sql 2: ' + $Server + ': A network-related or instance-specific error occurred while establishing a ' +
            'connection to SQL Server.')
    }
    $found = $Rec['sql'][$key]
    if ($found -is [string]) {
        throw $found
    }
    foreach ($row in $found) {
        $row
    }
}
function Get-PfPoolStates {
    if ($null -eq $Rec['pools']) {
        throw ('wmi 0x8004100E: root\WebAdministration: Invalid namespace ')
    }
    foreach ($pool in $Rec['pools']) {
        $pool
    }
}
function Get-PfWmiRows([string]$Query, $Names) {
    $service = [regex]::Match($Query, '^SELECT State FROM Win32_Service WHERE Name="(.*)"$')
    if ($service.Success) {
        $state = $Rec['services'][$service.Groups[1].Value]
        if ($null -eq $state) {
            $state = 'Stopped'
        }
        @{ State = $state }
        return
    }
    @{ NumberOfLogicalProcessors = $Rec['processors']; TotalPhysicalMemory = $Rec['memory'] }
}
function Get-RecFile([string]$Path) {
    $low = $Path.Replace('/', '\').TrimEnd('\').ToLowerInvariant()
    if (-not $Rec['files'].ContainsKey($low)) {
        throw ('missing: ' + $Path + ': The system cannot find the file specified.')
    }
    return $Rec['files'][$low]
}
function Open-RecFile([string]$Path) {
    $file = Get-RecFile $Path
    if ($file['state'] -eq 'denied') {
        throw ('denied: ' + $Path + ': Access is denied.')
    }
    if ($file['state'] -eq 'locked') {
        throw ('locked: ' + $Path + ': The process cannot access the file because it is being used by another process.')
    }
    if ($file['state'] -eq 'unreadable') {
        throw ('unreadable: ' + $Path + ': The network path was not found.')
    }
    return $file
}
function Get-PfFileAttributes([string]$Path) {
    $low = $Path.Replace('/', '\').TrimEnd('\').ToLowerInvariant()
    if ($Rec['files'].ContainsKey($low)) {
        if ($Rec['files'][$low]['hidden']) {
            throw ('denied: ' + $Path + ': Access is denied.')
        }
        return $Rec['files'][$low]['attributes']
    }
    if ($Rec['folders'] -contains $low) {
        return 16
    }
}
function Get-PfFileTimes([string]$Path) {
    $known = $Rec['times'][$Path.ToLowerInvariant()]
    if ($null -eq $known) {
        throw ('missing: ' + $Path + ': it has no time, so it is gone')
    }
    return $known
}
function Get-PfFilePiece([string]$Path, [long]$Offset, [int]$Count) {
    $text = (Open-RecFile $Path)['text']
    return $text.Substring([int]$Offset, [Math]::Min($Count, $text.Length - [int]$Offset))
}
function Get-PfFileBytes([string]$Path) {
    return , [System.Convert]::FromBase64String((Open-RecFile $Path)['bytes'])
}
function Get-PfFileHash([string]$Path) { return (Open-RecFile $Path)['sha256'] }
function Get-PfFileSize([string]$Path) { return (Get-RecFile $Path)['size'] }
function Get-PfFileVersion([string]$Path) {
    $file = Open-RecFile $Path
    return @{ numbers = $file['numbers']; text = $file['words'] }
}
function Get-PfFileNames([string]$Folder, [string]$Pattern) {
    $inside = $Folder.ToLowerInvariant() + '\'
    foreach ($low in @($Rec['files'].Keys | Sort-Object)) {
        $name = $Rec['files'][$low]['path'].Substring([Math]::Min($inside.Length, $low.Length))
        $fits = $name.ToLowerInvariant() -like $Pattern -and $name -notmatch '\\'
        if ($low.StartsWith($inside) -and $fits -and ($Rec['files'][$low]['attributes'] -band 0x10) -eq 0) {
            $name
        }
    }
}
function Get-PfTextHash([string]$Text) {
    $digest = [System.Security.Cryptography.SHA256]::Create().ComputeHash([System.Text.Encoding]::UTF8.GetBytes($Text))
    return [System.BitConverter]::ToString($digest).Replace('-', '').ToLowerInvariant()
}
function Get-PfFolderNames([string]$Folder) {
    $inside = $Folder.ToLowerInvariant().TrimEnd('\') + '\'
    $seen = @{}
    foreach ($low in @($Rec['files'].Keys | Sort-Object)) {
        $rest = $Rec['files'][$low]['path'].Substring([Math]::Min($inside.Length, $low.Length))
        $name = $rest.Split('\')[0]
        $inner = $rest -match '\\' -or ($Rec['files'][$low]['attributes'] -band 0x10) -ne 0
        if ($low.StartsWith($inside) -and $inner -and -not $seen.ContainsKey($name)) {
            $seen[$name] = $true
            $name
        }
    }
}
function Expand-PfEnvironment([string]$Text) {
    foreach ($name in @($Rec['env'].Keys)) {
        $Text = [Regex]::Replace($Text, [Regex]::Escape($name), $Rec['env'][$name].Replace('$', '$$'), 'IgnoreCase')
    }
    return $Text
}
function Get-PfSystemFolder { return Expand-PfEnvironment '%windir%\System32' }
"""


def run(script: str, *, mode: str = "auto") -> subprocess.CompletedProcess[bytes]:
    delivery = deliver(script, mode)
    assert PWSH is not None
    return subprocess.run(
        [PWSH, *delivery.arguments],
        input=delivery.stdin,
        env={**os.environ, **delivery.environment},
        capture_output=True,
        timeout=60,
        check=False,
    )


@functools.cache
def engine_said(scripts: tuple[str, ...]) -> tuple[bytes, ...]:
    """What each of `scripts` prints, all of them run one after the other in one PowerShell: its start takes longest."""
    assert PWSH is not None
    with tempfile.TemporaryDirectory() as folder:
        lines = []
        for number, script in enumerate(scripts):
            path = Path(folder, f"{number}.ps1")
            path.write_text(script, "ascii")
            lines += [f"[Console]::Out.WriteLine('=={number}==')", f"$t = [IO.File]::ReadAllText({literal(str(path))})"]
            lines += ["try { & ([ScriptBlock]::Create($t)) } catch { [Console]::Out.WriteLine($_.ToString()) }"]
        driver = Path(folder, "all.ps1")
        driver.write_text("\n".join(lines), "ascii")
        command = [PWSH, "-NoProfile", "-NonInteractive", "-File", str(driver)]
        told = subprocess.run(command, capture_output=True, timeout=300, check=False)
    assert (told.stderr, told.returncode) == (b"", 0)
    said = re.split(rb"==\d+==\r?\n", told.stdout)[1:]
    assert len(said) == len(scripts)
    return tuple(said)


def engine(name: str, names: list[str], script_of: Callable[[str], str]) -> dict[str, Any]:
    """The answer to `name`'s script; those of its neighbours in `names` are had at the same time."""
    at = names.index(name) // _AT_ONCE * _AT_ONCE
    group = names[at : at + _AT_ONCE]
    return whole(engine_said(tuple(script_of(one) for one in group))[group.index(name)])


_AT_ONCE = 16


def whole(output: bytes) -> dict[str, Any]:
    """All frames of an answer as one."""
    merged: dict[str, Any] = {"probes": {}}
    lines = output.strip().decode("ascii").splitlines()
    assert lines
    for line in lines:
        assert line.count(":") == len(["nonce", "form", "body"]), line[:500]
        _, form, body, _ = line.split(":")
        raw = base64.b64decode(body)
        found: dict[str, Any] = json.loads(gzip.decompress(raw) if form == "gzip" else raw)
        merged = {**merged, **found, "probes": {**merged["probes"], **found["probes"]}}
    for entry in merged["probes"].values():
        entry.pop("ms", None)
    assert "ended" in merged
    return merged


def composed(
    probes: tuple[Probe, ...] = POWERSHELL,
    *,
    budget_s: float = 30,
    probe_bytes: int = 500_000,
    options: Mapping[str, object] = OPTIONS,
) -> str:
    return compose(probes, nonce=NONCE, budget_s=budget_s, options=options, probe_bytes=probe_bytes)


def with_recorded(script: str, machine: Machine) -> str:
    assert script.count(powershell_source("batch/accessors.ps1")) == 1
    return script.replace(powershell_source("batch/accessors.ps1"), recorded_accessors(machine))


def begun_with(first: str, script: str) -> str:
    """`script` with the line `first` before all that runs, in both runspaces."""
    return f"{first}\n" + script.replace("$PfParts = {\n", f"$PfParts = {{\n{first}\n", 1)
