"""Backups as the tests of what is judged of them take them: of the application, of the database, and in msdb."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from checks.secret_server.facts.backups import AppBackup, Backup, KeyFile
from checks.secret_server.facts.sql import DatabaseBackup, DatabaseBackups
from tests.test_checks.secret_server.databases import SERVER

HOUR = 3600
KEY, OTHER = "a" * 64, "b" * 64
WHOLE: dict[str, Any] = {"web_config": True, "web_config_bytes": 900, "libraries": True}
ZIP = Backup(path="D:\\b", found="D:\\b\\app.zip", kind="zip", size_bytes=1000, age_s=2 * HOUR)
APP = AppBackup(
    backup=ZIP,
    contents="listed",
    entries=900,
    keys=(KeyFile(path="S/encryption.config", state="listed", size_bytes=1322),),
    **WHOLE,
)
FOLDER = replace(ZIP, found="D:\\b\\copy", kind="folder", size_bytes=None)
COPY = AppBackup(
    backup=FOLDER,
    keys=(KeyFile(path="D:\\b\\copy\\encryption.config", state="hashed", size_bytes=1322, sha256=KEY),),
    **WHOLE,
)
BAK = Backup(
    path="E:\\b\\SecretServer.bak", found="E:\\b\\SecretServer.bak", kind="file", size_bytes=500_000_000, age_s=HOUR
)


def made(kind: str, hours: float, **changes: Any) -> DatabaseBackup:
    whole = DatabaseBackup(
        kind=kind,
        finished="2026-11-20T23:10:05",
        age_s=int(hours * HOUR),
        copy_only=False,
        snapshot=False,
        damaged=False,
        server="SQL1",
        device="E:\\b\\1.bak",
        size_bytes=1000,
    )
    return replace(whole, **changes)


def history(*backups: DatabaseBackup) -> DatabaseBackups:
    return DatabaseBackups(
        server=SERVER,
        database="SecretServer",
        asked="2026-11-21T08:00:00",
        utc_offset_s=0,
        recovery="FULL",
        backups=backups,
    )
