"""What the probe of the backups answers on a recorded machine."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Mapping

from scanner.lab.machines.secret_server.probes import Session, Value, config_file
from scanner.lab.machines.windows.machine import DIRECTORY, NOW_TICKS, AccessError, Machine


def backups(session: Session) -> Value:
    """backups.ps1."""
    told: Value = {"now": NOW_TICKS, "application": None, "database": None}
    for key, option, suffix in (
        ("application", "backup_app_path", ".zip"),
        ("database", "backup_database_path", ".bak"),
    ):
        path = str(session.options.get(option, ""))
        if path:
            clean = session.machine.expand(path.strip()).replace("/", "\\").rstrip("\\")
            told[key] = _backup(session.machine, clean, suffix)
    return told


def _backup(machine: Machine, path: str, suffix: str) -> Value:
    backup: Value = {"path": path, "found": "", "kind": "missing", "size_bytes": None, "written": None, "left_out": 0}
    backup |= {"contents": "", "entries": None, "web_config": False, "keys": [], "error": ""}
    backup |= {"web_config_bytes": None, "libraries": None, "files": []}
    try:
        attributes = machine.attributes(path)
        if attributes is None:
            return backup
        if not attributes & DIRECTORY:
            _set_file(machine, backup, path)
        elif suffix == ".zip" and _is_application(machine, path):
            _set_folder(machine, backup, path)
        else:
            _find_newest(machine, backup, path, suffix)
    except AccessError as error:
        backup |= {"kind": "closed", "error": error.line}
    return backup


def _find_newest(machine: Machine, backup: Value, folder: str, suffix: str) -> None:
    backup["kind"] = "nothing"
    names = machine.file_names(folder, "*")
    fitting = [name for name in names if name.lower().endswith(suffix)]
    backup["left_out"] = max(0, len(fitting) - 500)
    files = [f"{folder}\\{name}" for name in fitting[-500:]]
    found = [(machine.file_times(path)[0], path, _set_file) for path in files]
    if suffix == ".bak":
        listed = sorted(f"{written:019d}|{path.rpartition(chr(92))[2]}" for written, path, _ in found)[-50:]
        for entry in listed:
            size = machine.file_size(f"{folder}\\{entry[20:]}")
            backup["files"].append(f"{entry[:20]}{size}|{entry[20:]}")
    if suffix == ".zip":
        inner = machine.folder_names(folder)
        backup["left_out"] += max(0, len(inner) - 200)
        copies = [path for name in inner[-200:] if _is_application(machine, path := f"{folder}\\{name}")]
        found += [(_folder_time(machine, path), path, _set_folder) for path in copies]
    if found:
        # Of equals the first, as the script does.
        _, path, tell = max(found, key=lambda one: one[0])
        tell(machine, backup, path)


def _set_file(machine: Machine, backup: Value, path: str) -> None:
    backup |= {"found": path, "kind": "file", "size_bytes": machine.file_size(path)}
    backup["written"] = machine.file_times(path)[0]
    if path.lower().endswith(".zip"):
        backup["kind"] = "zip"
        if backup["size_bytes"] > 0:
            _set_zip(machine, backup)


def _set_folder(machine: Machine, backup: Value, path: str) -> None:
    backup |= {"found": path, "kind": "folder", "written": _folder_time(machine, path)}
    backup["web_config"] = machine.attributes(path + r"\web.config") is not None
    if backup["web_config"]:
        backup["web_config_bytes"] = machine.file_size(path + r"\web.config")
    binaries = path + r"\bin"
    backup["libraries"] = machine.attributes(binaries) is not None and bool(machine.file_names(binaries, "*.dll"))
    backup["keys"] = [config_file(machine, path + r"\encryption.config")]


def _folder_time(machine: Machine, folder: str) -> int:
    paths = [folder, folder + r"\encryption.config", folder + r"\web.config"]
    return max(max(machine.file_times(path)) for path in paths if machine.attributes(path) is not None)


def _is_application(machine: Machine, folder: str) -> bool:
    return any(machine.attributes(rf"{folder}\{name}") is not None for name in ("encryption.config", "web.config"))


def _set_zip(machine: Machine, backup: Value) -> None:
    """What a zip holds. How the script finds its way through a damaged or crafted one, only PowerShell can tell."""
    whole = machine.file_piece(backup["found"], 0, backup["size_bytes"]).encode("latin-1", "replace")
    try:
        entries = zipfile.ZipFile(io.BytesIO(whole)).infolist()
    except zipfile.BadZipFile:
        backup["contents"] = "broken"
        return
    named = [(re.split(r"[/\\]", entry.filename)[-1].lower(), entry) for entry in entries]
    keys = [entry for name, entry in named if name == "encryption.config"]
    configs = [entry.file_size for name, entry in named if name == "web.config"]
    libraries = (re.search(r"bin[/\\].*\.dll$", entry.filename, re.IGNORECASE) for entry in entries)
    backup |= {"contents": "listed", "entries": len(entries), "libraries": any(libraries)}
    backup |= {"web_config": bool(configs), "web_config_bytes": max(configs, default=None)}
    backup["keys"] = [{"path": one.filename, "state": "listed", "size_bytes": one.file_size} for one in keys]


BACKUP_EMULATIONS: Mapping[str, Callable[[Session], Value]] = {"backups": backups}
