"""Partners are in step, and the web servers use one server."""

from __future__ import annotations

from dataclasses import replace

import pytest

from checks.check import ClusterView
from checks.outcome import Status
from checks.secret_server.database import mirroring
from checks.secret_server.facts.sql import Mirroring, Replica, SecretServerDatabase
from tests.test_checks.secret_server.databases import COPY, DATABASE, DENIED, SERVER, Clusters, Nodes, app, viewed

ASYNCHRONOUS = Mirroring(2, 1, "SQL2", synchronous=False)


def mirrored(state: int | None, role: int = 1) -> SecretServerDatabase:
    return replace(DATABASE, mirroring=Mirroring(state, role, "SQL2"), session_hosts=("web1", "web2"))


def grouped(
    state: int | None, *, synchronous: bool | None = True, suspended: bool | None = False
) -> SecretServerDatabase:
    replica = Replica(
        server="SQL2", group="Vault", own=False, role=2, state=state, suspended=suspended, synchronous=synchronous
    )
    return replace(DATABASE, replicas=(replica,), session_hosts=("web1", "web2"))


@pytest.mark.parametrize(
    ("databases", "status", "message"),
    [
        ([DATABASE], Status.SKIP, "neither mirrored nor in an availability group"),
        ([mirrored(4)], Status.PASS, "the mirroring from sql1 to SQL2 is synchronized"),
        ([mirrored(6)], Status.PASS, "synchronized"),
        ([mirrored(2)], Status.FAIL, "still synchronizing"),
        ([replace(mirrored(2), mirroring=ASYNCHRONOUS)], Status.PASS, "in step, as far as its asynchronous mode tells"),
        ([replace(mirrored(2), mirroring=replace(ASYNCHRONOUS, state=0))], Status.FAIL, "suspended"),
        ([mirrored(0)], Status.FAIL, "suspended"),
        ([mirrored(1)], Status.FAIL, "disconnected"),
        ([mirrored(9)], Status.FAIL, "an unknown state (9)"),
        ([grouped(2)], Status.PASS, "SQL2 is in step"),
        ([grouped(1)], Status.FAIL, "SQL2 is synchronizing, and not synchronized"),
        ([grouped(1, synchronous=False)], Status.PASS, "in step"),
        ([grouped(2, suspended=True)], Status.FAIL, "SQL2 is suspended"),
        ([grouped(1, synchronous=None)], Status.ERROR, "does not tell its availability mode"),
        ([grouped(2, synchronous=None)], Status.PASS, "SQL2 is in step"),
        ([grouped(None)], Status.ERROR, "does not tell its state"),
        ([grouped(2, suspended=None)], Status.ERROR, "does not tell its suspension"),
        ([grouped(0, synchronous=None)], Status.FAIL, "not synchronizing"),
        ([grouped(None, suspended=True)], Status.FAIL, "SQL2 is suspended"),
        ([mirrored(None)], Status.ERROR, "does not tell its state"),
        ([DENIED], Status.ERROR, "sql1: SQL Server refuses the login"),
        ([mirrored(0), DENIED], Status.FAIL, "suspended"),
        ([replace(DATABASE, replicas_problem="no right")], Status.ERROR, "replicas cannot be told: no right"),
        (
            [
                replace(mirrored(4), session_hosts=("web1",)),
                replace(mirrored(4), server=replace(SERVER, name="SQL2"), session_hosts=("web2.corp.example",)),
            ],
            Status.WARN,
            "several database servers: web1 on sql1; web2 on sql2",
        ),
        # A listener beside its primary: one server under two names of the inventory.
        ([mirrored(4), mirrored(4)], Status.PASS, "the mirroring from sql2 to SQL2 is synchronized"),
        ([replace(mirrored(4), session_hosts=("web1",))], Status.WARN, "no session of web2 is seen on sql1"),
        ([replace(mirrored(4), session_hosts=())], Status.PASS, "cannot be told from sessions"),
    ],
)
def test_partners_are_judged_and_users_only_warn(
    cluster: Clusters, node: Nodes, databases: list[object], status: Status, message: str
) -> None:
    outcome = mirroring.judge(viewed(cluster, node, [app("11.6.3.0")] * 2, databases))
    assert (outcome.status, message in outcome.message) == (status, True), outcome.message


@pytest.mark.parametrize(
    ("principal", "name", "status", "message"),
    [
        (mirrored(4), "sql2", Status.PASS, "from sql1 to SQL2 is synchronized"),
        (mirrored(0), "SQL2", Status.FAIL, "suspended"),
        (mirrored(4), "SQL3", Status.ERROR, "sql2: mirroring cannot be told: only sysadmin is shown"),
        (DATABASE, "SQL2", Status.ERROR, "sql2: mirroring cannot be told: only sysadmin is shown"),
    ],
)
def test_a_mirror_that_hides_is_told_of_by_the_principal_that_names_it(
    cluster: Clusters, node: Nodes, principal: SecretServerDatabase, name: str, status: Status, message: str
) -> None:
    mirror = replace(COPY, server=replace(SERVER, name=name), mirroring_problem="only sysadmin is shown")
    outcome = mirroring.judge(viewed(cluster, node, [app("11.6.3.0")] * 2, [principal, mirror]))
    assert (outcome.status, message in outcome.message) == (status, True), outcome.message


@pytest.mark.parametrize(("host", "status"), [("secretserver-we", Status.PASS), ("secretserver-w", Status.WARN)])
def test_a_computer_s_name_is_known_by_its_first_fifteen_characters(
    cluster: Clusters, node: Nodes, host: str, status: Status
) -> None:
    info = cluster()
    web = [node(info, app("11.6.3.0"), name=name) for name in ("secretserver-web01.corp.example", "web2")]
    database = node(info, replace(mirrored(4), session_hosts=(host, "web2")), name="sql1", roles=("database",))
    outcome = mirroring.judge(ClusterView(info, (*web, database)))
    assert outcome.status is status, outcome.message


def test_a_cluster_without_a_database_host_is_not_passed(cluster: Clusters, node: Nodes) -> None:
    assert mirroring.judge(viewed(cluster, node, [app("11.6.3.0")], [])).status is Status.ERROR


def test_in_the_window_stopped_nodes_are_not_missed(cluster: Clusters, node: Nodes) -> None:
    database = replace(mirrored(4), session_hosts=("web1",))
    view = viewed(cluster, node, [app("11.6.3.0")] * 2, [database], phase="window")
    assert mirroring.judge(view).status is Status.PASS


def test_hidden_sessions_warn_of_nothing(cluster: Clusters, node: Nodes) -> None:
    database = replace(mirrored(4), session_hosts=(), sessions_problem="VIEW SERVER STATE is lacking")
    outcome = mirroring.judge(viewed(cluster, node, [app("11.6.3.0")], [database]))
    assert (outcome.status, "VIEW SERVER STATE" in outcome.message) == (Status.PASS, True)


def test_what_was_seen_is_evidence(cluster: Clusters, node: Nodes) -> None:
    outcome = mirroring.judge(viewed(cluster, node, [app("11.6.3.0")] * 2, [mirrored(4)]))
    assert outcome.evidence["sql1"] == {
        "mirroring": {"state": 4, "role": 1},
        "replicas": {},
        "session_hosts": ["web1", "web2"],
    }
