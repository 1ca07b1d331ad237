"""Whether there is a recent and whole backup, of the application with its key and of the database."""

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
from checks.secret_server.facts.backups import AppBackup, Backup, DatabaseBackupFile, KeyFile
from checks.secret_server.facts.folder import EncryptionConfig
from checks.secret_server.facts.node import WebRoot
from tests.test_checks.secret_server.backups import APP, BAK, COPY, FOLDER, HOUR, KEY, OTHER, ZIP
from tests.test_checks.secret_server.databases import Clusters, Nodes


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


def test_it_is_only_told_after_the_window(judged: Judged) -> None:
    outcome = judged(bak=replace(BAK, size_bytes=0), phase="after")
    assert outcome.status is Status.SKIP
    assert "E:\\b\\SecretServer.bak is empty" in outcome.message
    assert judged(bak=replace(BAK, size_bytes=0), phase="window").status is Status.FAIL


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
