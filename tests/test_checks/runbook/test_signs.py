"""What facts show of a plan's steps: each kind of sign seen, missing, and unknown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from checks.check import ClusterInfo, NodeView
from checks.chef_backend.backend.search_index import SearchIndex
from checks.chef_backend.facts.cluster import ClusterStatus, Member, ServiceState, ServiceStatus
from checks.chef_backend.facts.machine import FrontendPackage, FrontendServices, InstalledPackage
from checks.facts import Unknown
from checks.registry import PRODUCTS
from checks.runbook.following import ENDS, KINDS, Followed, left_behind, over, see, told
from checks.runbook.model import Command, Step
from checks.runbook.signs import SCAN, SCAN_MAY_WANT, SCAN_WANTS, Seen, Sign, State, done, together, wrong_want
from checks.secret_server.facts.backups import AppBackup, Backup, BackupFile, DatabaseBackupFile
from checks.secret_server.facts.folder import EncryptionConfig
from checks.secret_server.facts.host import PoolStates
from checks.secret_server.facts.node import AppFiles, FileVersion
from checks.secret_server.facts.sql import (
    DatabaseBackup,
    DatabaseBackups,
    Mirroring,
    Replica,
    SecretServerDatabase,
    SqlServer,
)
from checks.secret_server.runbook import signs as vault_signs

DONE, NOT_DONE, CANNOT_TELL = State.DONE, State.NOT_DONE, State.CANNOT_TELL
SERVER = SqlServer(instance="MSSQLSERVER", name="SQL1", version="15.0.2000.5", collation="", edition="")
POOLS = {"pools": ["A", "B"], "state": "stopped"}
RUNNING = "1d 2h"


def node(name: str, *facts: object, product: str = "secret-server", unknown: Mapping[type, str] = {}) -> NodeView:
    table: dict[type, object] = {type(fact): fact for fact in facts}
    table |= {kind: Unknown(why) for kind, why in unknown.items()}
    return NodeView(
        cluster=ClusterInfo("c", product, definition=next(one for one in PRODUCTS if one.name == product)),
        name=name,
        host=name,
        roles=frozenset({"web"}),
        facts=table,
    )


def seen(kind: str, want: Mapping[str, object], *views: NodeView) -> Seen:
    return KINDS[kind].judge(views, want)


def files(*versions: str) -> AppFiles:
    names = ["Thycotic.ihawu.Business.dll", "Thycotic.Other.dll"]
    return AppFiles("C:\\SS", tuple(FileVersion(name, text) for name, text in zip(names, versions, strict=False)))


def backup(device: str, finished: str, **more: Any) -> DatabaseBackup:
    about: dict[str, Any] = {"kind": "full", "copy_only": True, "snapshot": False, "damaged": False, "age_s": 60}
    return DatabaseBackup(
        **{**about, "server": "SQL1", "size_bytes": 9, "device": device, "finished": finished, **more}
    )


def msdb(*backups: DatabaseBackup) -> DatabaseBackups:
    return DatabaseBackups(
        server=SERVER,
        database="SecretServer",
        asked="2026-11-26T02:00:00",
        utc_offset_s=0,
        recovery="FULL",
        backups=backups,
    )


def database(version: str) -> SecretServerDatabase:
    return SecretServerDatabase(
        server=SERVER, name="SecretServer", state="ONLINE", level=150, collation="", recovery="FULL", version=version
    )


def status(**services: int | None) -> ServiceStatus:
    rows = (
        ServiceState(name=name, running=age is not None, pid=1, uptime_s=age, distributed="", line="")
        for name, age in services.items()
    )
    return ServiceStatus(tuple(rows), ())


def package(version: str, age_s: int | None = 100, state: str = "installed") -> InstalledPackage:
    return InstalledPackage(
        manager="rpm",
        version=version,
        state=state,
        installed_s=None if age_s is None else 1_000 - age_s,
        now_s=1_000,
        manifest=version,
    )


def table(**roles: str) -> ClusterStatus:
    rows = (
        Member(name=name.replace("_", "-"), ip="10.0.0.1", guid=name, role=role, postgresql=role, elasticsearch="")
        for name, role in roles.items()
    )
    return ClusterStatus(tuple(rows))


def row(name: str, role: str, *, ip: str = "10.0.0.1", postgresql: str | None = None) -> Member:
    return Member(
        name=name, ip=ip, guid=name, role=role, postgresql=role if postgresql is None else postgresql, elasticsearch=""
    )


def front(version: str, level: str = "1.31", **more: Any) -> FrontendPackage:
    return FrontendPackage(version=version, migration_level=level, **more)


def kept(
    found: str,
    kind: str = "folder",
    *,
    path: str = "D:\\Backup",
    left_out: int = 0,
    web_config: bool = True,
    contents: str = "",
) -> AppBackup:
    one = Backup(path=path, found=found, kind=kind, size_bytes=None, age_s=9.0, left_out=left_out)
    return AppBackup(backup=one, web_config=web_config, contents=contents)


def lying(name: str, size: int = 9) -> NodeView:
    """A server whose msdb is closed, with one file in the declared folder."""
    files = DatabaseBackupFile(None, files=(BackupFile("other.bak", 9, 9.0), BackupFile(name, size, 60.0)))
    return node("sql1", files, unknown={DatabaseBackups: "msdb is closed"})


KEY = EncryptionConfig(path="e", state="hashed", sha256="a" * 64, efs=False, size_bytes=9)
OTHER_KEY = EncryptionConfig(path="e", state="hashed", sha256="b" * 64, efs=False, size_bytes=9)
IN_A_GROUP = replace(
    database("11.7.000049"),
    replicas=(Replica(server="SQL1", group="AG", own=True, role=1, state=2, suspended=False, synchronous=True),),
)
MIRRORED = replace(database("11.7.000049"), mirroring=Mirroring(4, 1, "SQL2"))
FILE = {"file": "SecretServer-9.1.000001.bak", "newest": "2026-11-20T07:00:00"}
NAMED = "D:\\Backup\\secretserver-9.1.000001.bak"
WANT_71 = {"version": "11.7.000049"}
FRONT = {"before": "14.6.32-1.el7"}
LEAD = {"role": "leader"}
LATER = "2026-11-26T01:00:00"
WEB1 = {"folder": "web1-9.1.000001"}
THIRD_KEY = replace(OTHER_KEY, sha256="c" * 64)
UNTIMED = ServiceStatus(
    tuple(
        ServiceState(name=name, running=True, pid=1, uptime_s=age, distributed="", line="")
        for name, age in (("etcd", 50), ("postgresql", None))
    ),
    (),
)
UP = FrontendServices(running=("nginx", "oc_id"), down=())

CASES: list[tuple[str, Mapping[str, object], tuple[NodeView, ...], State]] = [
    ("pool-state", POOLS, (node("web2", PoolStates((("a", 3), ("B", 3)))),), DONE),
    ("pool-state", POOLS, (node("web2", PoolStates((("a", 3), ("B", 1)))),), NOT_DONE),
    ("pool-state", POOLS, (node("web2", PoolStates((("a", 3), ("B", 2)))),), NOT_DONE),
    ("pool-state", POOLS, (node("web2", PoolStates((("a", 3),))),), CANNOT_TELL),
    ("pool-state", POOLS, (node("web2", PoolStates((("a", 1),))),), NOT_DONE),
    ("pool-state", POOLS, (node("web2", PoolStates((), provider_missing=True)),), CANNOT_TELL),
    ("pool-state", POOLS, (node("web2", unknown={PoolStates: "denied"}),), CANNOT_TELL),
    ("files-version", WANT_71, (node("web2", files("11.7.49.0", "11.7.49.0")),), DONE),
    ("files-version", WANT_71, (node("web2", files("11.8.1.0", "11.8.1.0")),), DONE),
    ("files-version", {**WANT_71, "exact": True}, (node("web2", files("11.8.1.0")),), NOT_DONE),
    ("files-version", WANT_71, (node("web2", files("10.9.5.0", "10.9.5.0")),), NOT_DONE),
    ("files-version", WANT_71, (node("web2", files("11.7.49.0", "10.9.5.0")),), NOT_DONE),
    ("files-version", WANT_71, (node("web2", unknown={AppFiles: "denied"}),), CANNOT_TELL),
    ("files-version", WANT_71, (node("web2", files()),), CANNOT_TELL),
    ("database-version", WANT_71, (node("sql1", database("11.7.000049")),), DONE),
    ("database-version", WANT_71, (node("sql1", database("eleven")),), CANNOT_TELL),
    ("database-version", WANT_71, (node("sql1", database("10.9.000005")),), NOT_DONE),
    ("database-version", WANT_71, (node("sql1", database("")),), CANNOT_TELL),
    ("second-copy", {"there": False}, (node("sql1", database("11.7.000049")),), DONE),
    ("second-copy", {"there": True}, (node("sql1", database("11.7.000049")),), NOT_DONE),
    ("second-copy", {"there": False}, (node("sql1", IN_A_GROUP),), NOT_DONE),
    ("second-copy", {"there": True}, (node("sql1", IN_A_GROUP),), DONE),
    ("second-copy", {"there": True}, (node("sql1", MIRRORED),), DONE),
    ("second-copy", {"there": False}, (node("sql1", MIRRORED),), NOT_DONE),
    ("second-copy", {"there": False}, (node("sql1", replace(MIRRORED, mirroring_problem="denied")),), CANNOT_TELL),
    # Who was not told of replicas, has not been told that there are none.
    ("second-copy", {"there": False}, (node("sql1", replace(IN_A_GROUP, replicas_problem="denied")),), CANNOT_TELL),
    ("second-copy", {"there": False}, (node("sql1", unknown={SecretServerDatabase: "denied"}),), CANNOT_TELL),
    ("encryption-keys", {"same": True}, (node("web1", KEY), node("web2", KEY)), DONE),
    ("encryption-keys", {"same": True}, (node("web1", KEY), node("web2", OTHER_KEY)), NOT_DONE),
    ("encryption-keys", {"same": False}, (node("web1", KEY), node("web2", OTHER_KEY)), DONE),
    ("encryption-keys", {"same": False}, (node("web1", KEY), node("web2", KEY)), NOT_DONE),
    ("encryption-keys", {"same": True}, (node("web1", KEY),), CANNOT_TELL),
    ("encryption-keys", {"same": False}, (node("w1", KEY), node("w2", OTHER_KEY), node("w3", THIRD_KEY)), DONE),
    # Two of three share a plain key: DPAPI is off on them still.
    ("encryption-keys", {"same": False}, (node("w1", KEY), node("w2", KEY), node("w3", OTHER_KEY)), NOT_DONE),
    ("encryption-keys", {"same": True}, (node("w1", KEY), node("w2", KEY), node("w3", OTHER_KEY)), NOT_DONE),
    ("encryption-keys", {"same": True}, (node("w1", KEY), node("w2", replace(KEY, state="locked"))), CANNOT_TELL),
    (
        "encryption-keys",
        {"same": True},
        (node("web1", KEY), node("web2", unknown={EncryptionConfig: "no"})),
        CANNOT_TELL,
    ),
    ("database-backup", FILE, (node("sql1", msdb(backup(NAMED, "2026-11-26T01:00:00"))),), DONE),
    # One of that name that was there before the plan was made holds another night's passwords.
    ("database-backup", FILE, (node("sql1", msdb(backup(NAMED, "2026-11-20T07:00:00"))),), NOT_DONE),
    ("database-backup", FILE, (node("sql1", msdb(backup(NAMED, "2026-11-26T01:00:00", damaged=True))),), NOT_DONE),
    ("database-backup", FILE, (node("sql1", msdb(backup("D:\\nightly.bak", "2026-11-26T01:00:00"))),), CANNOT_TELL),
    ("database-backup", FILE, (node("sql1", msdb()),), NOT_DONE),
    ("database-backup", {**FILE, "newest": ""}, (node("sql1", msdb()),), NOT_DONE),
    ("database-backup", {**FILE, "newest": ""}, (node("sql1", msdb(backup(NAMED, "2026-11-20T07:00:00"))),), DONE),
    # Others may be made meanwhile, and one whose time is not told is no new one.
    ("database-backup", FILE, (node("sql1", msdb(backup("n.bak", LATER), backup(NAMED, LATER))),), DONE),
    ("database-backup", FILE, (node("sql1", msdb(backup(NAMED, "yesterday"))),), NOT_DONE),
    ("database-backup", FILE, (lying("secretserver-9.1.000001.BAK"),), DONE),
    ("database-backup", FILE, (lying("SecretServer-9.1.000001.bak", 0),), CANNOT_TELL),
    ("database-backup", FILE, (lying("SecretServer-9.0.000000.bak"),), CANNOT_TELL),
    # The file of another night, which was there before the plan was made: nothing tells that it is a new one.
    ("database-backup", {**FILE, "was": True}, (lying("SecretServer-9.1.000001.bak"),), CANNOT_TELL),
    ("database-backup", FILE, (node("sql1", unknown={DatabaseBackups: "msdb is closed"}),), CANNOT_TELL),
    (
        "database-backup",
        FILE,
        (
            node(
                "sql1",
                DatabaseBackupFile(None, files=(BackupFile("SecretServer-9.1.000001.bak", 9, 60.0),)),
                unknown={DatabaseBackups: "msdb is closed"},
            ),
        ),
        DONE,
    ),
    ("application-backup", WEB1, (node("web1", kept("D:\\Backup\\web1-9.1.000001")),), DONE),
    ("application-backup", WEB1, (node("web1", kept("D:/Backup/WEB1-9.1.000001/")),), DONE),
    ("application-backup", WEB1, (node("web1", kept("D:\\Backup\\web1-9.1.000001.zip", "zip")),), DONE),
    # A copy that broke off, and one of another night that was there before the plan was made.
    ("application-backup", WEB1, (node("web1", kept("D:\\Backup\\web1-9.1.000001", web_config=False)),), NOT_DONE),
    ("application-backup", WEB1, (node("web1", kept("D:\\web1-9.1.000001.zip", "zip", contents="broken")),), NOT_DONE),
    ("application-backup", {**WEB1, "was": True}, (node("web1", kept("D:\\web1-9.1.000001")),), CANNOT_TELL),
    ("application-backup", WEB1, (node("web1", kept("D:\\Backup\\old.zip", "zip")),), CANNOT_TELL),
    ("application-backup", WEB1, (node("web1", kept("D:\\web1-9.1.000001", "file")),), CANNOT_TELL),
    ("application-backup", WEB1, (node("web1", kept("", "missing")),), NOT_DONE),
    ("application-backup", WEB1, (node("web1", kept("", "nothing")),), NOT_DONE),
    # What a logon does not reach, or too many files hide, may be there all the same.
    ("application-backup", WEB1, (node("web1", kept("", "missing", path="\\\\nas\\vault")),), CANNOT_TELL),
    ("application-backup", WEB1, (node("web1", kept("", "nothing", left_out=3)),), CANNOT_TELL),
    ("application-backup", WEB1, (node("web1", kept("", "closed")),), CANNOT_TELL),
    ("application-backup", {"folder": "w"}, (node("web1", AppBackup(backup=None)),), CANNOT_TELL),
    ("member-role", {"role": "leader"}, (node("b-1", table(b_1="leader", b_2="follower")),), DONE),
    ("member-role", {"role": "leader"}, (node("b-2", table(b_1="leader", b_2="follower")),), NOT_DONE),
    ("member-role", {"role": "leader"}, (node("b-3", table(b_1="leader", b_2="follower")),), CANNOT_TELL),
    ("member-role", {"role": "leader"}, (node("b-1", unknown={ClusterStatus: "down"}),), CANNOT_TELL),
    # The cluster may call a node by its whole name or address, and has its own table for each name alone.
    ("member-role", LEAD, (node("b-1", ClusterStatus((row("b-1.corp.example", "leader"),))),), DONE),
    ("member-role", LEAD, (node("10.0.0.7", ClusterStatus((row("b-1", "leader", ip="10.0.0.7"),))),), DONE),
    (
        "member-role",
        LEAD,
        (node("b-1", ClusterStatus((row("b-1.a", "leader"), row("b-1.b", "follower")))),),
        CANNOT_TELL,
    ),
    ("member-role", LEAD, (node("b-1", ClusterStatus((row("b-1", "leader"), row("b-1.b", "follower")))),), DONE),
    # Who leads without its PostgreSQL leads nobody; versions that print no such column say nothing against it.
    ("member-role", LEAD, (node("b-1", ClusterStatus((row("b-1", "leader", postgresql="follower"),))),), NOT_DONE),
    ("member-role", LEAD, (node("b-1", ClusterStatus((row("b-1", "leader", postgresql=""),))),), DONE),
    ("cluster-whole", {}, tuple(node(f"b-{n}", table(b_1="leader", b_2="follower")) for n in (1, 2)), DONE),
    ("cluster-whole", {}, (node("b-1", table(b_1="leader")),), DONE),
    ("cluster-whole", {}, tuple(node(f"b-{n}", table(b_1="leader", b_2="leader")) for n in (1, 2)), NOT_DONE),
    # A member that the inventory does not name is one too many.
    ("cluster-whole", {}, (node("b-1", table(b_1="leader", b_2="follower")),), NOT_DONE),
    (
        "cluster-whole",
        {},
        tuple(node(f"b-{n}", table(b_1="leader", b_2="waiting_for_leader")) for n in (1, 2)),
        NOT_DONE,
    ),
    (
        "cluster-whole",
        {},
        (node("b-1", table(b_1="leader", b_2="follower")), node("b-2", table(b_2="leader", b_1="follower"))),
        NOT_DONE,
    ),
    ("cluster-whole", {}, (node("b-1", unknown={ClusterStatus: "down"}),), CANNOT_TELL),
    ("package-version", {"version": "2.3.16"}, (node("b-1", package("2.3.16-1.el7")),), DONE),
    ("package-version", {"version": "2.3.16"}, (node("b-1", package("2.2.5-1.el7")),), NOT_DONE),
    ("package-version", {"version": "2.3.16"}, (node("b-1", package("2.3.16-1", state="half-configured")),), NOT_DONE),
    ("package-version", {"version": "2.3.16"}, (node("b-1", unknown={InstalledPackage: "no"}),), CANNOT_TELL),
    ("package-version", {"version": "2.3.16"}, (node("b-1", replace(package(""), manager="")),), NOT_DONE),
    ("package-version", {"version": "2.3.16"}, (node("b-1", package("from source")),), CANNOT_TELL),
    ("services-restarted", {}, (node("b-1", package("2.3.16"), status(postgresql=50, etcd=40)),), DONE),
    # Started in the second in which the package was unpacked, and looked at in that very second.
    ("services-restarted", {}, (node("b-1", package("2.3.16"), status(postgresql=100)),), DONE),
    ("services-restarted", {}, (node("b-1", package("2.3.16", 0), status(postgresql=0)),), DONE),
    # A clock that was set back, and services of which one alone says since when, or none runs.
    ("services-restarted", {}, (node("b-1", package("2.3.16", -5), status(postgresql=0)),), CANNOT_TELL),
    ("services-restarted", {}, (node("b-1", package("2.3.16"), UNTIMED),), CANNOT_TELL),
    ("services-restarted", {}, (node("b-1", status(postgresql=50), unknown={InstalledPackage: "no"}),), CANNOT_TELL),
    ("services-restarted", {}, (node("b-1", package("2.3.16"), status(postgresql=50, etcd=4000)),), NOT_DONE),
    ("services-restarted", {}, (node("b-1", package("2.3.16", None), status(postgresql=50)),), CANNOT_TELL),
    ("services-restarted", {}, (node("b-1", package("2.3.16"), status(postgresql=None)),), CANNOT_TELL),
    ("services-restarted", {}, (node("b-1", package("2.3.16"), unknown={ServiceStatus: "no"}),), CANNOT_TELL),
    ("service-state", {"service": "etcd", "state": "down"}, (node("b-1", status(etcd=None)),), DONE),
    ("service-state", {"service": "etcd", "state": "down"}, (node("b-1", status(etcd=5)),), NOT_DONE),
    ("service-state", {"service": "etcd", "state": "up"}, (node("b-1", status(postgresql=5)),), CANNOT_TELL),
    ("index-created", {"version": "6.8.23"}, (node("b-1", SearchIndex("6.8.23")),), DONE),
    (
        "index-created",
        {"version": "6.8.23"},
        (node("b-1", SearchIndex("6.8.23")), node("b-2", SearchIndex("5.4.1"))),
        NOT_DONE,
    ),
    ("index-created", {"version": "5.4.1", "exact": True}, (node("b-1", SearchIndex("6.8.23")),), NOT_DONE),
    ("index-created", {"version": "6.8.23"}, (node("b-1", unknown={SearchIndex: "no"}),), CANNOT_TELL),
    ("frontend-version", FRONT, (node("f-1", FrontendPackage(version="15.10.12-1.el7", migration_level="")),), DONE),
    ("frontend-version", FRONT, (node("f-1", FrontendPackage(version="14.6.32-1.el7", migration_level="")),), NOT_DONE),
    (
        "frontend-version",
        FRONT,
        (node("f-1", FrontendPackage(version="12.17.15-1.el7", migration_level="")),),
        NOT_DONE,
    ),
    # Another build of the same version is none, and nothing that is installed is no version at all.
    ("frontend-version", FRONT, (node("f-1", front("14.6.32-2.el7")),), NOT_DONE),
    ("frontend-version", FRONT, (node("f-1", front("")),), NOT_DONE),
    ("frontend-version", FRONT, (node("f-1", front("from source")),), CANNOT_TELL),
    (
        "frontend-version",
        FRONT,
        (node("f-1", FrontendPackage(version="15.10.12", migration_level="", state="half-installed")),),
        NOT_DONE,
    ),
    ("frontend-version", FRONT, (node("f-1", unknown={FrontendPackage: "no"}),), CANNOT_TELL),
    (
        "frontend-again",
        {"version": "14.6.32"},
        (node("f-1", FrontendPackage(version="14.6.32", migration_level="")),),
        DONE,
    ),
    (
        "frontend-again",
        {"version": "14.6.32"},
        (node("f-1", FrontendPackage(version="15.10.12", migration_level="")),),
        NOT_DONE,
    ),
    (
        "frontend-again",
        {"version": "14.6.32"},
        (node("f-1", FrontendPackage(version="14.6.32", migration_level="", state="half-installed")),),
        NOT_DONE,
    ),
    ("frontend-again", {"version": "14.6.32"}, (node("f-1", front("")),), NOT_DONE),
    ("frontend-again", {"version": "14.6.32"}, (node("f-1", unknown={FrontendPackage: "no"}),), CANNOT_TELL),
    ("frontend-services", {"state": "up"}, (node("f-1", UP),), DONE),
    (
        "frontend-services",
        {"state": "up"},
        (node("f-1", FrontendServices(running=("nginx",), down=("down: oc_id: 9s",))),),
        NOT_DONE,
    ),
    (
        "frontend-services",
        {"state": "up"},
        (node("f-1", FrontendServices(running=("postgresql",), down=(), external=("postgresql",))),),
        CANNOT_TELL,
    ),
    # One that runs during an upgrade only is no trouble; one that nobody is served without is, whoever keeps it down.
    ("frontend-services", {"state": "up"}, (node("f-1", replace(UP, down=("down: opscode-chef-mover: 9s",))),), DONE),
    ("frontend-services", {"state": "up"}, (node("f-1", replace(UP, kept_down=("opscode-chef-mover",))),), DONE),
    (
        "frontend-services",
        {"state": "up"},
        (node("f-1", FrontendServices(running=("oc_id",), down=(), kept_down=("nginx",))),),
        NOT_DONE,
    ),
    # A status that names no service of the frontend's own is no status.
    ("frontend-services", {"state": "down"}, (node("f-1", FrontendServices(running=(), down=())),), CANNOT_TELL),
    ("frontend-services", {"state": "up"}, (node("f-1", replace(UP, ailing=("want down: nginx: 9s",))),), NOT_DONE),
    # The backends' database runs on while the frontend's own services are stopped.
    (
        "frontend-services",
        {"state": "down"},
        (node("f-1", FrontendServices(running=("postgresql",), down=("down: nginx: 9s",), external=("postgresql",))),),
        DONE,
    ),
    ("frontend-services", {"state": "down"}, (node("f-1", UP),), NOT_DONE),
    (
        "frontend-services",
        {"state": "down"},
        (node("f-1", FrontendServices(running=(), down=("down: nginx: 9s",))),),
        DONE,
    ),
    ("frontend-services", {"state": "up"}, (node("f-1", unknown={FrontendServices: "no"}),), CANNOT_TELL),
    (
        "migration-level",
        {},
        tuple(node(f"f-{n}", FrontendPackage(version="15", migration_level="1.31")) for n in (1, 2)),
        DONE,
    ),
    (
        "migration-level",
        {},
        (
            node("f-1", FrontendPackage(version="15", migration_level="1.31")),
            node("f-2", FrontendPackage(version="14", migration_level="1.30")),
        ),
        NOT_DONE,
    ),
    ("migration-level", {}, (node("f-1", unknown={FrontendPackage: "no"}),), CANNOT_TELL),
    # None on any of them is not one on all of them.
    ("migration-level", {}, tuple(node(f"f-{n}", front("15", "", level_state="missing")) for n in (1, 2)), NOT_DONE),
    ("migration-level", {}, tuple(node(f"f-{n}", front("15", "", level_state="empty")) for n in (1, 2)), NOT_DONE),
    (
        "migration-level",
        {},
        (node("f-1", FrontendPackage(version="15", migration_level="", level_state="unread", level_problem="denied")),),
        CANNOT_TELL,
    ),
]


@pytest.mark.parametrize(("kind", "want", "views", "state"), CASES)
def test_a_sign_is_seen_or_missing_or_unknown(
    kind: str, want: Mapping[str, object], views: tuple[NodeView, ...], state: State
) -> None:
    found = seen(kind, want, *views)
    assert (found.state, bool(found.words)) == (state, True)
    assert KINDS[kind].told(want)


def test_every_kind_is_tried_in_all_three_ways() -> None:
    tried = {(kind, state) for kind, _, _, state in CASES}
    assert {(kind, state) for kind in KINDS for state in State} == tried


def test_what_is_missing_outweighs_what_is_unknown_and_both_outweigh_what_is_done() -> None:
    rows = [done("a"), Seen(CANNOT_TELL, "b"), Seen(NOT_DONE, "c")]
    assert together(rows).state is NOT_DONE
    assert together(rows).words == "c; b; a"
    assert together(rows[:2]).state is CANNOT_TELL
    assert together([]).state is CANNOT_TELL


def step(number: str, kind: str, *signs: Sign) -> Followed:
    return Followed(cluster="c", number=number, kind=kind, title="Do it", shows="it shows", signs=signs)


STOP = step("2.1", "stop-others", Sign("pool-state", ("web2",), POOLS))
UPGRADE = step("2.2", "upgrade-first", Sign("files-version", ("web1",), WANT_71))
START = step("2.3", "start-other", Sign("pool-state", ("web2",), {**POOLS, "state": "started"}))


def test_a_step_that_a_later_one_ended_is_over_and_no_slip() -> None:
    states = {"c.2.1": NOT_DONE, "c.2.2": DONE, "c.2.3": DONE}
    assert over([STOP, UPGRADE, START], states, {}) == {"c.2.1": "2.3"}


def test_what_was_so_from_the_beginning_ends_nothing() -> None:
    states = {"c.2.1": NOT_DONE, "c.2.2": NOT_DONE, "c.2.3": DONE}
    assert over([STOP, UPGRADE, START], states, {}) == {}


def test_a_step_that_was_left_out_is_not_over_because_others_are_done() -> None:
    copy = step("2.25", "copy-application", Sign("files-version", ("web2",), WANT_71))
    states = {"c.2.1": DONE, "c.2.2": DONE, "c.2.25": NOT_DONE, "c.2.3": DONE}
    assert over([STOP, UPGRADE, copy, START], states, {}) == {}


def test_what_was_so_at_the_moment_of_a_step_whose_version_stays_is_over() -> None:
    """A runbook that was followed to its end shows nothing as not done."""
    copy = step("2.25", "copy-application", Sign("files-version", ("web2",), WANT_71))
    both = step("2.2", "upgrade-first", *UPGRADE.signs, *STOP.signs)
    views = {
        "web1": node("web1", files("11.7.49.0")),
        "web2": node("web2", files("11.7.49.0"), PoolStates((("a", 1), ("B", 1)))),
    }
    steps = [STOP, both, copy, START]
    states = {one.id: see(one, views, lambda _: done("")).state for one in steps}
    assert states["c.2.2"] is NOT_DONE
    left = {one.id: left_behind(one, views) for one in steps}
    assert over(steps, states, left) == {"c.2.1": "2.3", "c.2.2": "2.25"}
    # An installer that never ran is missing whatever came after it.
    old = {**views, "web1": node("web1", files("10.9.5.0"))}
    assert "c.2.2" not in over(steps, states, {one.id: left_behind(one, old) for one in steps})


def test_the_proof_of_a_hop_is_over_with_the_next_hop_and_with_nothing_else() -> None:
    scan = Sign(SCAN, (), {"phase": "after", "target": "10.9.000005"})
    first, spare = (
        step("2.9", "verify-hop", scan),
        step("3.9", "confirm-spare", Sign("files-version", ("dr",), WANT_71)),
    )
    upgrade = step("3.1", "upgrade-first", *UPGRADE.signs)
    states = {"c.2.9": NOT_DONE, "c.3.1": DONE, "c.3.9": DONE}
    assert over([first, upgrade, spare], states, {}) == {"c.2.9": "3.1"}
    assert over([first, spare], states, {}) == {}


def test_a_node_that_the_inventory_has_lost_is_told() -> None:
    found = see(UPGRADE, {}, lambda _: done(""))
    assert found == Seen(CANNOT_TELL, "the inventory does not name web1 any more")


def test_what_a_scan_does_not_ask_for_is_told_as_that() -> None:
    found = see(STOP, {"web2": node("web2", files("11.7.49.0"))}, lambda _: done(""))
    assert found == Seen(CANNOT_TELL, "a scan of this inventory does not ask web2 for it, or leaves it out")


def test_a_step_without_a_sign_is_never_done() -> None:
    bare = Followed(
        cluster="c",
        number="1.1",
        kind="have-access",
        title="Try it",
        shows="it works",
        signs=(),
        unseen="it is theirs to try",
    )
    assert see(bare, {}, lambda _: done("")) == Seen(CANNOT_TELL, "it is theirs to try")


def test_a_scan_counts_like_any_sign() -> None:
    both = step("2.2", "upgrade-first", *UPGRADE.signs, Sign(SCAN, (), {"phase": "after"}))
    view = node("web1", files("11.7.49.0"))
    assert see(both, {"web1": view}, lambda _: done("GO")).state is DONE
    assert see(both, {"web1": view}, lambda _: Seen(NOT_DONE, "NO-GO")).state is NOT_DONE
    assert set(ENDS) & set(ENDS.values()) == set()


def test_a_backup_of_that_name_that_was_there_when_the_plan_was_made_shows_nothing() -> None:
    """A window that was broken off left it behind: it holds that night's passwords."""
    commands = (
        Command(text='robocopy "C:\\SS" "D:\\Backup\\web1-9.1.000001" /E /R:2 /W:5', where="web1"),
        Command(text="BACKUP DATABASE [SS] TO DISK = N'D:\\Backup\\SecretServer-9.1.000001.bak';", where="sql1"),
    )
    backed_up = Step(id="back-up-application", title="Back up", commands=commands)
    here, there = kept("D:\\Backup\\web1-9.1.000001"), kept("D:\\Backup\\web1-9.0.000000")
    for files, file, was in ((here, "SecretServer-9.1.000001.bak", True), (there, "other.bak", False)):
        views = (node("web1", files), replace(lying(file), name="sql1"))
        found, why = vault_signs.signs(backed_up, None, (), views)
        assert [bool(sign.want.get("was")) for sign in found] == [was, was]
        assert not why
        now = (node("web1", here), replace(lying("SecretServer-9.1.000001.bak"), name="sql1"))
        states = {KINDS[sign.kind].judge([view], sign.want).state for sign, view in zip(found, now, strict=True)}
        assert states == ({CANNOT_TELL} if was else {DONE})


@pytest.mark.parametrize(
    ("want", "wrong"),
    [
        ({"phase": "before"}, ""),
        ({"phase": "before", "checks": ["a"], "target": "1"}, ""),
        ({"checks": ["a"]}, "`want` has no `phase`"),
        ({"phase": 7}, "`phase` is of another type than it has to be"),
        ({"phase": "before", "target": 7}, "`target` is of another type than it has to be"),
        ({"phase": "before", "checks": "a"}, "`checks` is of another type than it has to be"),
        ({"phase": "before", "checks": ["a", 7]}, "`checks` has to be a list of texts"),
    ],
)
def test_what_a_kept_plan_wants_is_used_only_as_it_is_meant(want: Mapping[str, object], wrong: str) -> None:
    assert wrong_want(want, SCAN_WANTS, SCAN_MAY_WANT) == wrong


@pytest.mark.parametrize(
    ("want", "words"),
    [
        ({"phase": "after"}, "a scan (--phase after) says GO"),
        ({"phase": "after", "target": "2"}, "a scan (--phase after, to 2) says GO"),
        ({"phase": "before", "checks": ["a", "b"]}, "a scan for a and b (--phase before) says GO"),
        ({"phase": "after", "without": ["a"]}, "a scan (--phase after, without a) says GO"),
    ],
)
def test_a_scan_is_told_with_all_that_makes_it_another_one(want: Mapping[str, object], words: str) -> None:
    assert told(Sign(SCAN, (), want)) == words


def test_what_was_not_asked_of_one_node_is_told_beside_what_another_could_not_answer() -> None:
    both = step("2.1", "stop-others", Sign("pool-state", ("web2", "web3"), POOLS))
    down = replace(node("web3"), absence="node unreachable")
    found = see(both, {"web2": node("web2"), "web3": down}, lambda _: done(""))
    words = "web3: node unreachable; a scan of this inventory does not ask web2 for it, or leaves it out"
    assert found == Seen(CANNOT_TELL, words)
    denied = see(STOP, {"web2": node("web2", unknown={PoolStates: "denied"})}, lambda _: done(""))
    assert denied == Seen(CANNOT_TELL, "web2: denied")


def test_a_version_that_was_declared_shows_nothing() -> None:
    """`current` in the inventory is a word for what cannot be read, and no sign that files were copied."""
    declared = replace(node("web2", unknown={AppFiles: "denied"}), current="11.7.000049")
    assert seen("files-version", WANT_71, declared).state is CANNOT_TELL


@pytest.mark.parametrize(
    ("kind", "want", "views", "words"),
    [
        ("database-version", WANT_71, (node("sql1", database("")),), "sql1: its copy of the database is not open"),
        (
            "database-version",
            WANT_71,
            (node("sql1", replace(database(""), version_problem="SELECT was denied")),),
            "sql1: SELECT was denied",
        ),
        ("files-version", WANT_71, (node("web2", unknown={AppFiles: "access is denied"}),), "access is denied"),
        ("encryption-keys", {"same": True}, (node("w1", KEY), node("w2", KEY)), "encryption.config is the same on all"),
        (
            "encryption-keys",
            {"same": True},
            (node("w1", KEY), node("w2", OTHER_KEY)),
            "there are 2 different encryption.config",
        ),
    ],
)
def test_what_was_seen_is_told_in_its_own_words(
    kind: str, want: Mapping[str, object], views: tuple[NodeView, ...], words: str
) -> None:
    assert words in seen(kind, want, *views).words


def test_of_two_servers_that_tell_the_version_one_is_asked() -> None:
    """While a database is restored its copies are closed: what they cannot tell says nothing of it."""
    views = (node("web1"), node("sql1", database("11.7.000049")), node("sql2", database("11.7.000049")))
    back = Step(id="back-restore-database", title="Back to 11.7.000049: restore")
    found, why = vault_signs.signs(back, None, (), views, back="12.0.000000")
    assert [(sign.kind, sign.nodes) for sign in found] == [("database-version", ("sql1",))]
    assert not why
