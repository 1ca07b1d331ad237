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
    """app-files.ps1, without its bounds: a recorded machine is read in no time, and holds little."""
    found = config_files(session, "encryption.config")
    rows = [_walked(session.machine, row["root"]) for row in found["folders"]]
    return {"folders": rows, "notes": found["notes"]}


_OWN = re.compile(
    r"\\(encryption|database|web|web-appsettings)\.config"
    r"|.*\\(oracle\.dataaccess|sapnco[^\\]*)\.dll"
)
_ELSEWHERE = (r"\log", r"\customresources")
_LINK = 0x400
_LARGEST_FILE = 268_435_456


def _walked(machine: Machine, root: Value) -> Value:
    walk: Value = {"root": root, "tree": [], "left_out": [], "stopped": "", "files": 0, "bytes": 0}
    queue = [""] if root["exists"] else []
    for folder in queue:
        queue += _inner(machine, root["path"], folder, walk["left_out"])
        entries, partial = [], False
        for name in (name.lower() for name in machine.file_names(root["path"] + folder, "*")):
            path = f"{folder}\\{name}"
            if _OWN.fullmatch(path):
                continue
            try:
                size = machine.file_size(root["path"] + path)
                why = "larger than 256 MB" if size > _LARGEST_FILE else ""
                entries += [] if why else [(name, machine.file_hash(root["path"] + path))]
            except AccessError as error:
                why = error.line
            if why:
                partial = True
                walk["left_out"].append({"path": path, "why": why})
            else:
                walk["bytes"] += size
        walk["files"] += len(entries)
        if entries or partial:
            short = "|".join(f"{name}/{digest[:8]}" for name, digest in entries)
            full = "|".join(sorted(f"{name}/{digest}" for name, digest in entries))
            row = {"folder": folder, "count": len(entries), "files": short, "partial": partial}
            walk["tree"].append(row | {"digest": hashlib.sha256(full.encode()).hexdigest()})
    return walk


def _inner(machine: Machine, root: str, folder: str, left_out: list[Value]) -> list[str]:
    """The folders in `folder` that are walked as well; those that are not go to `left_out`."""
    kept = []
    for path in (f"{folder}\\{name}".lower() for name in machine.folder_names(root + folder)):
        if path in _ELSEWHERE:
            continue
        try:
            why = "a link to elsewhere" if (machine.attributes(root + path) or 0) & _LINK else ""
        except AccessError as error:
            why = error.line
        if why:
            left_out.append({"path": path + "\\", "why": why})
        else:
            kept.append(path)
    return kept


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
        return {"state": error.state, "detail": error.line}, None
    try:
        return {"state": "wellformed", "detail": ""}, read_xml(machine, path, whole=True)
    except AccessError as error:
        return {"state": "malformed", "detail": error.line}, None


def _sources(document: ET.Element) -> list[str]:
    return [place.attrib["configSource"] for place in document.iter() if "configSource" in place.attrib]


FILE_EMULATIONS: Mapping[str, Callable[[Session], Value]] = {
    "database-config": database_config,
    "app-files": app_files,
    "web-config": web_config,
}
