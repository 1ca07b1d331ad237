"""The question about the backups that the inventory names, and the readers of its answer."""

from __future__ import annotations

import re
from collections.abc import Mapping

from checks.secret_server.facts.backups import AppBackup, Backup, BackupFile, DatabaseBackupFile, KeyFile
from scanner.probes import rights
from scanner.probes.batch.powershell import powershell_source
from scanner.probes.probe import Answer, Probe, UnreadableError
from scanner.probes.secret_server.parts import ROOTS
from scanner.probes.secret_server.readers import explain, named, need, rows_of, text, value_of

_TICKS_PER_S = 10_000_000
_KINDS = ("zip", "folder", "file", "nothing", "missing", "closed")
_CONTENTS = ("", "listed", "broken", "unseen")
_STATES = ("listed", "hashed", "missing", "locked", "denied", "unreadable")


def app_backup(answer: Answer) -> AppBackup:
    """From backups: that of the application's folder. Raises UnreadableError."""
    value = value_of(answer)
    row = _row(value, "application")
    if row is None:
        return AppBackup(backup=None)
    contents = need(row, "contents", str)
    if contents not in _CONTENTS:
        raise UnreadableError(f"the state of a zip's contents is not understood: {ascii(contents)[:80]}")
    entries = None if row.get("entries") is None else need(row, "entries", int)
    keys = tuple(_key(key) for key in rows_of(row, "keys"))
    libraries = None if row.get("libraries") is None else need(row, "libraries", bool)
    size = None if row.get("web_config_bytes") is None else need(row, "web_config_bytes", int)
    return AppBackup(
        backup=_backup(value, row),
        contents=contents,
        entries=entries,
        web_config=need(row, "web_config", bool),
        web_config_bytes=size,
        libraries=libraries,
        keys=keys,
    )


def database_backup(answer: Answer) -> DatabaseBackupFile:
    """From backups: that of the database. Raises UnreadableError."""
    value = value_of(answer)
    row = _row(value, "database")
    if row is None:
        return DatabaseBackupFile(None)
    backup = _backup(value, row)
    listed = need(row, "files", list) if "files" in row else []
    folder = backup.found != "" and backup.found.lower() != backup.path.lower()
    return DatabaseBackupFile(
        backup, folder, tuple(_file(str(one), need(value, "now", int)) for one in reversed(listed))
    )


def _file(entry: str, now: int) -> BackupFile:
    """TICKS|SIZE|NAME, the ticks with zeros in front: so sorted, the newest come last."""
    match = re.fullmatch(r"([0-9]{19})\|([0-9]{1,19})\|([^|\\/]{1,255})", entry)
    if match is None:
        raise UnreadableError(f"this is no file in a folder of backups: {ascii(entry)[:200]}")
    return BackupFile(match[3], int(match[2]), (now - int(match[1])) / _TICKS_PER_S)


def _row(value: Mapping[str, object], key: str) -> Mapping[str, object] | None:
    if key not in value:
        raise UnreadableError(f"the answer says nothing about the {key}'s backup")
    return None if value[key] is None else need(value, key, dict)


def _backup(value: Mapping[str, object], row: Mapping[str, object]) -> Backup:
    kind, problem = need(row, "kind", str), need(row, "error", str)
    if kind not in _KINDS:
        raise UnreadableError(f"what was found is not understood: {ascii(kind)[:80]}")
    size = None if row.get("size_bytes") is None else need(row, "size_bytes", int)
    age_s = None
    if row.get("written") is not None:
        age_s = (need(value, "now", int) - need(row, "written", int)) / _TICKS_PER_S
    if kind in ("zip", "file", "folder") and (age_s is None or (size is None and kind != "folder")):
        raise UnreadableError(f"time or size of the {kind} is missing: {ascii(dict(row))[:200]}")
    if kind in ("zip", "file", "folder") and not need(row, "found", str):
        raise UnreadableError(f"which {kind} was found is not told: {ascii(dict(row))[:200]}")
    return Backup(
        path=named(row, "path"),
        found=need(row, "found", str),
        kind=kind,
        size_bytes=size,
        age_s=age_s,
        left_out=need(row, "left_out", int),
        problem=explain(problem) if problem else "",
    )


def _key(row: Mapping[str, object]) -> KeyFile:
    state, sha256 = need(row, "state", str), text(row, "sha256").lower()
    if state not in _STATES or (state == "hashed") != bool(re.fullmatch(r"[0-9a-f]{64}", sha256)):
        raise UnreadableError(f"the state of encryption.config is not understood: {ascii(dict(row))[:200]}")
    size = None if row.get("size_bytes") is None else need(row, "size_bytes", int)
    if size is None and state in ("listed", "hashed"):
        raise UnreadableError(f"the size of encryption.config is missing: {ascii(dict(row))[:200]}")
    detail = text(row, "detail")
    efs = state != "listed" and need(row, "efs", bool)
    return KeyFile(
        path=named(row, "path"),
        state=state,
        size_bytes=size,
        sha256=sha256,
        efs=efs,
        detail=explain(detail) if detail else "",
    )


PROBES: tuple[Probe, ...] = (
    Probe(
        id="backups",
        language="powershell",
        purpose="age and size of the backups that the inventory names, and whether encryption.config is in them; no "
        "content",
        script=powershell_source("secret_server/backup/backups.ps1"),
        parts=ROOTS,
        readers=((AppBackup, app_backup), (DatabaseBackupFile, database_backup)),
        parameters=("backup_app_path", "backup_database_path"),
        needs=(rights.BACKUPS,),
        sample='{"now": 637000000000000000, "application": null, "database": null}',
    ),
)
