"""What the probes of a web node's files answer on a recorded machine: their scripts, line for line."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping

from scanner.lab.windows_machine import DIRECTORY, AccessError, Machine
from scanner.lab.windows_probes import Session, Value, config_files


def database_config(session: Session) -> Value:
    """database-config.ps1."""
    return config_files(session, "database.config")


def app_files(session: Session) -> Value:
    """app-files.ps1, without its clock: a recorded machine is read in no time."""
    found = config_files(session, "encryption.config")
    rows = []
    for row in found["folders"]:
        root, tree, left_out, hashed = row["root"], [], [], []
        for folder in _folders(session.machine, root["path"]) if root["exists"] else []:
            entries, partial = [], False
            for name in session.machine.file_names(root["path"] + folder, "*"):
                path = f"{folder}\\{name.lower()}"
                if re.fullmatch(_OWN, path):
                    continue
                try:
                    size = session.machine.file_size(root["path"] + path)
                    entries.append((name.lower(), session.machine.file_hash(root["path"] + path)))
                    hashed.append(size)
                except AccessError as error:
                    partial = True
                    left_out.append({"path": path, "why": " ".join(str(error).split())})
            if entries or partial:
                full = "|".join(sorted(f"{name}/{digest}" for name, digest in entries))
                tree.append(
                    {
                        "folder": folder,
                        "count": len(entries),
                        "files": "|".join(f"{name}/{digest[:8]}" for name, digest in entries),
                        "partial": partial,
                        "digest": hashlib.sha256(full.encode()).hexdigest(),
                    }
                )
        counts = {"files": len(hashed), "bytes": sum(hashed)}
        rows.append({"root": root, "tree": tree, "left_out": left_out, "stopped": "", **counts})
    return {"folders": rows, "notes": found["notes"]}


_OWN = (
    r"\\(encryption|database|web|web-appsettings)\.config"
    r"|.*\\(oracle\.dataaccess|sapnco[^\\]*)\.dll"
)


def _folders(machine: Machine, root: str) -> list[str]:
    """The folders below `root` that are walked, relative to it, parents first."""
    below = root.lower() + "\\"
    inside = {path.lower().rpartition("\\")[0] for path in machine.files if path.lower().startswith(below)}
    parents = {folder[: at.start()] for folder in inside for at in re.finditer(r"\\|$", folder)}
    relative = sorted(folder[len(root) :] for folder in parents if len(folder) >= len(root))
    kept = [folder for folder in relative if not re.match(r"\\(log|customresources)(\\|$)", folder)]
    return [folder for folder in kept if machine.attributes(root + folder) == DIRECTORY]


FILE_EMULATIONS: Mapping[str, Callable[[Session], Value]] = {
    "database-config": database_config,
    "app-files": app_files,
}
