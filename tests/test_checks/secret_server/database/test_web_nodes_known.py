from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from checks.check import ClusterInfo, ClusterView, NodeView
from checks.common.computer_facts import ComputerName
from checks.outcome import Outcome, Status
from checks.secret_server.database.web_nodes_known import judge
from checks.secret_server.facts.folder import DatabaseConfig
from checks.secret_server.facts.sql import Mirroring, Replica, SecretServerDatabase, SqlSession
from tests.test_checks.secret_server.databases import DATABASE

Clusters = Callable[..., ClusterInfo]
Nodes = Callable[..., NodeView]

NET = ".Net SqlClient Data Provider"
REPLICA = Replica(server="SQL2", group="Vault", own=False, role=2, state=2, suspended=False, synchronous=True)


def sessions(*pairs: tuple[str, str]) -> SecretServerDatabase:
    hosts = tuple(sorted({host for host, _ in pairs}))
    return replace(DATABASE, session_hosts=hosts, sessions=tuple(SqlSession(*pair) for pair in pairs))


def judged(cluster: Clusters, node: Nodes, database: object, *, phase: str = "before", config: str = "") -> Outcome:
    info = replace(cluster(), phase=phase)
    configs = [
        DatabaseConfig(path="x", state="hashed", sha256=digit * 64, efs=False, size_bytes=1)
        for digit in ("a", config or "a")
    ]
    web = [node(info, one, name=f"web{at}") for at, one in enumerate(configs, 1)]
    return judge(ClusterView(info, (*web, node(info, database, name="sql1", roles=("database",)))))


def test_the_inventory_s_own_web_servers_pass(cluster: Clusters, node: Nodes) -> None:
    outcome = judged(cluster, node, sessions(("web1", NET), ("web2.corp.example", NET)))
    assert outcome.status is Status.PASS


@pytest.mark.parametrize("phase", ["before", "window", "after"])
def test_a_web_server_that_is_not_in_it_is_named(cluster: Clusters, node: Nodes, phase: str) -> None:
    outcome = judged(cluster, node, sessions(("web1", NET), ("web2", NET), ("web3", NET)), phase=phase)
    assert outcome.status is Status.WARN
    assert f"WEB3 ({NET}) has sessions in the database on sql1 and is no node of the inventory" in outcome.message


def test_hosts_without_programs_are_told_all_the_same(cluster: Clusters, node: Nodes) -> None:
    database = replace(DATABASE, session_hosts=("web1", "web2", "web3"))
    outcome = judged(cluster, node, database)
    assert outcome.status is Status.WARN
    assert "WEB3 has sessions" in outcome.message


@pytest.mark.parametrize("program", ["Microsoft SQL Server Management Studio - Query", "SQLAgent - Job Manager"])
def test_an_administrator_s_program_is_no_web_server(cluster: Clusters, node: Nodes, program: str) -> None:
    quiet = sessions(("web1", NET), ("web2", NET), ("adas-laptop", program))
    assert judged(cluster, node, quiet).status is Status.PASS
    both = sessions(("web1", NET), ("web2", NET), ("adas-laptop", program), ("adas-laptop", NET))
    assert judged(cluster, node, both).status is Status.WARN


def test_the_database_server_itself_is_no_stranger(cluster: Clusters, node: Nodes) -> None:
    assert judged(cluster, node, sessions(("web1", NET), ("web2", NET), ("sql1", NET))).status is Status.PASS


def test_a_node_goes_by_the_name_that_its_machine_tells(cluster: Clusters, node: Nodes) -> None:
    info = cluster()
    web = node(info, ComputerName("VAULT-A", "corp.example"), name="first")
    database = node(info, sessions(("vault-a", NET)), name="sql1", roles=("database",))
    assert judge(ClusterView(info, (web, database))).status is Status.PASS
    untold = judge(ClusterView(info, (node(info, name="first"), database)))
    assert "VAULT-A" in untold.message
    assert "(or another name of first)" in untold.message


def test_a_web_node_without_a_session_is_missed_outside_the_window(cluster: Clusters, node: Nodes) -> None:
    outcome = judged(cluster, node, sessions(("web1", NET)))
    assert outcome.status is Status.WARN
    assert "no session of web2 is seen in the database" in outcome.message
    assert judged(cluster, node, sessions(("web1", NET)), phase="window").status is Status.PASS


@pytest.mark.parametrize("copied", [{"mirroring": Mirroring(4, 1, "SQL2")}, {"replicas": (REPLICA,)}])
def test_of_a_mirrored_database_a_node_without_a_session_may_use_the_other(
    cluster: Clusters, node: Nodes, copied: dict[str, Any]
) -> None:
    assert judged(cluster, node, replace(sessions(("web1", NET)), **copied)).status is Status.PASS


def test_a_stranger_s_sessions_are_looked_up_in_the_database_itself(cluster: Clusters, node: Nodes) -> None:
    remedy = judged(cluster, node, sessions(("web1", NET), ("web2", NET), ("web3", NET))).remediation
    assert remedy
    assert "N'SecretServer'" in remedy.command


@pytest.mark.parametrize(("number", "more"), [(5, ""), (6, " and 1 more")])
def test_many_strangers_are_counted(cluster: Clusters, node: Nodes, number: int, more: str) -> None:
    strangers = [(f"other{at}", NET) for at in range(number)]
    outcome = judged(cluster, node, sessions(("web1", NET), ("web2", NET), *strangers))
    assert f"OTHER4 ({NET}){more} has sessions" in outcome.message


def test_another_database_config_warns(cluster: Clusters, node: Nodes) -> None:
    outcome = judged(cluster, node, sessions(("web1", NET), ("web2", NET)), config="b")
    assert outcome.status is Status.WARN
    assert "database.config differs: web1 against web2" in outcome.message


def test_where_no_session_is_there_nothing_is_concluded(cluster: Clusters, node: Nodes) -> None:
    assert judged(cluster, node, DATABASE).status is Status.SKIP


@pytest.mark.parametrize(
    ("database", "way"),
    [
        ((SecretServerDatabase, "SQL Server refuses the login"), "Clear what database-compatibility says of sql1"),
        ((SecretServerDatabase, "garbled"), "Clear what database-compatibility says of sql1"),
        (
            replace(DATABASE, sessions_problem="sessions of others are shown with VIEW SERVER STATE only"),
            "GRANT VIEW SERVER STATE",
        ),
    ],
)
@pytest.mark.parametrize("phase", ["before", "window", "after"])
def test_sessions_that_are_not_seen_may_be_anybody_s(
    cluster: Clusters, node: Nodes, database: object, way: str, phase: str
) -> None:
    outcome = judged(cluster, node, database, phase=phase)
    assert outcome.status is Status.WARN
    assert "whether other web servers use the database on sql1 is not known: " in outcome.message
    assert outcome.remediation
    assert way in outcome.remediation.summary + outcome.remediation.command


def test_each_database_of_several_may_have_a_stranger(cluster: Clusters, node: Nodes) -> None:
    info = cluster()
    web = node(info, DatabaseConfig(path="x", state="hashed", sha256="a" * 64, efs=False, size_bytes=1), name="web1")
    known = node(info, sessions(("web1", NET)), name="sql1", roles=("database",))
    other = node(info, (SecretServerDatabase, "garbled"), name="sql2", roles=("database",))
    assert judge(ClusterView(info, (web, known))).status is Status.PASS
    outcome = judge(ClusterView(info, (web, known, other)))
    assert outcome.status is Status.WARN
    assert "sql2 is not known: garbled" in outcome.message


def test_a_node_that_may_point_elsewhere_is_told(cluster: Clusters, node: Nodes) -> None:
    info = replace(cluster(), phase="window")
    one = node(info, DatabaseConfig(path="x", state="hashed", sha256="a" * 64, efs=False, size_bytes=1), name="web1")
    other = node(info, (DatabaseConfig, "the answer is no JSON"), name="web2")
    seen, unseen = (
        node(info, sessions(*pairs), name="sql1", roles=("database",))
        for pairs in ([("web1", NET), ("web2", NET)], [("web1", NET)])
    )
    assert judge(ClusterView(info, (one, other, seen))).status is Status.PASS
    outcome = judge(ClusterView(info, (one, other, unseen)))
    assert outcome.status is Status.WARN
    assert "database.config of web2: the answer is no JSON" in outcome.message


def test_an_empty_database_config_points_to_no_database(cluster: Clusters, node: Nodes) -> None:
    """config-files-present tells of it; it is no other database."""
    info = cluster()
    web = [
        node(info, DatabaseConfig(path="x", state="hashed", sha256=mark * 64, efs=False, size_bytes=size), name=name)
        for name, mark, size in (("web1", "a", 9), ("web2", "e", 0))
    ]
    known = node(info, sessions(("web1", NET), ("web2", NET)), name="sql1", roles=("database",))
    assert "database.config differs" not in judge(ClusterView(info, (*web, known))).message
