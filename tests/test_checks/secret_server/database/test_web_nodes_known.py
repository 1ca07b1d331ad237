from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from checks.check import ClusterInfo, ClusterView, NodeView
from checks.common.computer_facts import ComputerName
from checks.outcome import Outcome, Status
from checks.secret_server.database.web_nodes_known import judge
from checks.secret_server.facts.folder import DatabaseConfig
from checks.secret_server.facts.sql import SecretServerDatabase, SqlSession
from tests.test_checks.secret_server.databases import DATABASE

Clusters = Callable[..., ClusterInfo]
Nodes = Callable[..., NodeView]

NET = ".Net SqlClient Data Provider"


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


def test_another_database_config_warns(cluster: Clusters, node: Nodes) -> None:
    outcome = judged(cluster, node, sessions(("web1", NET), ("web2", NET)), config="b")
    assert outcome.status is Status.WARN
    assert "database.config differs: web1 against web2" in outcome.message


@pytest.mark.parametrize(
    "database", [DATABASE, (SecretServerDatabase, "SQL Server refuses the login"), (SecretServerDatabase, "garbled")]
)
def test_where_no_session_is_seen_nothing_is_concluded(cluster: Clusters, node: Nodes, database: object) -> None:
    assert judged(cluster, node, database).status is Status.SKIP
