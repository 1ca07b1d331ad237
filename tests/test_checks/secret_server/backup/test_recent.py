from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from checks.check import ClusterView
from checks.engine.evaluation import GatheredCluster, evaluate
from checks.engine.rules import RuleSet
from checks.outcome import Outcome, Status
from checks.secret_server.backup.findings import span
from checks.secret_server.backup.recent import CHECK, judge
from checks.secret_server.facts.backups import AppBackup, Backup, BackupFile, DatabaseBackupFile, KeyFile
from checks.secret_server.facts.folder import EncryptionConfig
from checks.secret_server.facts.node import WebRoot
from checks.secret_server.facts.sql import (
    DatabaseBackup,
    DatabaseBackups,
    Replica,
)
from tests.test_checks.secret_server.databases import DATABASE, SERVER, Clusters, Nodes

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


@pytest.fixture
def judged(cluster: Clusters, node: Nodes) -> Callable[..., Outcome]:
    """Judge web1 with `app` (a fact, or why it is unknown) and sql1 with `bak`; web nodes' keys are `live`."""

    def make(
        app: AppBackup | str | None = APP,
        bak: Backup | str | None = BAK,
        *,
        live: tuple[str, ...] = (KEY, KEY),
        phase: str = "before",
        overrides: dict[str, dict[str, object]] | None = None,
        more: tuple[object, ...] = (),
        **options: Any,
    ) -> Outcome:
        declared: dict[str, Any] = {"backup": True} if app is not None or bak is not None else {}
        info = replace(cluster(overrides=overrides, **{"dpapi": "off", **declared, **options}), phase=phase)
        configs = [
            EncryptionConfig(path="x", state="hashed", sha256=digest, efs=False, size_bytes=1) for digest in live
        ]
        known: list[object] = [(AppBackup, app) if isinstance(app, str) else app, *configs[:1], *more]
        web1 = node(info, *[f for f in known if f is not None], **({} if app is None else {"backup_app_path": "x"}))
        webs = [node(info, config, name=f"web{at}") for at, config in enumerate(configs[1:], 2)]
        fact: Any = (DatabaseBackupFile, bak) if isinstance(bak, str) else DatabaseBackupFile(bak)
        there = {} if bak is None else {"backup_database_path": "x"}
        sql1 = node(info, fact, name="sql1", roles=("database",), **there)
        return judge(ClusterView(info, (web1, *webs, sql1)))

    return make


Judged = Callable[..., Outcome]


def test_two_recent_backups_with_a_plain_key_pass(judged: Judged) -> None:
    outcome = judged()
    assert outcome.status is Status.PASS
    assert outcome.message == (
        "application: web1: D:\\b\\app.zip, 2 hours old; with a plain encryption.config; "
        "database: sql1: E:\\b\\SecretServer.bak, 1 hour old"
    )
    assert judged(COPY).status is Status.PASS


def test_where_nothing_is_declared_nothing_is_judged(judged: Judged) -> None:
    outcome = judged(None, None)
    assert outcome.status is Status.SKIP
    assert "[clusters.NAME.backup]" in outcome.message


@pytest.mark.parametrize(("app", "bak", "key"), [(APP, None, "database_path"), (None, BAK, "app_path")])
def test_a_half_that_is_not_declared_warns(judged: Judged, app: Any, bak: Any, key: str) -> None:
    outcome = judged(app, bak)
    assert outcome.status is Status.WARN
    assert f"set {key} in [clusters.NAME.backup]" in outcome.message


@pytest.mark.parametrize(
    ("backup", "told"),
    [
        (replace(BAK, kind="missing"), "E:\\b\\SecretServer.bak does not exist"),
        (replace(BAK, kind="nothing", found=""), "E:\\b\\SecretServer.bak holds no backup"),
        (replace(BAK, size_bytes=0), "E:\\b\\SecretServer.bak is empty"),
    ],
)
def test_no_backup_fails(judged: Judged, backup: Backup, told: str) -> None:
    for outcome in (judged(bak=backup), judged(replace(APP, backup=backup))):
        assert outcome.status is Status.FAIL
        assert told in outcome.message


def test_what_was_left_out_of_a_large_folder_may_be_newer(judged: Judged) -> None:
    old = replace(BAK, age_s=90 * HOUR, left_out=7)
    gone = replace(BAK, kind="nothing", found="", left_out=7)
    for backup in (old, gone):
        outcome = judged(bak=backup, backup_max_age_hours=24)
        assert (outcome.status, "7 in the folder were too many" in outcome.message) == (Status.ERROR, True)
    assert judged(bak=replace(old, age_s=HOUR), backup_max_age_hours=24).status is Status.PASS


def test_a_declared_age_fails_and_the_default_warns(judged: Judged) -> None:
    old = replace(BAK, age_s=30 * HOUR)
    assert judged(bak=old, backup_max_age_hours=29).status is Status.FAIL
    assert judged(bak=old, backup_max_age_hours=30).status is Status.PASS
    outcome = judged(bak=old)
    assert outcome.status is Status.WARN
    assert "30 hours old, and a backup of the last 24 hours is asked for (inferred:" in outcome.message
    sharper = {"backup-age": {"effect": "fail", "reason": "our standard"}}
    assert judged(bak=old, overrides=sharper).status is Status.FAIL
    assert judged(bak=old, overrides={"backup-age": {"off": True, "reason": "x"}}).status is Status.PASS


def test_a_rule_that_is_not_understood_leaves_it_open(cluster: Clusters, node: Nodes) -> None:
    info = cluster(dpapi="off", backup=True)
    rules = [
        replace(rule, requires="max-age-hours soon") if rule.id == "backup-age" else rule for rule in info.rules.rules
    ]
    info = replace(info, rules=RuleSet(tuple(rules)))
    sql = node(info, DatabaseBackupFile(BAK), name="sql1", roles=("database",), backup_database_path="x")
    outcome = judge(ClusterView(info, (node(info, APP, backup_app_path="x"), sql)))
    assert outcome.status is Status.ERROR
    assert "rule backup-age: requires = 'max-age-hours soon' is none of" in outcome.message


def test_a_copied_folder_s_times_only_warn(judged: Judged) -> None:
    old = replace(COPY, backup=replace(FOLDER, age_s=300 * HOUR))
    outcome = judged(old, backup_max_age_hours=24)
    assert outcome.status is Status.WARN
    assert "12 days old by the newest of its times, which a copy may have kept" in outcome.message


def test_a_date_in_the_future_cannot_be_judged(judged: Judged) -> None:
    assert judged(bak=replace(BAK, age_s=-200)).status is Status.PASS
    outcome = judged(bak=replace(BAK, age_s=-7200))
    assert outcome.status is Status.ERROR
    assert "dated 2 hours ahead of the clock of the node" in outcome.message


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"contents": "broken", "keys": ()}, "no complete zip"),
        ({"entries": 0, "keys": ()}, "is an empty zip"),
        ({"keys": ()}, "holds no encryption.config"),
        (
            {"keys": (KeyFile(path="encryption.config", state="listed", size_bytes=0),)},
            "the encryption.config in D:\\b\\app.zip is empty",
        ),
    ],
)
def test_a_zip_that_recovers_nothing_fails(judged: Judged, changes: dict[str, Any], told: str) -> None:
    outcome = judged(replace(APP, **changes))
    assert outcome.status is Status.FAIL
    assert told in outcome.message


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"contents": "unseen", "keys": ()}, "is not known"),
        ({"web_config": False}, "is it the whole application?"),
        ({"backup": replace(ZIP, kind="file", found="D:\\b\\app.7z")}, "cannot be seen"),
    ],
)
def test_what_cannot_be_seen_in_a_backup_warns(judged: Judged, changes: dict[str, Any], told: str) -> None:
    outcome = judged(replace(APP, **changes))
    assert outcome.status is Status.WARN
    assert told in outcome.message


def key(**changes: Any) -> AppBackup:
    return replace(COPY, keys=(replace(COPY.keys[0], **changes),))


def test_an_efs_key_fails_however_it_was_read(judged: Judged) -> None:
    for state, sha256 in (("hashed", KEY), ("denied", "")):
        outcome = judged(key(efs=True, state=state, sha256=sha256))
        assert outcome.status is Status.FAIL
        assert "is encrypted with EFS" in outcome.message
    off = {"backup-plain-key": {"off": True, "reason": "a plain copy lies in the safe"}}
    assert judged(key(efs=True), overrides=off).status is Status.PASS


def test_a_key_that_is_missing_or_closed(judged: Judged) -> None:
    assert judged(key(state="missing", sha256="")).status is Status.FAIL
    outcome = judged(key(state="locked", sha256="", detail="in use"))
    assert (outcome.status, "in use" in outcome.message) == (Status.ERROR, True)


@pytest.mark.parametrize(
    ("dpapi", "live", "status", "told"),
    [
        ("off", (KEY, KEY), Status.PASS, "plain"),
        ("off", (OTHER, OTHER), Status.WARN, "differs from that of every web node"),
        ("on", (KEY, OTHER), Status.FAIL, "what DPAPI protects on web1, and opens nothing anywhere else"),
        ("on", (OTHER, OTHER), Status.PASS, "not the protected one"),
        ("on", (), Status.ERROR, "web1 could not be hashed, and may be the same file"),
        ("on", (KEY, KEY), Status.WARN, "DPAPI of each would have made different"),
        ("unknown", (KEY, KEY), Status.WARN, "DPAPI of each would have made different"),
        ("unknown", (KEY, OTHER), Status.WARN, "set `dpapi`"),
        ("unknown", (KEY,), Status.WARN, "set `dpapi`"),
    ],
)
def test_dpapi_shows_in_a_copied_folder_alone(
    judged: Judged, dpapi: str, live: tuple[str, ...], status: Status, told: str
) -> None:
    outcome = judged(COPY, live=live, dpapi=dpapi)
    assert (outcome.status, told in outcome.message) == (status, True)


@pytest.mark.parametrize(
    ("dpapi", "live", "status"),
    [
        ("off", (KEY, OTHER), Status.PASS),
        ("on", (KEY, OTHER), Status.WARN),
        ("unknown", (KEY, OTHER), Status.WARN),
        ("unknown", (KEY, KEY), Status.WARN),
    ],
)
def test_in_a_zip_it_does_not_show(judged: Judged, dpapi: str, live: tuple[str, ...], status: Status) -> None:
    assert judged(live=live, dpapi=dpapi).status is status


def test_the_application_s_own_folder_is_no_backup(judged: Judged) -> None:
    outcome = judged(COPY, more=(WebRoot("d:\\B\\copy\\", ("registry",), ()),))
    assert outcome.status is Status.FAIL
    assert "the application's own folder" in outcome.message


def test_the_application_s_own_folder_beside_a_backup_is_none_of_its_business(judged: Judged) -> None:
    assert judged(COPY, more=(WebRoot("C:\\App", ("registry",), ()),)).status is Status.PASS


def test_a_date_a_little_ahead_is_another_clock_s(judged: Judged) -> None:
    assert judged(bak=replace(BAK, age_s=-300)).status is Status.PASS
    assert judged(bak=replace(BAK, age_s=-301)).status is Status.ERROR


def test_what_is_empty_is_told_by_its_own_name(judged: Judged) -> None:
    outcome = judged(bak=replace(BAK, path="E:\\b", size_bytes=0))
    assert "E:\\b\\SecretServer.bak is empty" in outcome.message


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (-5, "0 minutes"),
        (59, "0 minutes"),
        (60, "1 minute"),
        (3599, "59 minutes"),
        (3600, "1 hour"),
        (71 * HOUR, "71 hours"),
        (72 * HOUR, "3 days"),
    ],
)
def test_ages_are_told_as_people_say_them(seconds: float, told: str) -> None:
    assert span(seconds) == told


def test_of_two_good_ones_one_is_told(cluster: Clusters, node: Nodes) -> None:
    info = cluster(dpapi="off", backup=True)
    webs = [node(info, APP, name=f"web{at}", backup_app_path="x") for at in (1, 2)]
    sql = node(info, DatabaseBackupFile(BAK), name="sql1", roles=("database",), backup_database_path="x")
    assert "web2" not in judge(ClusterView(info, (*webs, sql))).message


def test_after_the_window_nobody_asks_for_what_was_never_declared(cluster: Clusters, node: Nodes) -> None:
    info = replace(cluster(), phase="after")
    view = ClusterView(info, (node(info), node(info, name="sql1", roles=("database",))))
    outcome = judge(view)
    assert (outcome.status, outcome.message, outcome.not_declared) == (Status.SKIP, "no longer asked for", "")
    before = replace(info, phase="before", options={"backup": True})
    declared = judge(replace(view, cluster=before))
    assert declared.status is Status.WARN
    assert "set app_path" in declared.message
    assert "set database_path" in declared.message


@pytest.mark.parametrize("kind", ["missing", "closed"])
def test_a_share_that_is_not_seen_is_unknown(judged: Judged, kind: str) -> None:
    outcome = judged(bak=replace(BAK, path="\\\\fs\\b", found="", kind=kind, problem="no access"))
    assert outcome.status is Status.ERROR
    assert "\\\\fs\\b" in outcome.message


@pytest.mark.parametrize("fact", ["garbled", AppBackup(backup=None)])
def test_what_is_unknown_is_not_judged(judged: Judged, fact: AppBackup | str) -> None:
    assert judged(fact).status is Status.ERROR
    assert judged(bak="garbled").status is Status.ERROR


def test_one_node_that_has_it_is_enough(cluster: Clusters, node: Nodes) -> None:
    info = cluster(dpapi="off", backup=True)
    gone = AppBackup(backup=replace(ZIP, kind="missing"))
    webs = [node(info, fact, name=f"web{at}", backup_app_path="x") for at, fact in enumerate((gone, APP, "x")[:2], 1)]
    sql = node(info, DatabaseBackupFile(BAK), name="sql1", roles=("database",), backup_database_path="x")
    assert "application: web2: " in judge(ClusterView(info, (*webs, sql))).message
    outcome = judge(ClusterView(info, (webs[0], replace(webs[0], name="web9"), sql)))
    assert "application: web1 and web9: D:\\b does not exist" in outcome.message


def test_a_node_that_is_down_leaves_it_open(cluster: Clusters, node: Nodes) -> None:
    info = cluster(dpapi="off", backup=True)
    nodes = (
        node(info, APP, backup_app_path="x"),
        node(info, name="sql1", roles=("database",), absence="node unreachable: refused", backup_database_path="x"),
    )
    (result,) = evaluate([CHECK], [GatheredCluster(info, nodes, frozenset({"web1", "sql1"}))])
    assert (result.status, "sql1" in result.message) == (Status.ERROR, True)


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


def test_it_is_only_told_after_the_window(judged: Judged) -> None:
    outcome = judged(bak=replace(BAK, size_bytes=0), phase="after")
    assert outcome.status is Status.SKIP
    assert "E:\\b\\SecretServer.bak is empty" in outcome.message
    assert judged(bak=replace(BAK, size_bytes=0), phase="window").status is Status.FAIL


def msdb_denied(cluster: Clusters, node: Nodes, found: DatabaseBackupFile) -> Outcome:
    """The database is known, and what msdb knows of its backups is not."""
    info = cluster(dpapi="off", backup=True, backup_max_age_hours=24)
    denied = (DatabaseBackups, "the history of backups (msdb.dbo.backupset) cannot be read: the login lacks it")
    sql = node(info, DATABASE, denied, found, name="sql1", roles=("database",), backup_database_path="x")
    return judge(ClusterView(info, (node(info, APP, backup_app_path="x"), sql)))


IN_A_FOLDER = replace(BAK, path="E:\\b", found="E:\\b\\HelpDesk.bak")
OTHERS = BackupFile("HelpDesk.bak", 500_000_000, HOUR)


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
    ("size", "status", "told"),
    [
        (1, Status.FAIL, "has 1 byte, which is no backup"),
        (65_536, Status.WARN, "has 0.1 MB"),
        (10**6, Status.PASS, ""),
    ],
)
def test_a_size_that_no_database_has(judged: Judged, size: int, status: Status, told: str) -> None:
    outcome = judged(bak=replace(BAK, size_bytes=size))
    assert (outcome.status, told in outcome.message) == (status, True)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"libraries": False}, "holds no libraries in bin"),
        ({"web_config_bytes": 0}, "is empty"),
        ({"libraries": None}, "does not tell libraries: collect it anew"),
        ({"web_config_bytes": None}, "does not tell the size of its web.config: collect it anew"),
    ],
)
@pytest.mark.parametrize("app", [APP, COPY])
def test_half_an_application_warns(judged: Judged, app: AppBackup, changes: dict[str, Any], told: str) -> None:
    outcome = judged(replace(app, **changes))
    assert (outcome.status, told in outcome.message) == (Status.WARN, True)
    assert judged(app).status is Status.PASS
    off = {"backup-whole": {"off": True, "reason": "a test"}}
    assert judged(replace(app, **changes), overrides=off).status is Status.PASS


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


@pytest.mark.parametrize(("size", "status"), [(1322, Status.ERROR), (None, Status.ERROR), (1400, Status.PASS)])
def test_a_hash_that_is_unknown_may_be_the_backup_s_unless_the_size_differs(
    cluster: Clusters, node: Nodes, size: int | None, status: Status
) -> None:
    info = cluster(dpapi="on", backup=True)
    locked = EncryptionConfig(path="x", state="locked", sha256="", efs=False, size_bytes=size)
    web1 = node(info, COPY, locked, backup_app_path="x")
    web2 = node(info, EncryptionConfig(path="x", state="hashed", sha256=OTHER, efs=False, size_bytes=1322), name="web2")
    sql = node(info, DatabaseBackupFile(BAK), name="sql1", roles=("database",), backup_database_path="x")
    assert judge(ClusterView(info, (web1, web2, sql))).status is status


def test_a_folder_that_may_be_the_application_s_own_is_no_backup_yet(judged: Judged) -> None:
    """A zip is none of the application's folders, and a host that has no application has none to mistake it for."""
    for reason in ("several folders may hold the application", "the answer is no JSON"):
        outcome = judged(COPY, more=((WebRoot, reason),))
        assert outcome.status is Status.ERROR
        assert f"whether D:\\b\\copy is the application's own folder is not known: {reason}" in outcome.message
        assert judged(APP, more=((WebRoot, reason),)).status is Status.PASS
    assert judged(COPY, more=((WebRoot, "found no folder that holds the application"),)).status is Status.PASS
