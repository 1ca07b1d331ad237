"""What msdb tells of the database's backups: its own history, those of replicas, and what each kind builds on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from checks.check import ClusterView
from checks.outcome import Status
from checks.secret_server.backup.recent import judge
from checks.secret_server.facts.backups import DatabaseBackupFile
from checks.secret_server.facts.sql import DatabaseBackup, DatabaseBackups, Replica
from tests.test_checks.secret_server.backups import APP, BAK, history, made
from tests.test_checks.secret_server.databases import DATABASE, Clusters, Nodes


@pytest.mark.parametrize(
    ("backups", "status", "told"),
    [
        ((made("full", 3),), Status.PASS, "database: sql1: full backup of SecretServer in msdb, 3 hours old"),
        (
            (made("log", 1), made("full", 90)),
            Status.PASS,
            "log backup of SecretServer in msdb (after a full one, 3 days old), 1 hour old",
        ),
        ((made("full", 3, snapshot=True),), Status.PASS, "full backup as a volume's snapshot"),
        ((made("differential", 40), made("full", 90)), Status.FAIL, "40 hours old, and max_age_hours = 24"),
        ((made("log", 1),), Status.FAIL, "msdb knows no full backup of SecretServer in the last 400 days"),
        ((), Status.FAIL, "msdb knows no full backup"),
        ((made("full", 3, damaged=True),), Status.FAIL, "that is undamaged and was kept"),
        ((made("full", 3, device="nul"),), Status.FAIL, "msdb knows no full backup"),
        ((made("full", 9), made("full", 3)), Status.PASS, "full backup of SecretServer in msdb, 3 hours old"),
        (
            (made("log", 3), made("full", 3)),
            Status.PASS,
            "database: sql1: full backup of SecretServer in msdb, 3 hours",
        ),
        ((made("full", -3),), Status.ERROR, "ahead of the server's own clock"),
        # Summer time's hour, and five minutes between two clocks.
        ((made("full", 0, age_s=-3900),), Status.PASS, "in msdb, 0 minutes old"),
        ((made("full", 0, age_s=-3901),), Status.ERROR, "ahead of the server's own clock"),
        ((made("full", -1),), Status.PASS, "in msdb, 0 minutes old"),
        ((made("log", -0.5), made("full", 9)), Status.PASS, "(after a full one, 9 hours old), 0 minutes old"),
    ],
)
def test_msdb_tells_of_the_database(
    cluster: Clusters, node: Nodes, backups: tuple[DatabaseBackup, ...], status: Status, told: str
) -> None:
    info = cluster(dpapi="off", backup=True, backup_max_age_hours=24)
    web = node(info, APP, backup_app_path="x")
    sql = node(info, history(*backups), name="sql1", roles=("database",))
    outcome = judge(ClusterView(info, (web, sql)))
    assert (outcome.status, told in outcome.message) == (status, True)


@pytest.mark.parametrize(
    ("backups", "status"),
    [
        ((made("full", 3),), Status.SKIP),
        ((made("full", 50),), Status.WARN),
        ((), Status.WARN),
        ((made("full", -3),), Status.WARN),
    ],
)
def test_where_nothing_is_declared_msdb_does_no_more_than_warn(
    cluster: Clusters, node: Nodes, backups: tuple[DatabaseBackup, ...], status: Status
) -> None:
    info = cluster(dpapi="off")
    sql = node(info, history(*backups), name="sql1", roles=("database",))
    assert judge(ClusterView(info, (node(info), sql))).status is status


def test_replicas_know_each_their_own_backups(cluster: Clusters, node: Nodes) -> None:
    info = cluster(dpapi="off", backup=True)
    web = node(info, APP, backup_app_path="x")
    one = node(info, history(made("full", 90)), name="sql1", roles=("database",))
    two = node(info, history(made("log", 2)), name="sql2", roles=("database",))
    outcome = judge(ClusterView(info, (web, one, two)))
    assert outcome.status is Status.PASS
    assert "database: sql1 and sql2: log backup" in outcome.message


@pytest.mark.parametrize(
    ("replica", "backups", "status"),
    [
        ("SQL2", (), Status.ERROR),
        ("SQL2", (made("full", 90),), Status.ERROR),
        ("SQL2", (made("full", 3),), Status.PASS),
        ("sql1", (), Status.FAIL),
    ],
)
def test_a_replica_that_was_not_asked_may_have_a_newer_backup(
    cluster: Clusters, node: Nodes, replica: str, backups: tuple[DatabaseBackup, ...], status: Status
) -> None:
    info = cluster(dpapi="off", backup=True, backup_max_age_hours=24)
    other = Replica(server=replica, group="Vault", own=False, role=2, state=2, suspended=False, synchronous=True)
    sql = node(info, history(*backups), replace(DATABASE, replicas=(other,)), name="sql1", roles=("database",))
    outcome = judge(ClusterView(info, (node(info, APP, backup_app_path="x"), sql)))
    recent = node(info, DatabaseBackupFile(BAK), name="sql3", roles=("database",), backup_database_path="x")
    with_a_file = judge(ClusterView(info, (node(info, APP, backup_app_path="x"), sql, recent)))
    assert with_a_file.status is (Status.FAIL if status is Status.FAIL else Status.PASS)
    assert (outcome.status, "msdb of SQL2 in the availability group" in outcome.message) == (
        status,
        status is Status.ERROR,
    )


def test_a_declared_file_that_is_gone_fails_whatever_msdb_says(cluster: Clusters, node: Nodes) -> None:
    info = cluster(dpapi="off", backup=True)
    gone = DatabaseBackupFile(replace(BAK, kind="missing"))
    sql = node(info, history(made("full", 3)), gone, name="sql1", roles=("database",), backup_database_path="x")
    outcome = judge(ClusterView(info, (node(info, APP, backup_app_path="x"), sql)))
    assert outcome.status is Status.FAIL
    assert "E:\\b\\SecretServer.bak does not exist" in outcome.message


def test_why_msdb_is_not_known_is_told(cluster: Clusters, node: Nodes) -> None:
    info = cluster(dpapi="off", backup=True)
    sql = node(info, (DatabaseBackups, "the login was refused"), name="sql1", roles=("database",))
    outcome = judge(ClusterView(info, (node(info, APP, backup_app_path="x"), sql)))
    assert outcome.status is Status.WARN
    assert "or let msdb be asked (sql1: the login was refused)" in outcome.message


@pytest.mark.parametrize(
    ("full_hours", "declared", "status"),
    [
        (191, None, Status.PASS),
        (192, None, Status.PASS),
        (193, None, Status.WARN),
        (193, 400, Status.PASS),
        (401, 400, Status.FAIL),
        (20, 12, Status.PASS),  # no older than any backup may be
    ],
)
def test_the_full_backup_beneath_has_an_age_of_its_own(
    cluster: Clusters, node: Nodes, full_hours: int, declared: int | None, status: Status
) -> None:
    options = {} if declared is None else {"backup_max_full_age_hours": declared}
    info = cluster(dpapi="off", backup=True, backup_max_age_hours=24, **options)
    sql = node(info, history(made("log", 1), made("full", full_hours)), name="sql1", roles=("database",))
    outcome = judge(ClusterView(info, (node(info, APP, backup_app_path="x"), sql)))
    assert (outcome.status, "the full one is too old" in outcome.message) == (status, status is not Status.PASS)


def test_a_differential_builds_on_no_copy_only_backup(cluster: Clusters, node: Nodes) -> None:
    info = cluster(dpapi="off", backup=True, backup_max_age_hours=24)
    backups = (made("differential", 1), made("full", 30, copy_only=True))
    sql = node(info, history(*backups), name="sql1", roles=("database",))
    outcome = judge(ClusterView(info, (node(info, APP, backup_app_path="x"), sql)))
    assert outcome.status is Status.FAIL
    assert "full backup of SecretServer in msdb, 30 hours old" in outcome.message
