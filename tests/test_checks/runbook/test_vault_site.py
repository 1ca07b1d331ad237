"""A Secret Server site as its nodes say it is: where its database is open, what copies it, where its folders lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from checks.check import ClusterInfo, NodeView
from checks.common.computer_facts import ComputerName
from checks.common.disk_facts import Disks, Drive
from checks.engine.evaluation import GatheredCluster
from checks.facts import Unknown
from checks.registry import PRODUCTS
from checks.runbook.names import CommandQuoter
from checks.runbook.writer import RefusedError
from checks.secret_server.facts.folder import AppTree, EncryptionConfig
from checks.secret_server.facts.node import (
    AppFiles,
    AppPool,
    AppPools,
    IisApplication,
    IisConfiguration,
    PoolSetting,
    PoolSettings,
    WebRoot,
)
from checks.secret_server.facts.sql import (
    ClusteredInstance,
    DatabaseBackup,
    DatabaseBackups,
    FailoverClusters,
    Mirroring,
    Replica,
    SecretServerDatabase,
    SqlServer,
)
from checks.secret_server.runbook.plan import read_site, refuse_half_done, sizes
from checks.secret_server.runbook.read import read_web
from checks.secret_server.runbook.site import Site

ROOT = r"C:\inetpub\wwwroot\SecretServer"
GB = 10**9


def info(**options: object) -> ClusterInfo:
    (product,) = [one for one in PRODUCTS if one.name == "secret-server"]
    return ClusterInfo("vault", "secret-server", options=options, definition=product)


def node(name: str, role: str, *facts: object, host: str = "", options: Mapping[str, object] = {}) -> NodeView:
    return NodeView(
        cluster=info(),
        name=name,
        host=host or f"{name}.corp.example",
        roles=frozenset(role.split()),
        facts={(AppTree if isinstance(fact, AppTree) else type(fact)): fact for fact in facts},
        options=options,
    )


def database(server: str = "SQL1", version: str = "11.7.000049", **more: object) -> SecretServerDatabase:
    asked = SqlServer(instance="MSSQLSERVER", name=server, version="15.0", collation="", edition="")
    found = SecretServerDatabase(
        server=asked, name="Vault", state="ONLINE", level=150, collation="", recovery="FULL", version=version
    )
    return replace(found, **more)  # type: ignore[arg-type]  # of a test


def replica(server: str, role: int | None, *, own: bool = False, group: str = "AG") -> Replica:
    return Replica(server=server, group=group, own=own, role=role, state=2, suspended=False, synchronous=True)


PRIMARY = database(replicas=(replica("SQL1", 1, own=True), replica("SQL2", 2)))
SECONDARY = database("sql2", "", replicas=(replica("SQL2", 2, own=True),))
THREE = database(replicas=(*PRIMARY.replicas, replica("SQL3", 2)))
PRINCIPAL = database(mirroring=Mirroring(4, 1, "SQL2"))
MIRROR = database("SQL2", "", mirroring=Mirroring(4, 2, "SQL1"))


def site(*nodes: NodeView, **options: object) -> Site:
    gathered = GatheredCluster(info(**options), nodes, frozenset(one.name for one in nodes))
    return read_site(gathered, "inventory.toml", CommandQuoter())


def sql(name: str, *facts: object) -> NodeView:
    return node(name, "database", *facts)


@pytest.mark.parametrize(
    ("nodes", "typed", "mirrored", "copies"),
    [
        ((sql("sql1", database()),), "sql1", "", ()),
        ((sql("sql1", PRINCIPAL),), "sql1", "mirroring", ("the mirror",)),
        ((sql("sql1", PRINCIPAL), sql("sql2", MIRROR)), "sql1", "mirroring", ("sql2",)),
        # Where it is open counts, and not who is named first.
        ((sql("sql2", MIRROR), sql("sql1", PRINCIPAL)), "sql1", "mirroring", ("sql2",)),
        ((sql("sql2", MIRROR),), "sql2", "mirroring", ("the mirror",)),
        ((sql("sql1", PRIMARY),), "sql1", "group", ("each secondary replica",)),
        # Names of servers are those of Windows: capitals are no difference.
        ((sql("sql1", PRIMARY), sql("sql2", SECONDARY)), "sql1", "group", ("sql2",)),
        ((sql("sql2", SECONDARY), sql("sql1", PRIMARY)), "sql1", "group", ("sql2",)),
        ((sql("sql1", THREE), sql("sql2", SECONDARY)), "sql1", "group", ("sql2", "each other secondary replica")),
        # A replica that does not tell its role may be the primary one.
        ((sql("s", database(replicas=(replica("S", None, own=True),))),), "s", "group", ("each secondary replica",)),
        ((sql("sql1"), sql("sql2", PRIMARY)), "sql2", "group", ("each secondary replica",)),
    ],
)
def test_commands_go_to_where_the_database_is_open_and_every_copy_is_told(
    nodes: tuple[NodeView, ...], typed: str, mirrored: str, copies: tuple[str, ...]
) -> None:
    found = site(node("web1", "web"), *nodes)
    assert (found.sql, found.mirrored, found.copies) == (typed, mirrored, copies)
    assert found.databases[0] == typed
    assert set(found.databases) == {one.name for one in nodes}
    assert (found.partner, found.group) == (
        "SQL1"
        if nodes[0].name == "sql2" and len(nodes) == 1 and mirrored == "mirroring"
        else "SQL2" * bool(mirrored == "mirroring"),
        "AG" if mirrored == "group" else "",
    )


def test_a_failover_cluster_instance_is_asked_where_it_runs() -> None:
    def host(name: str, *, active: bool) -> NodeView:
        one = ClusteredInstance(instance="MSSQLSERVER", cluster="SQLFCI", active=active)
        return sql(name, FailoverClusters((one,)), *((database(),) if active else ()))

    assert site(host("sqla", active=False), host("sqlb", active=True), node("web1", "web")).databases == ("sqlb",)
    # Where none says that it runs there, each may be it.
    assert site(host("sqla", active=False), node("web1", "web")).databases == ("sqla",)


UNTOLD = "is mirrored or in an availability group, which asks for further steps: "


@pytest.mark.parametrize(
    ("nodes", "told"),
    [
        ((sql("sql1", database()),), ()),
        ((), (f"whether the database {UNTOLD}the inventory names no database node",)),
        (
            (sql("sql1", database(mirroring_problem="denied")),),
            (f"whether the database on sql1 {UNTOLD}denied",),
        ),
        ((sql("sql1", database(replicas_problem="denied")),), (f"whether the database on sql1 {UNTOLD}denied",)),
        # Who knows that there is a copy needs to be told by nobody else.
        ((sql("sql1", PRIMARY), sql("sql2")), ()),
    ],
)
def test_a_second_copy_that_nobody_could_tell_of_is_no_copy_less(
    nodes: tuple[NodeView, ...], told: tuple[str, ...]
) -> None:
    found = site(node("web1", "web", IIS), *nodes)
    assert tuple(found.names.unknown) == told


def application(path: str = "/SecretServer", folder: str = ROOT, pool: str = "SS", site: str = "Web") -> IisApplication:
    return IisApplication(site=site, path=path, physical_path=folder, pool=pool)


def iis(*apps: IisApplication, pools: tuple[AppPool, ...] = ()) -> IisConfiguration:
    return IisConfiguration(path="c", shared=False, pools=pools, applications=apps)


IIS = iis(application())
TMS = (application("/TMS", r"D:\PM", "PM"), application("/TMS/Worker", r"D:\PM\Worker", "PMW"))


@pytest.mark.parametrize(
    ("webs", "options", "traits"),
    [
        ((IIS,), {}, {"integrated": None, "tms": False, "top-level": False, "cluster": False}),
        ((IIS, IIS), {"integrated_windows_auth": True}, {"integrated": True, "cluster": True}),
        (
            (IIS,),
            {"integrated_windows_auth": False, "saml": True},
            {"integrated": False, "saml": True, "engines": None},
        ),
        # What the inventory says in other words than true and false, it does not say.
        ((IIS,), {"rabbitmq": "yes"}, {"rabbitmq": None}),
        ((IIS, iis(application(), *TMS)), {}, {"tms": True}),
        ((IIS, None), {}, {"tms": None, "top-level": None}),
        ((iis(application(), *TMS), None), {}, {"tms": True}),
        ((iis(application("/")), None), {}, {"top-level": True}),
    ],
)
def test_what_a_site_has_is_true_or_false_or_not_known(
    webs: tuple[IisConfiguration | None, ...], options: dict[str, object], traits: dict[str, bool | None]
) -> None:
    views = [
        node(f"web{number}", "web", WebRoot(ROOT, (), ()), *((one,) if one else ()))
        for number, one in enumerate(webs, 1)
    ]
    found = site(*views, **options).traits
    assert {word: found[word] for word in traits} == traits


def test_the_other_site_is_none_of_this_one() -> None:
    found = site(node("web1", "web"), node("dr1", "dr"), node("dr2", "dr database"), node("dr3", "dr web"))
    assert [web.name for web in found.webs] == ["web1", "dr3"]
    assert [web.name for web in found.spares] == ["dr1"]


@pytest.mark.parametrize(
    ("found", "refused"),
    [
        (database(version="10.9.000005"), True),
        (database(version="11.7.000049"), False),
        # A copy that is closed, one that tells no version, and one whose version is none, contradict nothing.
        (replace(MIRROR, version="10.9.000005"), False),
        (replace(SECONDARY, version="10.9.000005"), False),
        (database(version=""), False),
        (database(version="eleven"), False),
    ],
)
def test_a_site_whose_open_database_is_of_another_version_is_in_the_midst_of_something(
    found: SecretServerDatabase, *, refused: bool
) -> None:
    nodes = (node("web1", "web"), sql("sql0"), sql("sql1", found))
    if not refused:
        refuse_half_done(nodes, "11.7.000049")
        return
    with pytest.raises(RefusedError, match="the database on sql1 is that of 10"):
        refuse_half_done(nodes, "11.7.000049")


def backups(*kinds: tuple[str, int]) -> DatabaseBackups:
    every = tuple(
        DatabaseBackup(
            kind=kind,
            finished="2026-11-20T23:10:05",
            age_s=9,
            copy_only=False,
            snapshot=False,
            damaged=False,
            server="SQL1",
            size_bytes=size,
            device="d",
        )
        for kind, size in kinds
    )
    server = database().server
    return DatabaseBackups(
        server=server, database="Vault", asked="2026-11-21", utc_offset_s=0, recovery="FULL", backups=every
    )


def tree(size: int, stopped: str = "") -> AppTree:
    return AppTree(root=ROOT, folders=(), left_out=(), stopped=stopped, files=1, bytes=size)


def test_sizes_are_those_of_the_largest_full_backup_and_of_folders_that_were_walked_through() -> None:
    found = sizes(
        [
            node("web1", "web", tree(7)),
            node("web2", "web", tree(7, "time")),
            node("web3", "web", tree(0)),
            sql("sql1", backups(("log", 900), ("full", 5), ("differential", 800))),
            sql("sql2", backups(("full", 6), ("full", 0))),
        ]
    )
    assert (found.database, dict(found.folders)) == (6, {"web1": 7})
    assert sizes([sql("sql1", backups(("log", 900), ("full", 0)))]).database is None


def drives(*each: tuple[str, int]) -> Disks:
    return Disks(tuple(Drive(name, 100 * GB, free) for name, free in each), "C:")


@pytest.mark.parametrize(
    ("declared", "disks", "folder"),
    [
        (r"D:\Backup\ss.zip", drives(("E:", 9)), r"D:\Backup"),
        (r"\\nas\vault\ss.zip", drives(("E:", 9)), r"\\nas\vault"),
        # Beside what lies at the top of a drive or share there is no folder, and a variable is no name.
        (r"D:\Backup", drives(("E:", 9)), r"E:\Backup"),
        (r"\\nas\vault", drives(("E:", 9)), r"E:\Backup"),
        (r"D:\%DATE%\ss.zip", drives(("E:", 9)), r"E:\Backup"),
        (None, drives(("C:", 90), ("D:", 3), ("E:", 9)), r"E:\Backup"),
        (None, drives(("C:", 90)), r"C:\Backup"),
        (None, drives(), None),
        (None, None, None),
    ],
)
def test_backups_lie_beside_the_declared_ones_or_away_from_windows(
    declared: str | None, disks: Disks | None, folder: str | None
) -> None:
    options = {"backup_app_path": declared} if declared else {}
    found = read_web(node("web1", "web", *((disks,) if disks else ()), options=options))
    assert found.backups == folder
    assert bool(found.backups_from) == bool(folder)


@pytest.mark.parametrize(
    ("host", "own", "reach"),
    [
        ("web1.corp.example", ComputerName("WEB1", "corp.example"), "web1.corp.example"),
        ("localhost", ComputerName("WEB1", "corp.example"), "WEB1.corp.example"),
        ("localhost", ComputerName("WEB1", ""), "WEB1"),
        ("127.0.0.1", None, ""),
    ],
)
def test_another_machine_is_told_a_name_that_means_this_one_there(
    host: str, own: ComputerName | None, reach: str
) -> None:
    assert read_web(node("web1", "web", *((own,) if own else ()), host=host)).reach == reach


def served(*apps: IisApplication) -> tuple[str, str, tuple[str, ...], bool] | None:
    found = read_web(node("web1", "web", WebRoot(ROOT, (), ()), iis(application(), *apps))).tms
    return (found.root, found.path, found.pools, found.nameless) if found else None


@pytest.mark.parametrize(
    ("apps", "tms"),
    [
        ((), None),
        ((application("/Other", r"D:\Other"),), None),
        (TMS, (r"D:\PM", "/TMS", ("PM", "PMW"), False)),
        # By its folder, whatever its path is; and by what TMS has below it, whatever it is called.
        ((application("/pm", "D:\\Tms\\", "PM"),), (r"D:\Tms", "/pm", ("PM",), False)),
        (
            (
                application("/pm/Worker", r"E:\w", "W"),
                application("/pm", r"D:\p", "P"),
                application("/PM/agent", r"E:\a", "p"),
            ),
            (r"D:\p", "/pm", ("W", "p"), False),
        ),
        # One of the two alone, or both in another site, make none.
        ((application("/pm", r"D:\p"), application("/pm/Agent", r"D:\a")), None),
        (
            (
                application("/pm", r"D:\p"),
                application("/pm/Agent", r"D:\a", site="Other"),
                application("/pm/Worker", r"D:\w", site="Other"),
            ),
            None,
        ),
        # What lies in its folder belongs to it under any path; what is below its path in another site does not.
        (
            (*TMS, application("/x", r"d:\pm\x", "X"), application("/TMS/y", r"E:\y", "Y", "Other")),
            (r"D:\PM", "/TMS", ("PM", "PMW", "X"), False),
        ),
        ((*TMS, application("/TMSOther", r"D:\PMOther", "O")), (r"D:\PM", "/TMS", ("PM", "PMW"), False)),
        ((application("/TMS", r"D:\PM", ""),), (r"D:\PM", "/TMS", (), True)),
    ],
)
def test_tms_is_found_by_path_folder_or_parts_with_all_of_its_pools(
    apps: tuple[IisApplication, ...], tms: tuple[str, str, tuple[str, ...], bool] | None
) -> None:
    assert served(*apps) == tms


def test_a_pool_is_what_iis_calls_it_whatever_its_capitals() -> None:
    def setting(value: str) -> PoolSetting:
        return PoolSetting(value, "pool")

    pools = AppPools(
        tuple(
            PoolSettings(
                name=name,
                runtime=setting(value),
                load_user_profile=setting("true"),
                max_processes=setting("1"),
                identity_type=setting("x"),
            )
            for name, value in (("other", "v2.0"), ("ss", "v4.0"))
        )
    )
    configured = iis(application(), pools=(AppPool("Other", "Classic", "pool"), AppPool("sS", "Integrated", "pool")))
    found = read_web(node("web1", "web", WebRoot(ROOT, (), ()), configured, pools))
    assert {key: dict(value) for key, value in found.settings.items()} == {
        "SS": {
            "managedPipelineMode": "Integrated",
            "managedRuntimeVersion": "v4.0",
            "processModel.loadUserProfile": "true",
        }
    }


def key(*, efs: bool) -> EncryptionConfig:
    return EncryptionConfig(path="e", state="hashed", sha256="0" * 64, efs=efs, size_bytes=9)


def test_what_could_not_be_read_of_a_node_is_told_with_its_reason() -> None:
    told = replace(
        node("web1", "web"),
        facts={WebRoot: Unknown("the registry is closed"), IisConfiguration: Unknown("access is denied")},
    )
    found = read_web(told)
    assert (found.root, found.pools, found.path, found.why) == (None, (), None, "the registry is closed")
    assert found.tms_unread == "access is denied"
    # The libraries were found all the same, and so was their folder.
    assert read_web(replace(told, facts={**told.facts, AppFiles: AppFiles(ROOT, ())})).root == ROOT
    closed = replace(told, facts={**told.facts, WebRoot: WebRoot(ROOT, (), ())})
    assert (read_web(closed).root, read_web(closed).why) == (ROOT, "access is denied")
    elsewhere = read_web(node("web1", "web", WebRoot(r"D:\ss", (), ()), IIS))
    assert elsewhere.path is None
    assert "no IIS application has the web root" in elsewhere.why
    assert [read_web(node("w", "web", key(efs=efs))).efs for efs in (True, False)] == [True, False]
