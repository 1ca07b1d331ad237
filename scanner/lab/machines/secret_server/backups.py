"""What the probe of the backups answers on a recorded machine: its script, line for line."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from scanner.lab.machines.secret_server.probes import Session, Value, config_file
from scanner.lab.machines.windows.machine import DIRECTORY, NOW_TICKS, AccessError, Machine

_MOST_LIST_BYTES = 16_777_216
_FULL = 0xFFFFFFFF


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
        backup |= {"kind": "closed", "error": " ".join(str(error).split())[:2000]}
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
    path, size = backup["found"], backup["size_bytes"]
    tail = min(size, 65557)
    text = machine.file_piece(path, size - tail, tail)
    end = _zip_end(text, size - tail)
    if end < 0:
        backup["contents"] = "broken"
        return
    backup["contents"] = "unseen"
    count, length, start = _number(text, end + 10, 2), _number(text, end + 12, 4), _number(text, end + 16, 4)
    if count == 0xFFFF or _FULL in (length, start):
        at = end - 20
        if at < 0 or text[at : at + 4] != "PK\6\7":
            return
        large = machine.file_piece(path, _number(text, at + 8, 8), 56)
        if len(large) < 56 or large[:4] != "PK\6\6":
            return
        count, length, start = _number(large, 32, 8), _number(large, 40, 8), _number(large, 48, 8)
    if length > _MOST_LIST_BYTES or start + length > size:
        return
    listed = machine.file_piece(path, start, length)
    if count > 0 and (len(listed) < 46 or not listed.startswith("PK\1\2")):
        return
    backup |= {"contents": "listed", "entries": count, "keys": _entries(listed, "encryption.config")}
    configs = _entries(listed, "web.config")
    backup["web_config"] = bool(configs)
    backup["web_config_bytes"] = max((config["size_bytes"] for config in configs), default=None)
    backup["libraries"] = _has_library(listed)


def _has_library(listed: str) -> bool:
    for match in re.finditer(r"bin[/\\]", listed, re.IGNORECASE | re.ASCII):
        record = listed.rfind("PK\1\2", 0, match.start() + 1)
        if record < 0 or record + 46 > match.start():
            continue
        name = listed[record + 46 : record + 46 + _number(listed, record + 28, 2)]
        if match.start() < record + 46 + len(name) and name.lower().endswith(".dll"):
            return True
    return False


def _zip_end(text: str, before: int) -> int:
    """backups.ps1: Find-PfZipEnd."""
    likely, at = -1, text.rfind("PK\5\6")
    while at >= 0:
        if at + 22 <= len(text):
            whole = at + 22 + _number(text, at + 20, 2) == len(text)
            lies = _number(text, at + 16, 4) + _number(text, at + 12, 4)
            large = at >= 20 and text[at - 20 : at - 16] == "PK\6\7"
            if whole and (large or lies == before + at):
                return at
            likely = at if likely < 0 else likely
        at = text.rfind("PK\5\6", 0, at + 3)
    return likely


def _entries(listed: str, name: str) -> list[Value]:
    found = []
    for match in re.finditer(re.escape(name), listed, re.IGNORECASE | re.ASCII):
        at = match.start()
        record = listed.rfind("PK\1\2", 0, at + 1)
        if record < 0 or record + 46 > at:
            continue
        length = _number(listed, record + 28, 2)
        before = listed[at - 1] if at > record + 46 else "/"
        if record + 46 + length == at + len(name) and before in "/\\":
            path = listed[record + 46 : record + 46 + length]
            if _number(listed, record + 8, 2) & 0x800:
                path = path.encode("latin-1").decode("utf-8", "replace")
            found.append({"path": path, "state": "listed", "size_bytes": _number(listed, record + 24, 4)})
    return found


def _number(text: str, at: int, count: int) -> int:
    return int.from_bytes(text[at : at + count].encode("latin-1"), "little")


BACKUP_EMULATIONS: Mapping[str, Callable[[Session], Value]] = {"backups": backups}
