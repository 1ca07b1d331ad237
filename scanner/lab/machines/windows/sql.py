"""The SQL Servers of a recorded machine: what each of the probe's questions is answered with."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import field
from datetime import datetime, timedelta
from typing import Any

from checks.common.dataclass import dataclass

Rows = list[dict[str, Any]]

NOW = datetime(2026, 11, 20, 8, 0, 0)  # noqa: DTZ001  a server's local clock has no zone
"""What every recorded server's local clock shows; an hour ahead of UTC."""
COLLATION = "SQL_Latin1_General_CP1_CI_AS"
DEFAULT_VERSION = "11.6.000003"
LOGIN = "preflight_sql"
"""The SQL login that every recorded instance knows."""
PASSWORD_OF_THE_LAB = "LAB_SQL_PASSWORD"
SERVICE_KEYS = frozenset(
    ("collation", "databases", "hadr", "refuses", "sysadmin", "sees_sessions", "machine", "host", "engine_edition")
)
"""What a scenario may say of an instance beside its registry entry; scenarios/README.md describes each."""
DATABASE_KEYS = frozenset(
    (
        *("name", "version", "level", "collation", "state", "recovery", "open"),
        *("mirroring", "asynchronous", "role", "partner", "replicas", "sessions", "backups"),
        *("merge_published", "merge_subscribed"),
    )
)
REPLICA_KEYS = frozenset(("server", "group", "own", "role", "state", "suspended", "synchronous"))
BACKUP_KEYS = frozenset(("kind", "hours_ago", "copy_only", "snapshot", "damaged", "device", "server"))
_TYPES = {"full": "D", "differential": "I", "log": "L"}
_MESSAGES = {
    18456: "Login failed for user 'LAB\\preflight'.",
    4060: 'Cannot open database "SecretServer" requested by the login. The login failed.',
    229: "The SELECT permission was denied on the object, database, schema 'dbo'.",
    300: "VIEW SERVER STATE permission was denied on object 'server', database 'master'.",
    208: "Invalid object name 'dbo.tbVersion'.",
    2: "A network-related or instance-specific error occurred while establishing a connection to SQL Server.",
    -2: "Timeout expired.",
}


class SqlError(Exception):
    """What Get-PfSqlRows throws: "sql NUMBER: where: message"."""

    def __init__(self, number: int, endpoint: str) -> None:
        self.number = number
        super().__init__(f"sql {number}: {endpoint}: {_MESSAGES.get(number, 'An error occurred.')}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlService:
    """One instance that runs."""

    name: str
    answers: Mapping[str, Rows] = field(default_factory=dict)
    """Question to its rows."""
    versions: Mapping[str, Rows] = field(default_factory=dict)
    """Database to the rows of its dbo.tbVersion; one that is not there has no such table."""
    refuses: Mapping[str, int] = field(default_factory=dict)
    """Question to the number of the error that it ends in."""
    cluster: str = ""
    """The virtual name that a failover cluster instance listens on, and nowhere else."""

    def admit(self, user: str, environment: Mapping[str, str], endpoint: str) -> None:
        """Log in. Windows accounts are let in; a SQL login is, with the recorded password. Raises SqlError."""
        if not user:
            return
        given = base64.b64decode(environment.get("PREFLIGHT_SQL_PASSWORD", "")).decode("utf-8", "replace")
        if user != LOGIN or not given or given != environment.get(PASSWORD_OF_THE_LAB, ""):
            raise SqlError(18456, endpoint)

    def listens_on(self, endpoint: str) -> bool:
        """Whether a connection to `endpoint` comes to this instance."""
        host = endpoint.partition(",")[0].partition("\\")[0]
        return host.lower() == self.cluster.lower() if self.cluster else host in (".", "127.0.0.1")

    def ask(self, endpoint: str, database: str, question: str) -> Rows:
        """Get-PfSqlRows. Raises SqlError."""
        number = self.refuses.get(question, 0)
        if not number and question == "versions" and database not in self.versions:
            number = 208
        if number:
            raise SqlError(number, endpoint)
        return self.versions[database] if question == "versions" else self.answers[question]


def service(instance: str, row: Mapping[str, Any], databases: list[Mapping[str, Any]], computer: str) -> SqlService:
    """The instance that `row` of a scenario's `sql` describes, with its user databases, on `computer`."""
    version = str(row["version"])
    rows: dict[str, Rows] = {
        name: [] for name in ("databases", "mirroring", "grouped", "replicas", "sessions", "backups")
    }
    versions: dict[str, Rows] = {}
    for number, database in enumerate(databases, start=5):
        name = str(database.get("name", "SecretServer"))
        held = database.get("version", DEFAULT_VERSION)
        if held:
            versions[name] = [{"version": str(one)} for one in (held if isinstance(held, list) else [held])]
        state = str(database.get("state", "ONLINE"))
        is_open = bool(database.get("open", True))
        rows["databases"].append(
            {
                "database_id": number,
                "name": name,
                "level": int(database.get("level", int(version.split(".", maxsplit=1)[0]) * 10)),
                "collation": str(database.get("collation", COLLATION)) if state == "ONLINE" else None,
                "state": state,
                "recovery": str(database.get("recovery", "FULL")),
                "open_to_us": int(is_open and state == "ONLINE"),
                "table_id": 245575913 if held and is_open and state == "ONLINE" else None,
                "merge_published": int(bool(database.get("merge_published", False))),
                "merge_id": 1877581727 if database.get("merge_subscribed") else None,
            }
        )
        mirrored = "mirroring" in database
        rows["mirroring"].append(
            {
                "database_id": number,
                "state": int(database["mirroring"]) if mirrored else None,
                "role": int(database.get("role", 1)) if mirrored else None,
                "safety": 2 - bool(database.get("asynchronous")) if mirrored else None,
                "partner": str(database.get("partner", "SQL2")) if mirrored else None,
            }
        )
        if database.get("replicas"):
            rows["grouped"].append({"database_id": number})
        rows["replicas"] += [_replica(number, replica) for replica in database.get("replicas", [])]
        rows["sessions"] += [_session(number, host) for host in database.get("sessions", [])]
        usual = [{"kind": "full", "hours_ago": 10}, {"kind": "log", "hours_ago": 1}]
        rows["backups"] += [_backup(name, backup, row) for backup in database.get("backups", usual)]
    hadr = None if int(version.split(".", maxsplit=1)[0]) < 11 else int(bool(row.get("hadr", rows["grouped"])))
    rows["server"] = [
        {
            "version": str(row.get("patch_level", version)),
            "collation": str(row.get("collation", COLLATION)),
            "edition": str(row.get("edition", "Standard Edition (64-bit)")),
            "engine_edition": int(
                row.get("engine_edition", 4 if "express" in str(row.get("edition", "")).lower() else 2)
            ),
            "server_name": _server_name(instance, row),
            "computer": str(row.get("host", computer)).upper(),
            "hadr": hadr,
            "local_time": NOW.isoformat(timespec="milliseconds"),
            "utc_time": (NOW - timedelta(hours=1)).isoformat(timespec="milliseconds"),
            "server_state": int(bool(row.get("sees_sessions", True))),
            "sysadmin": int(bool(row.get("sysadmin", False))),
        }
    ]
    refuses = {str(name): int(number) for name, number in row.get("refuses", {}).items()}
    return SqlService(
        name=instance, answers=rows, versions=versions, refuses=refuses, cluster=str(row.get("cluster", ""))
    )


def _session(number: int, session: object) -> dict[str, Any]:
    """A host's name, or a table of its `host` and `program`."""
    told = session if isinstance(session, Mapping) else {"host": session}
    program = str(told.get("program", ".Net SqlClient Data Provider"))
    return {"database_id": number, "host": str(told["host"]), "program": program}


def _server_name(instance: str, row: Mapping[str, Any]) -> str:
    machine = str(row.get("machine", "SQL1"))
    return machine if instance == "MSSQLSERVER" else f"{machine}\\{instance}"


def _replica(number: int, replica: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "database_id": number,
        "own": int(bool(replica.get("own", False))),
        "state": int(replica.get("state", 2)),
        "suspended": int(bool(replica.get("suspended", False))),
        "server": replica.get("server"),
        "mode": int(bool(replica.get("synchronous", True))),
        "grp": str(replica.get("group", "VaultGroup")),
        "role": replica.get("role"),
    }


def _backup(database: str, backup: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    finished = NOW - timedelta(hours=float(backup.get("hours_ago", 10)))
    kind = str(backup.get("kind", "full"))
    return {
        "database_name": database,
        "type": _TYPES.get(kind, kind),
        "copy_only": int(bool(backup.get("copy_only", False))),
        "snapshot": int(bool(backup.get("snapshot", False))),
        "damaged": int(bool(backup.get("damaged", False))),
        "finished": finished.isoformat(timespec="seconds"),
        "size_bytes": 734003200,
        "server_name": str(backup.get("server", row.get("machine", "SQL1"))),
        "device": str(backup.get("device", rf"D:\Backup\{database}.bak")),
    }
