"""What SQL Server is asked, and how its answers become facts."""

from __future__ import annotations

import contextlib
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.secret_server.facts.sql import DatabaseBackups, SecretServerDatabase
from scanner.lab.machines.secret_server.probes import Session
from scanner.lab.machines.secret_server.sql_probe import sql_database
from scanner.lab.machines.windows.table import read_windows
from scanner.probes.batch.powershell import powershell_source
from scanner.probes.probe import Answer, UnreadableError
from scanner.probes.secret_server.database.database_readers import (
    database_backups,
    failover_clusters,
    newest_version,
    secret_server_database,
)
from scanner.probes.secret_server.database.sql_errors import explain_sql
from scanner.probes.secret_server.database.sql_questions import questions

TABLES = {
    *("sys.databases", "sys.database_mirroring", "sys.dm_hadr_database_replica_states", "sys.availability_replicas"),
    *("sys.availability_groups", "sys.dm_hadr_availability_replica_states", "sys.sysprocesses"),
    *("dbo.tbVersion", "msdb.dbo.backupset", "msdb.dbo.backupmediafamily"),
}
"""All that may be read."""
WORDS = {
    *("SELECT", "TOP", "DISTINCT", "AS", "CAST", "CONVERT", "CASE", "WHEN", "THEN"),
    *("END", "FROM", "LEFT", "JOIN", "ON", "AND", "OR", "IS", "NOT"),
    *("NULL", "WHERE", "IN", "OVER", "PARTITION", "BY", "ORDER", "DESC"),
}
FUNCTIONS = {
    *(
        "SERVERPROPERTY",
        "GETDATE",
        "GETUTCDATE",
        "HAS_PERMS_BY_NAME",
        "IS_SRVROLEMEMBER",
        "HAS_DBACCESS",
        "OBJECT_ID",
        "QUOTENAME",
        "RTRIM",
    ),
    *("ROW_NUMBER", "DATEADD"),
}


def answered(sql: list[dict[str, Any]], **options: str) -> dict[str, Any]:
    return sql_database(Session(read_windows({"sql": sql}), options))


def read(sql: list[dict[str, Any]], **options: str) -> SecretServerDatabase:
    return secret_server_database(Answer(json.dumps(answered(sql, **options)), 0))


def read_backups(sql: list[dict[str, Any]], **options: str) -> DatabaseBackups:
    return database_backups(Answer(json.dumps(answered(sql, **options)), 0))


@pytest.mark.parametrize("name", sorted(questions()))
def test_only_selects_from_known_tables_are_asked(name: str) -> None:
    text = re.sub(r"'[^']*'", "''", questions()[name])
    assert text.startswith("SELECT ")
    assert not re.search(r";|--|/\*|@|\$", text)
    tables = set(re.findall(r"(?:FROM|JOIN) ([A-Za-z_.]+)", text))
    assert tables <= TABLES
    shouted = set(re.findall(r"(?<![\w.\[])[A-Z][A-Z_]+(?![\w.\]])", text))
    assert shouted <= WORDS | FUNCTIONS


def test_all_questions_are_known_here() -> None:
    script = powershell_source("secret_server/database/sql-database.ps1")
    assert set(questions()) == set(re.findall(r"\$sql\['(\w+)'\]", script))
    assert len(re.findall(r"SELECT", script)) == len(questions()) + 1
    assert "Get-PfSqlRows" not in script


def test_the_accessor_refuses_all_but_one_select() -> None:
    guard = re.search(r"IsMatch\(\$Query, '(.*?)'\)", powershell_source("batch/accessors.ps1"))
    assert guard
    assert all(re.fullmatch(guard[1], text) for text in questions().values())
    for other in ("DELETE FROM dbo.tbVersion", "SELECT 1; DROP TABLE x", "EXEC xp_cmdshell", " SELECT 1"):
        assert not re.fullmatch(guard[1], other)


def test_the_password_is_handed_to_no_command_and_stands_in_no_script() -> None:
    lines = [line.strip() for line in powershell_source("batch/accessors.ps1").splitlines()]
    named = [line for line in lines if "PREFLIGHT_SQL_PASSWORD" in line]
    # From the shell's environment, or from what a session was opened with; and then into the connection's settings.
    assert [line.partition(" = ")[0] for line in named] == ["$secret", "$secret"]
    (used,) = [line for line in lines if "$secret" in line and not line.startswith("$secret = ")]
    assert used.startswith("$settings['Password'] = [System.Text.Encoding]::UTF8.GetString([System.Convert]::")
    assert not re.search(r"-\w+ \$settings|\(\$settings|Pf\w+ \$settings", powershell_source("batch/accessors.ps1"))


def test_a_healthy_database_is_read() -> None:
    found = read([{"version": "15.0.2000.5", "databases": [{"sessions": ["WEB1", "web2 "]}]}])
    assert (found.name, found.state, found.level, found.recovery) == ("SecretServer", "ONLINE", 150, "FULL")
    assert (found.version, found.version_problem) == ("11.6.000003", "")
    assert found.server.version == "15.0.2000.5"
    assert found.session_hosts == ("web1", "web2")
    assert found.mirroring is None
    assert found.mirroring_problem == ""


def test_the_newest_version_is_the_newest_by_number() -> None:
    assert newest_version(["10.9.000064", "10.10.000001", "9.1.000001 "]) == "10.10.000001"


@given(st.lists(st.tuples(*[st.integers(0, 999)] * 3), min_size=1))
def test_no_order_of_rows_matters(versions: list[tuple[int, int, int]]) -> None:
    texts = [f"{a}.{b}.{c:06d}" for a, b, c in versions]
    a, b, c = max(versions)
    assert newest_version(texts) == newest_version(texts[::-1]) == f"{a}.{b}.{c:06d}"


@pytest.mark.parametrize(
    ("held", "problem"),
    [([], "dbo.tbVersion is empty"), (["11.6.000003", "eleven"], "holds 'eleven', which is no version")],
)
def test_a_version_that_cannot_be_told_says_why(held: list[str], problem: str) -> None:
    said = answered([{"version": "15.0.2000.5"}])
    said["instances"][0]["versions"][0]["rows"] = [{"version": one} for one in held]
    found = secret_server_database(Answer(json.dumps(said), 0))
    assert found.version == ""
    assert problem in found.version_problem


OTHER = {"name": "Other", "version": ""}
OLD = {"name": "SecretServerOld", "version": "10.9.000064"}


def test_the_one_database_with_versions_is_taken_and_the_declared_one_before_it() -> None:
    assert read([{"version": "15.0.2000.5", "databases": [OTHER, {}]}]).name == "SecretServer"
    found = read([{"version": "15.0.2000.5", "databases": [OLD, {}]}], sql_database="secretserverold")
    assert (found.name, found.version) == ("SecretServerOld", "10.9.000064")


@pytest.mark.parametrize(
    ("sql", "options", "reason"),
    [
        ([], {}, "no SQL Server instance is installed"),
        ([{"version": "15.0.2000.5"}], {"sql_instance": "VAULT"}, "no SQL Server instance called VAULT"),
        ([{"version": "15.0.2000.5", "databases": [OLD, {}]}], {}, "several databases may be Secret Server's: "),
        ([{"version": "15.0.2000.5", "databases": [OTHER]}], {}, "databases seen: Other (online); name Secret"),
        ([{"version": "15.0.2000.5"}], {"sql_database": "Vault"}, "no database Vault (`sql_database`); databases seen"),
        ([{"version": "15.0.2000.5", "refuses": {"server": 18456}}], {}, "refuses the login (18456: Login failed"),
        ([{"version": "15.0.2000.5", "stopped": True}], {}, "SQL Server cannot be asked at . (2: A network"),
        (
            [{"version": "15.0.2000.5", "databases": [{}, {"name": "Closed", "open": False}]}],
            {},
            "SecretServer on MSSQLSERVER holds dbo.tbVersion, but this login may not open Closed; name",
        ),
        (
            [{"version": "15.0.2000.5"}, {"name": "B", "version": "15.0.2000.5", "refuses": {"server": 18456}}],
            {},
            "B: SQL Server refuses the login",
        ),
    ],
)
def test_no_database_or_several_say_what_to_declare(
    sql: list[dict[str, Any]], options: dict[str, str], reason: str
) -> None:
    for reader in (secret_server_database, database_backups):
        with pytest.raises(UnreadableError, match=re.escape(reason)):
            reader(Answer(json.dumps(answered(sql, **options)), 0))


def test_a_copy_that_is_not_open_is_read_as_far_as_it_tells() -> None:
    copy = {"state": "RESTORING", "mirroring": 4, "role": 2}
    found = read([{"version": "11.0.2100.60", "databases": [copy]}], sql_database="SecretServer")
    assert (found.state, found.collation, found.version) == ("RESTORING", "", "")
    assert found.mirroring is not None
    assert (found.mirroring.state, found.mirroring.role) == (4, 2)
    del copy["mirroring"]
    found = read([{"version": "11.0.2100.60", "databases": [copy]}], sql_database="SecretServer")
    assert "only sysadmin is shown" in found.mirroring_problem


def test_replicas_are_read_and_their_refusal_is_no_absence() -> None:
    database = {"replicas": [{"server": "SQL1", "own": True, "role": 1}, {"server": "SQL2", "state": 1, "role": 2}]}
    found = read([{"version": "15.0.2000.5", "databases": [database]}])
    assert [(one.server, one.state, one.role, one.synchronous) for one in found.replicas] == [
        ("SQL1", 2, 1, True),
        ("SQL2", 1, 2, True),
    ]
    found = read([{"version": "15.0.2000.5", "databases": [database], "refuses": {"replicas": 300}}])
    assert found.replicas == ()
    assert "lacks a permission (300" in found.replicas_problem


def test_sessions_of_others_are_no_sessions_where_they_are_hidden() -> None:
    found = read([{"version": "15.0.2000.5", "sees_sessions": False}])
    assert (found.session_hosts, "VIEW SERVER STATE" in found.sessions_problem) == ((), True)


def test_backups_are_read_with_their_age_by_the_server_s_clock() -> None:
    found = read_backups([{"version": "15.0.2000.5"}])
    assert [(one.kind, one.age_s, one.copy_only) for one in found.backups] == [
        ("log", 3600, False),
        ("full", 36000, False),
    ]
    assert (found.asked, found.utc_offset_s, found.backups[1].finished) == (
        "2026-11-20T08:00:00",
        3600,
        "2026-11-19T22:00:00",
    )
    assert found.backups[1].device == "D:\\Backup\\SecretServer.bak"


def test_another_database_s_backups_are_left_out() -> None:
    databases = [{"backups": []}, {**OTHER, "backups": [{"kind": "full", "hours_ago": 1}]}]
    assert read_backups([{"version": "15.0.2000.5", "databases": databases}]).backups == ()


def test_a_refused_history_is_unknown_and_not_empty() -> None:
    sql = [{"version": "15.0.2000.5", "refuses": {"backups": 229}}]
    assert read(sql).version == "11.6.000003"
    with pytest.raises(UnreadableError, match=r"msdb\.dbo\.backupset\) cannot be read: the login lacks a permission"):
        read_backups(sql)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("sql 18456: .: Login failed", "refuses the login"),
        ("sql 4060: .: Cannot open database", "may not open the database"),
        ("sql 229: .: SELECT denied", "lacks a permission"),
        ("sql 208: .: Invalid object name", "no such table"),
        ("sql 976: .: not accessible for queries", "a secondary copy that may not be read"),
        ("sql -2: .: Timeout", "did not answer in time"),
        ("sql 53: .\\VAULT: network path", "cannot be asked at"),
        ("late: x", "took too long"),
        ("what?", "what?"),
        ("", "did not say why"),
    ],
)
def test_errors_are_told_apart_by_number(error: str, words: str) -> None:
    assert words in explain_sql(error, ".")


@pytest.mark.parametrize("number", [5, 8])
def test_what_a_managed_service_shows_of_its_own_replicas_is_nobody_s_to_mend(number: int) -> None:
    replica = {"server": None, "own": True, "role": None, "state": 0, "suspended": True, "synchronous": False}
    rows = [{"version": "12.0.2000.8", "databases": [{"mirroring": 0, "replicas": [replica]}]}]
    said = answered(rows)
    found = secret_server_database(Answer(json.dumps(said), 0))
    assert found.mirroring is not None
    assert found.replicas[0].suspended
    said["instances"][0]["answers"]["server"]["rows"][0]["engine_edition"] = number
    said["instances"][0]["answers"]["mirroring"] = {"rows": [], "error": "sql 208: .: Invalid object name"}
    found = secret_server_database(Answer(json.dumps(said), 0))
    assert (found.mirroring, found.mirroring_problem, found.replicas) == (None, "", ())
    assert found.server.engine_edition == number


def test_the_database_that_rds_keeps_for_itself_is_no_candidate() -> None:
    own = {"name": "rdsadmin", "version": "", "open": False}
    found = secret_server_database(
        Answer(json.dumps(answered([{"version": "15.0.4345.5", "databases": [{"name": "SecretServer"}, own]}])), 0)
    )
    assert found.name == "SecretServer"


BROKEN: list[tuple[list[Any], Any]] = [
    (["instances"], None),
    (["instances", 0], 7),
    (["instances", 0, "answers"], []),
    (["instances", 0, "answers", "server", "rows"], []),
    (["instances", 0, "answers", "server", "rows", 0, "version"], 15),
    (["instances", 0, "answers", "databases", "rows", 0, "level"], "150"),
    (["instances", 0, "answers", "databases", "rows", 0, "level"], -1),
    (["instances", 0, "answers", "databases", "rows", 0, "database_id"], None),
    (["instances", 0, "answers", "mirroring", "rows", 0, "state"], "4"),
    (["instances", 0, "answers", "sessions", "rows"], [{"database_id": 5, "host": 1}]),
    (["instances", 0, "versions", 0, "rows"], {}),
    (["instances", 0, "answers", "databases", "rows", 0, "state"], "Qzxvw"),
    (["instances", 0, "answers", "databases", "rows", 0, "recovery"], "Qzxvw"),
    (["instances", 0, "answers", "databases", "rows", 0, "open_to_us"], True),
    (["instances", 0, "answers", "databases", "rows", 0, "merge_published"], 2),
    (["instances", 0, "answers", "server", "rows", 0, "server_state"], "l"),
    (["instances", 0, "answers", "server", "rows", 0, "sysadmin"], [1]),
    (["instances", 0, "answers", "mirroring", "rows", 0, "role"], True),
    (["instances", 0, "answers", "mirroring", "rows", 0, "state"], float("nan")),
]


@pytest.mark.parametrize(("path", "value"), BROKEN)
def test_garbage_is_refused(path: list[Any], value: Any) -> None:
    said = answered([{"version": "15.0.2000.5", "databases": [{"mirroring": 4}]}])
    place: Any = said
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(UnreadableError):
        secret_server_database(Answer(json.dumps(said), 0))


@pytest.mark.parametrize("value", ["yesterday", "2026-13-40T00:00:00", 5])
def test_a_backup_s_garbled_time_is_refused(value: Any) -> None:
    said = answered([{"version": "15.0.2000.5"}])
    said["instances"][0]["answers"]["backups"]["rows"][0]["finished"] = value
    with pytest.raises(UnreadableError, match="finished"):
        database_backups(Answer(json.dumps(said), 0))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.data())
def test_nothing_but_unreadable_error_comes_of_a_spoilt_answer(data: st.DataObject) -> None:
    said: Any = answered([{"version": "15.0.2000.5", "databases": [{"mirroring": 4, "sessions": ["web1"]}]}])
    place = said
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.booleans()):
            place[key] = data.draw(JSON)
            break
        place = place[key]
    for reader in (secret_server_database, database_backups):
        with contextlib.suppress(UnreadableError):
            reader(Answer(json.dumps(said), 0))


def test_a_clustered_instance_is_asked_by_its_virtual_name_alone() -> None:
    said = answered(
        [{"version": "15.0.2000.5", "cluster": "SQLVS1"}, {"name": "B", "version": "15.0.1", "cluster": "V2"}]
    )
    assert [one["endpoint"] for one in said["instances"]] == ["SQLVS1", "V2\\B"]
    answer = Answer(json.dumps(said), 0)
    assert [(one.instance, one.cluster, one.active) for one in failover_clusters(answer).instances] == [
        ("MSSQLSERVER", "SQLVS1", True),
        ("B", "V2", True),
    ]
    assert secret_server_database(answer).server.cluster == "SQLVS1"


def test_a_clustered_instance_that_does_not_run_here_is_not_asked() -> None:
    said = answered([{"version": "15.0.2000.5", "cluster": "SQLVS1", "stopped": True}])
    (instance,) = said["instances"]
    assert (instance["service"], set(instance["answers"])) == ("Stopped", {"server"})
    answer = Answer(json.dumps(said), 0)
    assert [one.active for one in failover_clusters(answer).instances] == [False]
    with pytest.raises(UnreadableError, match="does not run on this host, a passive host of SQLVS1"):
        secret_server_database(answer)


def test_an_instance_that_runs_on_another_host_is_passive_here() -> None:
    said = answered([{"version": "15.0.2000.5", "cluster": "SQLVS1", "host": "SQLB"}])
    assert [one.active for one in failover_clusters(Answer(json.dumps(said), 0)).instances] == [False]


def test_answers_of_before_know_no_clusters() -> None:
    said = answered([{"version": "15.0.2000.5"}])
    for key in ("cluster", "service"):
        del said["instances"][0][key]
    assert failover_clusters(Answer(json.dumps(said), 0)).instances == ()


@pytest.mark.parametrize("hadr", [None, "absent", 2])
def test_an_availability_group_that_is_not_told_is_not_none(hadr: object) -> None:
    said = answered([{"version": "15.0.2000.5"}])
    row = said["instances"][0]["answers"]["server"]["rows"][0]
    if hadr == "absent":
        del row["hadr"]
    else:
        row["hadr"] = hadr
    found = secret_server_database(Answer(json.dumps(said), 0))
    assert "does not tell whether it takes part in availability groups" in found.replicas_problem


def test_a_server_before_2012_knows_no_groups() -> None:
    assert read([{"version": "10.50.6000.34"}]).replicas_problem == ""


def test_a_mirror_whose_state_is_not_told_is_a_mirror_all_the_same() -> None:
    said = answered([{"version": "15.0.2000.5", "databases": [{"mirroring": 4}]}])
    row = said["instances"][0]["answers"]["mirroring"]["rows"][0]
    row["state"] = None
    found = secret_server_database(Answer(json.dumps(said), 0))
    assert found.mirroring
    assert found.mirroring.state is None
    del row["state"]
    assert "does not tell" in secret_server_database(Answer(json.dumps(said), 0)).mirroring_problem


@pytest.mark.parametrize("key", ["mode", "state", "suspended"])
def test_what_a_replica_does_not_tell_stays_unknown(key: str) -> None:
    replicas = [{"server": "SQL1", "own": True, "role": 1}, {"server": "SQL2", "role": 2}]
    said = answered([{"version": "15.0.2000.5", "databases": [{"replicas": replicas}]}])
    del said["instances"][0]["answers"]["replicas"]["rows"][1][key]
    other = secret_server_database(Answer(json.dumps(said), 0)).replicas[1]
    assert {"mode": other.synchronous, "state": other.state, "suspended": other.suspended}[key] is None


def test_sessions_come_with_their_programs() -> None:
    sessions = ["WEB1", {"host": "LAPTOP", "program": "Microsoft SQL Server Management Studio"}]
    found = read([{"version": "15.0.2000.5", "databases": [{"sessions": sessions}]}])
    assert [(one.host, one.program.partition(" ")[0]) for one in found.sessions] == [
        ("laptop", "Microsoft"),
        ("web1", ".Net"),
    ]


@pytest.mark.parametrize(
    ("database", "merges"), [({}, False), ({"merge_published": True}, True), ({"merge_subscribed": True}, True)]
)
def test_merge_replication_is_told_of_either_end(database: dict[str, bool], merges: bool) -> None:
    assert read([{"version": "15.0.2000.5", "databases": [database]}]).merge_replication is merges


@pytest.mark.parametrize("key", ["merge_published", "merge_id"])
def test_one_end_alone_does_not_rule_out_merge_replication(key: str) -> None:
    body = answered([{"version": "15.0.2000.5", "databases": [{}]}])
    (row,) = body["instances"][0]["answers"]["databases"]["rows"]
    del row[key]
    assert secret_server_database(Answer(json.dumps(body), 0)).merge_replication is None


@pytest.mark.parametrize("shut", [{"state": "RESTORING"}, {"state": "SUSPECT"}])
def test_a_database_that_is_not_open_does_not_rule_out_merge_replication(shut: dict[str, str]) -> None:
    body = answered([{"version": "15.0.2000.5", "databases": [{}]}])
    body["instances"][0]["answers"]["databases"]["rows"][0].update(shut)
    assert secret_server_database(Answer(json.dumps(body), 0)).merge_replication is None
