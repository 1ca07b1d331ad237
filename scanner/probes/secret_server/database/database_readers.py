"""From what SQL Server answered to facts about Secret Server's database. Pure: each gives its fact or raises
UnreadableError.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from checks.common.dataclass import dataclass
from checks.secret_server.facts.sql import (
    ClusteredInstance,
    DatabaseBackup,
    DatabaseBackups,
    FailoverClusters,
    Mirroring,
    Replica,
    SecretServerDatabase,
    SqlServer,
    SqlSession,
)
from checks.secret_server.host.microsoft import managed_service
from scanner.probes.probe import Answer, UnreadableError
from scanner.probes.secret_server.database.sql_errors import explain_sql
from scanner.probes.secret_server.readers import named, need, rows_of, text, value_of

_MOST_VERSIONS = 5000
_REPLICA_NUMBERS = ("role", "state", "suspended", "mode")
_KINDS = {"D": "full", "I": "differential", "L": "log"}
_STATES = {
    *("ONLINE", "RESTORING", "RECOVERING", "RECOVERY_PENDING", "SUSPECT", "EMERGENCY", "OFFLINE"),
    *("COPYING", "OFFLINE_SECONDARY"),  # of Azure SQL Database
}
"""What sys.databases calls state_desc."""
_RECOVERY = {"FULL", "SIMPLE", "BULK_LOGGED"}
_SERVER_FLAGS = ("server_state", "sysadmin")
_DATABASE_FLAGS = ("open_to_us", "merge_published")
_DECLARE = "name Secret Server's own with `sql_database`"
Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class _Asked:
    """One instance's answers to one question."""

    rows: tuple[Row, ...]
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Instance:
    name: str
    endpoint: str
    cluster: str
    answers: Mapping[str, _Asked]
    versions: Mapping[int, _Asked]
    """By database_id."""

    def asked(self, question: str) -> _Asked:
        return self.answers.get(question, _Asked((), "SQL Server was not asked"))

    @property
    def databases(self) -> tuple[Row, ...]:
        """Those that users made; Amazon RDS keeps one of its own beside them, which nobody else may open."""
        return tuple(row for row in self.asked("databases").rows if row.get("name") != "rdsadmin")


def secret_server_database(answer: Answer) -> SecretServerDatabase:
    """From sql-database: the one database that is Secret Server's, and what is known of it."""
    instance, row = _find(answer)
    version, version_problem = _version(instance, row)
    level = need(row, "level", int)
    if level < 0:
        raise UnreadableError(f"the compatibility level is {level}, which is none")
    mirroring, mirroring_problem = _mirroring(instance, row)
    replicas, replicas_problem = _replicas(instance, row)
    sessions, sessions_problem = _sessions(instance, row)
    return SecretServerDatabase(
        server=_server(instance),
        name=named(row, "name"),
        state=named(row, "state").upper(),
        level=level,
        collation=text(row, "collation"),
        recovery=named(row, "recovery").upper(),
        version=version,
        version_problem=version_problem,
        mirroring=mirroring,
        mirroring_problem=mirroring_problem,
        replicas=replicas,
        replicas_problem=replicas_problem,
        session_hosts=tuple(sorted({session.host for session in sessions})),
        sessions_problem=sessions_problem,
        sessions=sessions,
        merge_replication=_merges(row),
    )


def failover_clusters(answer: Answer) -> FailoverClusters:
    """From sql-database: which of the host's instances are clustered, and whether they run here."""
    value = value_of(answer)
    computer = text(value, "computer").lower()
    rows = [row for row in rows_of(value, "instances") if text(row, "cluster")]
    return FailoverClusters(
        tuple(
            ClusteredInstance(named(row, "name"), text(row, "cluster"), _is_active(_instance(row), row, computer))
            for row in rows
        )
    )


def _is_active(instance: _Instance, row: Row, computer: str) -> bool | None:
    told = text(instance.asked("server").rows[0], "computer").lower() if instance.asked("server").rows else ""
    if told and computer:
        return told == computer
    return {"running": True, "stopped": False}.get(text(row, "service").lower())


def database_backups(answer: Answer) -> DatabaseBackups:
    """From sql-database: what msdb knows of the database's backups."""
    instance, row = _find(answer)
    name = named(row, "name")
    asked = instance.asked("backups")
    if asked.problem:
        raise UnreadableError(f"the history of backups (msdb.dbo.backupset) cannot be read: {asked.problem}")
    server = _first(instance)
    now, utc = _time(server, "local_time"), _time(server, "utc_time")
    own = [_backup(one, now) for one in asked.rows if need(one, "database_name", str).lower() == name.lower()]
    return DatabaseBackups(
        server=_server(instance),
        database=name,
        asked=now.isoformat(timespec="seconds"),
        utc_offset_s=round((now - utc).total_seconds() / 60) * 60,
        recovery=named(row, "recovery").upper(),
        backups=tuple(sorted(own, key=lambda backup: (backup.age_s, backup.kind))),
    )


def newest_version(versions: list[str]) -> str:
    """The newest of versions like "11.6.000003", by their numeric parts: 10.10 is newer than 10.9.

    Raises UnreadableError for no version at all, and for a text that is none: it may be the newest.
    """
    odd = next((one for one in versions if not re.fullmatch(r"\s*[0-9]{1,9}(\.[0-9]{1,9}){1,3}\s*", one)), None)
    if odd is not None:
        raise UnreadableError(f"dbo.tbVersion holds {ascii(odd)[:80]}, which is no version")
    if not versions:
        raise UnreadableError("dbo.tbVersion is empty")
    return max(versions, key=lambda one: [int(part) for part in one.split(".")]).strip()


def _merges(row: Row) -> bool | None:
    """Whether the database publishes or subscribes; earlier answers do not tell, nor does one that is not open."""
    if row.get("merge_published") == 1 or row.get("merge_id") is not None:
        return True
    looked = "merge_id" in row and row.get("open_to_us") == 1 and text(row, "state").upper() == "ONLINE"
    return False if looked and row.get("merge_published") == 0 else None


def _find(answer: Answer) -> tuple[_Instance, Row]:
    """The instance and the row of Secret Server's database. Raises UnreadableError, which says what to declare."""
    value = value_of(answer)
    declared, wanted = text(value, "declared"), text(value, "instance")
    instances = [_instance(row) for row in rows_of(value, "instances")]
    if not instances:
        called = f" called {wanted} (`sql_instance`)" if wanted else ""
        raise UnreadableError(f"no SQL Server instance{called} is installed on this host, so none can be queried")
    troubles = [trouble for one in instances if (trouble := _trouble(one))]
    if declared:
        found = [(one, row) for one in instances for row in one.databases if _is_called(row, declared)]
    else:
        found = [(one, row) for one in instances for row in one.databases if row.get("table_id") is not None]
    places = ", ".join(f"{text(row, 'name')} on {one.name}" for one, row in found)
    if len(found) > 1:
        key = "`sql_instance`" if declared else "`sql_database`"
        raise UnreadableError(f"several databases may be Secret Server's: {places}; name the right one with {key}")
    if troubles and (not found or not declared or not wanted):
        # What cannot be looked into might be the right one.
        raise UnreadableError("; ".join(troubles))
    seen = [(one, row) for one in instances for row in one.databases]
    closed = [text(row, "name") for _, row in seen if row.get("state") == "ONLINE" and row.get("open_to_us") != 1]
    if declared and not found:
        listed = ", ".join(text(row, "name") for _, row in seen) or "none"
        raise UnreadableError(f"there is no database {declared} (`sql_database`); databases seen: {listed}")
    if not declared and closed:
        also = f"{places} holds dbo.tbVersion, but " if found else ""
        raise UnreadableError(f"{also}this login may not open {_listed(closed)}; {_DECLARE}")
    if not found:
        listed = _listed([f"{text(row, 'name')} ({text(row, 'state').lower()})" for _, row in seen]) or "none"
        raise UnreadableError(f"no online database shows dbo.tbVersion; databases seen: {listed}; {_DECLARE}")
    return found[0]


def _instance(row: Row) -> _Instance:
    endpoint = need(row, "endpoint", str)
    answers: Mapping[str, object] = need(row, "answers", dict)
    versions = {need(one, "database_id", int): _asked(one, endpoint) for one in rows_of(row, "versions")}
    said = {name: _asked(need(answers, name, dict), endpoint) for name in answers}
    # Of every database: one that is not understood may be Secret Server's.
    for one in said["databases"].rows if "databases" in said else ():
        _hold(one, "state", _STATES)
        _hold(one, "recovery", _RECOVERY)
        _hold_flags(one, _DATABASE_FLAGS)
    for one in said["server"].rows if "server" in said else ():
        _hold_flags(one, _SERVER_FLAGS)
    return _Instance(
        name=named(row, "name"), endpoint=endpoint, cluster=text(row, "cluster"), answers=said, versions=versions
    )


def _hold(row: Row, key: str, words: Collection[str]) -> None:
    """Raise UnreadableError for a word that SQL Server has not; it may tell none."""
    found = text(row, key)
    if found and found.upper() not in words:
        raise UnreadableError(f"{key} of a database is not known: {ascii(found)[:80]}")


def _hold_flags(row: Row, keys: Iterable[str]) -> None:
    """Raise UnreadableError for what is neither 0 nor 1; SQL Server may not tell."""
    for key in keys:
        if row.get(key) is not None and need(row, key, int) not in (0, 1):
            raise UnreadableError(f"{key} is neither 0 nor 1: {ascii(row[key])[:80]}")


def _asked(row: Row, endpoint: str) -> _Asked:
    error = need(row, "error", str)
    return _Asked(tuple(rows_of(row, "rows")), explain_sql(error, endpoint) if error else "")


def _trouble(instance: _Instance) -> str:
    for question in ("server", "databases"):
        problem = instance.asked(question).problem
        if problem:
            return f"{instance.name}: {problem}"
    return ""


def _is_called(row: Row, name: str) -> bool:
    return named(row, "name").lower() == name.lower()


def _first(instance: _Instance) -> Row:
    rows = instance.asked("server").rows
    if len(rows) != 1:
        raise UnreadableError(f"{instance.name} answered {len(rows)} rows about itself instead of one")
    return rows[0]


def _server(instance: _Instance) -> SqlServer:
    row = _first(instance)
    name, version, collation = (named(row, key) for key in ("server_name", "version", "collation"))
    edition = need(row, "edition", str)
    edition_number, computer = _engine_edition(row), text(row, "computer")
    return SqlServer(
        instance=instance.name,
        name=name,
        version=version,
        collation=collation,
        edition=edition,
        engine_edition=edition_number,
        cluster=instance.cluster,
        computer=computer,
    )


def _engine_edition(row: Row) -> int:
    """Early answers do not hold it, and a server may give none."""
    return need(row, "engine_edition", int) if row.get("engine_edition") is not None else 0


def _is_managed(instance: _Instance) -> bool:
    """Whether mirrors and replicas are the service's own matter: its views show none, or those nobody can mend."""
    return bool(managed_service(_engine_edition(_first(instance))))


def _version(instance: _Instance, row: Row) -> tuple[str, str]:
    state = text(row, "state").upper()
    if state != "ONLINE":
        return "", f"the database is {state.lower()}, not online"
    asked = instance.versions.get(need(row, "database_id", int))
    if asked is None or asked.problem:
        return "", asked.problem if asked else "dbo.tbVersion was not asked"
    if len(asked.rows) >= _MOST_VERSIONS:
        return "", f"dbo.tbVersion holds {_MOST_VERSIONS} rows or more"
    try:
        return newest_version([need(one, "version", str) for one in asked.rows]), ""
    except UnreadableError as error:
        return "", str(error)


def _of(instance: _Instance, question: str, row: Row) -> _Asked:
    """The rows of an answer that concern the database."""
    asked, number = instance.asked(question), need(row, "database_id", int)
    return _Asked(tuple(one for one in asked.rows if need(one, "database_id", int) == number), asked.problem)


def _mirroring(instance: _Instance, row: Row) -> tuple[Mirroring | None, str]:
    if _is_managed(instance):
        return None, ""
    asked = _of(instance, "mirroring", row)
    if asked.problem:
        return None, asked.problem
    if len(asked.rows) != 1:
        return None, "sys.database_mirroring does not show the database: GRANT VIEW ANY DEFINITION"
    one = asked.rows[0]
    if not {"state", "role", "partner"} <= one.keys():
        return None, "SQL Server does not tell whether the database is mirrored"
    if one["state"] is None and (one.get("role") is not None or one.get("partner")):
        return Mirroring(None, 0 if one.get("role") is None else need(one, "role", int), text(one, "partner")), ""
    if one.get("state") is None:
        sysadmin = _first(instance).get("sysadmin") == 1
        if text(row, "state").upper() != "ONLINE" and not sysadmin:
            # SQL Server shows a mirror's own side to members of sysadmin only.
            return None, f"the database is {text(row, 'state').lower()}, and only sysadmin is shown whether as a mirror"
        return None, ""
    # Safety level 1 is OFF; earlier answers do not hold it.
    synchronous = one.get("safety") != 1
    return Mirroring(need(one, "state", int), need(one, "role", int), text(one, "partner"), synchronous), ""


def _replicas(instance: _Instance, row: Row) -> tuple[tuple[Replica, ...], str]:
    if _is_managed(instance):
        return (), ""
    hadr = _first(instance).get("hadr")
    if hadr not in (0, 1) or isinstance(hadr, bool):
        # Only SQL Server before 2012 knows no availability groups at all.
        old = re.match(r"([89]|10)\.", text(_first(instance), "version"))
        return (), "" if old else "SQL Server does not tell whether it takes part in availability groups"
    if hadr == 0:
        return (), ""
    grouped, asked = _of(instance, "grouped", row), _of(instance, "replicas", row)
    if grouped.problem:
        return (), grouped.problem
    if not grouped.rows and asked.rows:
        return (), "SQL Server shows replicas of the database, and not that it is in an availability group"
    if not grouped.rows:
        return (), ""
    if asked.problem or not asked.rows:
        return (), asked.problem or "sys.dm_hadr_database_replica_states does not show the database"
    replicas = tuple(_replica(one) for one in asked.rows)
    if not any(one.own for one in replicas):
        return (), "sys.dm_hadr_database_replica_states does not show the database's own replica"
    return replicas, ""


def _replica(row: Row) -> Replica:
    numbers = {key: None if row.get(key) is None else need(row, key, int) for key in _REPLICA_NUMBERS}
    suspended, mode = numbers["suspended"], numbers["mode"]
    return Replica(
        server=text(row, "server"),
        group=text(row, "grp"),
        own=need(row, "own", int) == 1,
        role=numbers["role"],
        state=numbers["state"],
        suspended=None if suspended is None else suspended == 1,
        synchronous=None if mode is None else mode == 1,
    )


def _sessions(instance: _Instance, row: Row) -> tuple[tuple[SqlSession, ...], str]:
    if _first(instance).get("server_state") != 1:
        return (), "sessions of others are shown with VIEW SERVER STATE only"
    asked = _of(instance, "sessions", row)
    if asked.problem:
        return (), asked.problem
    found = {(named(one, "host").strip().lower(), text(one, "program")) for one in asked.rows}
    return tuple(SqlSession(*one) for one in sorted(found)), ""


def _backup(row: Row, now: datetime) -> DatabaseBackup:
    kind = _KINDS.get(need(row, "type", str))
    if kind is None:
        raise UnreadableError(f"msdb knows a backup of an unknown type: {ascii(row.get('type'))[:40]}")
    finished = _time(row, "finished")
    return DatabaseBackup(
        kind=kind,
        finished=finished.isoformat(timespec="seconds"),
        age_s=int((now - finished).total_seconds()),
        copy_only=need(row, "copy_only", int) == 1,
        snapshot=need(row, "snapshot", int) == 1,
        damaged=need(row, "damaged", int) == 1,
        server=text(row, "server_name"),
        device=text(row, "device"),
        size_bytes=need(row, "size_bytes", int),
    )


def _time(row: Row, key: str) -> datetime:
    found = need(row, key, str)
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?", found):
        raise UnreadableError(f"{key} is no time: {ascii(found)[:80]}")
    try:
        return datetime.fromisoformat(found[:19])
    except ValueError:
        raise UnreadableError(f"{key} is no time: {ascii(found)[:80]}") from None


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return ", ".join(names[:8]) + more
