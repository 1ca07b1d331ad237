"""Files that may be a backup of the database, or of another one: by their names, beside what msdb tells or does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from checks.check import ClusterView
from checks.outcome import Outcome, Status
from checks.secret_server.backup.recent import judge
from checks.secret_server.facts.backups import BackupFile, DatabaseBackupFile
from checks.secret_server.facts.sql import DatabaseBackups
from tests.test_checks.secret_server.backups import APP, BAK, HOUR, history, made
from tests.test_checks.secret_server.databases import DATABASE, Clusters, Nodes

IN_A_FOLDER = replace(BAK, path="E:\\b", found="E:\\b\\HelpDesk.bak")
OTHERS = BackupFile("HelpDesk.bak", 500_000_000, HOUR)


def msdb_denied(cluster: Clusters, node: Nodes, found: DatabaseBackupFile) -> Outcome:
    """The database is known, and what msdb knows of its backups is not."""
    info = cluster(dpapi="off", backup=True, backup_max_age_hours=24)
    denied = (DatabaseBackups, "the history of backups (msdb.dbo.backupset) cannot be read: the login lacks it")
    sql = node(info, DATABASE, denied, found, name="sql1", roles=("database",), backup_database_path="x")
    return judge(ClusterView(info, (node(info, APP, backup_app_path="x"), sql)))


def test_the_newest_file_of_a_folder_proves_nothing_where_msdb_is_denied(cluster: Clusters, node: Nodes) -> None:
    own = BackupFile("SecretServer_20261125.bak", 500_000_000, 2 * HOUR)
    outcome = msdb_denied(cluster, node, DatabaseBackupFile(IN_A_FOLDER, folder=True, files=(OTHERS, own)))
    assert outcome.status is Status.ERROR
    assert "msdb alone, which cannot be read (sql1: the history of backups" in outcome.message
    assert "name the file itself in database_path" in outcome.message


def test_another_database_s_newer_file_does_not_stand_in_for_an_old_one(cluster: Clusters, node: Nodes) -> None:
    own = BackupFile("SecretServer_20260901.bak", 500_000_000, 2000 * HOUR)
    outcome = msdb_denied(cluster, node, DatabaseBackupFile(IN_A_FOLDER, folder=True, files=(OTHERS, own)))
    assert outcome.status is Status.FAIL
    assert "SecretServer_20260901.bak, 83 days old" in outcome.message


def test_files_that_were_not_looked_at_may_be_the_database_s(cluster: Clusters, node: Nodes) -> None:
    own = BackupFile("SecretServer_20261125.bak", 500_000_000, 2 * HOUR)
    many = replace(IN_A_FOLDER, left_out=40)
    lost = msdb_denied(cluster, node, DatabaseBackupFile(many, folder=True, files=(OTHERS,)))
    assert lost.status is Status.ERROR
    assert "none of the files looked at in E:\\b is named after SecretServer: 40 in the folder" in lost.message
    found = msdb_denied(cluster, node, DatabaseBackupFile(many, folder=True, files=(OTHERS, own)))
    assert "none of the files" not in found.message


def test_a_host_that_was_not_sent_to_look_proves_nothing(cluster: Clusters, node: Nodes) -> None:
    outcome = msdb_denied(cluster, node, DatabaseBackupFile(None))
    assert (outcome.status, "it was not looked for there" in outcome.message) == (Status.ERROR, True)


def test_one_host_s_history_is_enough_for_the_file(cluster: Clusters, node: Nodes) -> None:
    info = cluster(dpapi="off", backup=True, backup_max_age_hours=24)
    own = BackupFile("SecretServer_20261125.bak", 500_000_000, 2 * HOUR)
    found = DatabaseBackupFile(IN_A_FOLDER, folder=True, files=(own,))
    hosts = (
        node(info, history(made("full", 3)), found, name="sql1", roles=("database",), backup_database_path="x"),
        node(info, (DatabaseBackups, "the login lacks it"), name="sql2", roles=("database",)),
    )
    outcome = judge(ClusterView(info, (node(info, APP, backup_app_path="x"), *hosts)))
    assert outcome.status is Status.PASS


def test_a_folder_without_a_file_named_after_the_database_is_undetermined(cluster: Clusters, node: Nodes) -> None:
    outcome = msdb_denied(cluster, node, DatabaseBackupFile(IN_A_FOLDER, folder=True, files=(OTHERS,)))
    assert outcome.status is Status.ERROR
    assert "no file in E:\\b is named after the database SecretServer; the newest are HelpDesk.bak" in outcome.message


@pytest.mark.parametrize(
    ("name", "status"),
    [("SecretServer.bak", Status.PASS), ("secret-server_full.bak", Status.PASS), ("HelpDesk.bak", Status.ERROR)],
)
def test_a_file_that_is_declared_itself_is_taken_by_its_name(
    cluster: Clusters, node: Nodes, name: str, status: Status
) -> None:
    path = f"E:\\b\\{name}"
    outcome = msdb_denied(cluster, node, DatabaseBackupFile(replace(BAK, path=path, found=path)))
    assert outcome.status is status


def test_a_history_that_proves_a_backup_leaves_a_warning_of_a_file_that_may_be_another_s(
    cluster: Clusters, node: Nodes
) -> None:
    info = cluster(dpapi="off", backup=True, backup_max_age_hours=24)
    found = DatabaseBackupFile(IN_A_FOLDER, folder=True, files=(OTHERS,))
    sql = node(
        info, DATABASE, history(made("full", 3)), found, name="sql1", roles=("database",), backup_database_path="x"
    )
    outcome = judge(ClusterView(info, (node(info, APP, backup_app_path="x"), sql)))
    assert outcome.status is Status.WARN


@pytest.mark.parametrize(
    ("found", "status", "told"),
    [
        (DatabaseBackupFile(IN_A_FOLDER, folder=True, files=(OTHERS,)), Status.WARN, "is it its backup?"),
        (DatabaseBackupFile(None), Status.ERROR, "it was not looked for there"),
        (
            DatabaseBackupFile(replace(IN_A_FOLDER, path="E:\\unproven", left_out=40), folder=True, files=(OTHERS,)),
            Status.ERROR,
            "none of the files looked at in E:\\unproven",
        ),
    ],
)
def test_a_history_that_proves_a_backup_excuses_a_file_that_may_be_another_s_alone(
    cluster: Clusters, node: Nodes, found: DatabaseBackupFile, status: Status, told: str
) -> None:
    info = cluster(dpapi="off", backup=True, backup_max_age_hours=24)
    sql = node(
        info, DATABASE, history(made("full", 3)), found, name="sql1", roles=("database",), backup_database_path="x"
    )
    outcome = judge(ClusterView(info, (node(info, APP, backup_app_path="x"), sql)))
    assert outcome.status is status
    assert told in outcome.message
