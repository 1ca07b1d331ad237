"""What the probes of a web node's files answer on a recorded machine: their scripts, line for line."""

from __future__ import annotations

import hashlib
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping

from scanner.lab.machines.secret_server.probes import Session, Value, config_files, find_roots, read_xml
from scanner.lab.machines.windows.machine import AccessError, Machine


def database_config(session: Session) -> Value:
    """database-config.ps1."""
    return config_files(session, "database.config")


def app_files(session: Session) -> Value:
    """app-files.ps1, without its clock: a recorded machine is read in no time."""
    found = config_files(session, "encryption.config")
    rows = [_walked(session.machine, row["root"]) for row in found["folders"]]
    return {"folders": rows, "notes": found["notes"]}


_OWN = (
    r"\\(encryption|database|web|web-appsettings)\.config"
    r"|.*\\(oracle\.dataaccess|sapnco[^\\]*)\.dll"
)
_ELSEWHERE = (r"\log", r"\customresources")
_LINK = 0x400
_LARGEST_FILE, _MOST_BYTES, _MOST_LISTED = 268_435_456, 2_147_483_648, 200_000
_MOST_FILES, _MOST_FOLDERS, _MOST_LEFT_OUT = 20_000, 1_000, 500


def _walked(machine: Machine, root: Value) -> Value:
    tree: list[Value] = []
    walk: Value = {"root": root, "tree": tree, "left_out": [], "stopped": "", "files": 0, "bytes": 0}
    queue, told = [""] if root["exists"] else [], 0
    for folder in queue:
        if walk["stopped"]:
            break
        queue += _inner(machine, root["path"], folder, walk)
        entries, partial = _hashed(machine, root["path"], folder, walk)
        if not walk["stopped"] and (entries or partial):
            short = "|".join(f"{name}/{digest[:8]}" for name, digest in entries)
            full = "|".join(sorted(f"{name}/{digest}" for name, digest in entries))
            told += len(short)
            row = {"folder": folder, "count": len(entries), "files": short if told <= _MOST_LISTED else None}
            tree.append(row | {"partial": partial, "digest": hashlib.sha256(full.encode()).hexdigest()})
        if len(walk["left_out"]) > _MOST_LEFT_OUT:
            walk["stopped"] = "files"
    return walk


def _inner(machine: Machine, root: str, folder: str, walk: Value) -> list[str]:
    """The folders in `folder` that are walked as well; those that are not go to `walk`."""
    kept = []
    for path in (f"{folder}\\{name}".lower() for name in machine.folder_names(root + folder)):
        if path in _ELSEWHERE:
            continue
        try:
            linked = (machine.attributes(root + path) or 0) & _LINK
            why = "a link to elsewhere" if linked else ""
        except AccessError as error:
            why = " ".join(str(error).split())
        if why:
            walk["left_out"].append({"path": path + "\\", "why": why})
        else:
            kept.append(path)
    return kept


def _hashed(machine: Machine, root: str, folder: str, walk: Value) -> tuple[list[tuple[str, str]], bool]:
    """The files of `folder` with their hashes, and whether one was left out; `walk` is told of bounds that it hits."""
    entries, partial = [], False
    for name in (name.lower() for name in machine.file_names(root + folder, "*")):
        path = f"{folder}\\{name}"
        if re.fullmatch(_OWN, path):
            continue
        try:
            size = machine.file_size(root + path)
            if walk["bytes"] + size > _MOST_BYTES:
                walk["stopped"] = "bytes"
            elif walk["files"] >= _MOST_FILES or len(walk["tree"]) >= _MOST_FOLDERS:
                walk["stopped"] = "files"
            if walk["stopped"]:
                break
            if size > _LARGEST_FILE:
                partial = True
                walk["left_out"].append({"path": path, "why": "larger than 256 MB"})
                continue
            entries.append((name, machine.file_hash(root + path)))
            walk["files"] += 1
            walk["bytes"] += size
        except AccessError as error:
            partial = True
            walk["left_out"].append({"path": path, "why": " ".join(str(error).split())})
    return entries, partial


def web_config(session: Session) -> Value:
    """web-config.ps1."""
    found = find_roots(session)
    folders = []
    for root in found["roots"]:
        path = root["path"] + r"\web.config"
        state, document = _config_state(session.machine, path)
        named = []
        for source in () if document is None else _sources(document):
            other = root["path"] + "\\" + source.replace("/", "\\")
            named.append({"path": other, **_config_state(session.machine, other)[0]})
        rooted = document is not None and document.tag == "configuration"
        folders.append({"root": root, "path": path, **state, "rooted": rooted, "named": named[:50]})
    return {"folders": folders, "notes": found["notes"]}


def _config_state(machine: Machine, path: str) -> tuple[Value, ET.Element | None]:
    try:
        if machine.attributes(path) is None:
            return {"state": "missing", "detail": ""}, None
        if not machine.file_bytes(path).strip(b" \t\r\n\0\xef\xbb\xbf\xfe\xff"):
            return {"state": "empty", "detail": ""}, None
    except AccessError as error:
        return {"state": error.state, "detail": " ".join(str(error).split())}, None
    try:
        return {"state": "wellformed", "detail": ""}, read_xml(machine, path, whole=True)
    except AccessError as error:
        return {"state": "malformed", "detail": " ".join(str(error).split())}, None


def _sources(document: ET.Element) -> list[str]:
    return [place.attrib["configSource"] for place in document.iter() if "configSource" in place.attrib]


FILE_EMULATIONS: Mapping[str, Callable[[Session], Value]] = {
    "database-config": database_config,
    "app-files": app_files,
    "web-config": web_config,
}
