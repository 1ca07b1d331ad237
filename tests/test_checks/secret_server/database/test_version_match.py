"""The database has the version of the files on the web nodes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from checks.check import ClusterView
from checks.outcome import Status
from checks.secret_server.database import version_match
from checks.secret_server.facts.node import AppFiles
from checks.secret_server.facts.sql import Replica
from tests.test_checks.secret_server.databases import COPY, DATABASE, DENIED, Clusters, Nodes, app, viewed

OLD, NEW = app("11.6.3.0"), app("11.7.49.0")
UPGRADED = replace(DATABASE, version="11.7.000049")
PHASES = ("before", "window", "after")
UNREAD = (AppFiles, "no libraries")
SECONDARY = replace(
    DATABASE,
    version="",
    version_problem="may not be read",
    replicas=(Replica(server="SQL2", group="Vault", own=True, role=2, state=2, suspended=False, synchronous=True),),
)


@pytest.mark.parametrize(
    ("web", "databases", "phase", "status", "message"),
    [
        ([OLD, OLD], [DATABASE], "before", Status.PASS, "the database on sql1 and the web nodes are at 11.6.000003"),
        ([OLD, OLD], [DATABASE, COPY], "before", Status.PASS, "11.6.000003"),
        ([OLD, OLD], [DATABASE, SECONDARY], "before", Status.PASS, "11.6.000003"),
        ([OLD, OLD], [SECONDARY], "before", Status.ERROR, "sql1: may not be read"),
        ([OLD, NEW], [DATABASE], "before", Status.FAIL, "web2 has 11.7.000049, but the database on sql1 is at 11.6"),
        ([NEW, NEW], [DATABASE], "before", Status.FAIL, "is at 11.6.000003, but web1 and web2 at 11.7.000049"),
        ([NEW, OLD], [UPGRADED], "window", Status.WARN, "web2 has 11.6.000003"),
        ([OLD, OLD], [UPGRADED], "window", Status.FAIL, "no web node matches"),
        ([NEW, OLD], [DATABASE], "window", Status.FAIL, "sql1 is still at 11.6.000003: it was not upgraded with web1"),
        ([NEW, NEW], [DATABASE], "window", Status.FAIL, "it was not upgraded with web1 and web2"),
        ([OLD, OLD], [DATABASE], "window", Status.PASS, "11.6.000003"),
        ([NEW, NEW], [UPGRADED], "after", Status.PASS, "at the target 11.7.000049"),
        ([NEW, OLD], [UPGRADED], "after", Status.FAIL, "not at the target 11.7.000049: web2 has 11.6.000003: the ver"),
        ([OLD, OLD], [DATABASE], "after", Status.FAIL, "the database on sql1 is at 11.6.000003, web1 has 11.6.000003"),
        ([OLD, OLD], [DENIED], "before", Status.ERROR, "sql1: SQL Server refuses the login"),
        ([OLD, UNREAD], [DATABASE], "before", Status.ERROR, "web2: no libraries"),
        ([NEW, UNREAD], [DATABASE], "before", Status.FAIL, "web1 at 11.7.000049"),
        ([OLD, OLD], [COPY], "before", Status.ERROR, "restoring"),
        ([OLD, OLD], [DATABASE, DENIED], "before", Status.ERROR, "sql2: SQL Server refuses"),
        ([OLD, OLD], [replace(DATABASE, version="eleven")], "before", Status.ERROR, "'eleven' is no"),
        ([OLD], [replace(DATABASE, version="", version_problem="no right")], "before", Status.ERROR, "sql1: no right"),
    ],
)
def test_versions_are_compared_by_phase(
    cluster: Clusters,
    node: Nodes,
    web: list[object],
    databases: list[object],
    phase: str,
    status: Status,
    message: str,
) -> None:
    outcome = version_match.judge(viewed(cluster, node, web, databases, phase=phase))
    assert (outcome.status, message in outcome.message) == (status, True), outcome.message


def test_a_declared_version_is_told_and_proves_nothing_afterwards(cluster: Clusters, node: Nodes) -> None:
    for phase, status in (("before", Status.WARN), ("after", Status.ERROR)):
        info = replace(cluster(), phase=phase)
        web = [node(info, UNREAD, name="web1", current="11.6.000003"), node(info, NEW, name="web2")]
        database = UPGRADED if phase == "after" else replace(DATABASE, version="11.7.000049")
        nodes = (*web, node(info, database, name="sql1", roles=("database",)))
        assert version_match.judge(ClusterView(info, nodes)).status is status


def test_without_a_target_nothing_is_known_to_be_reached(cluster: Clusters, node: Nodes) -> None:
    info = replace(cluster(None), phase="after")
    nodes = (node(info, NEW, name="web1"), node(info, UPGRADED, name="sql1", roles=("database",)))
    assert version_match.judge(ClusterView(info, nodes)).status is Status.ERROR


def test_a_cluster_without_a_side_is_not_compared(cluster: Clusters, node: Nodes) -> None:
    for view in (viewed(cluster, node, [OLD], []), viewed(cluster, node, [], [DATABASE])):
        outcome = version_match.judge(view)
        assert (outcome.status, "names no" in outcome.message) == (Status.ERROR, True)


def test_what_was_compared_is_evidence(cluster: Clusters, node: Nodes) -> None:
    outcome = version_match.judge(viewed(cluster, node, [OLD, NEW], [DATABASE]))
    assert outcome.evidence == {
        "databases": {"sql1": "11.6.000003"},
        "nodes": {"web1": "11.6.000003", "web2": "11.7.000049"},
    }


def test_where_it_is_to_be_is_told_by_phase(cluster: Clusters, node: Nodes) -> None:
    told = {
        phase: version_match.judge(viewed(cluster, node, [NEW], [UPGRADED], phase=phase)).expected for phase in PHASES
    }
    every = "the database's version on every web node"
    assert told == {"before": every, "window": every, "after": "11.7.000049"}


def test_only_what_was_declared_is_told_as_declared(cluster: Clusters, node: Nodes) -> None:
    info = cluster()
    nodes = (
        node(info, UNREAD, name="web1", current="11.6.000003"),
        node(info, OLD, name="web2"),
        node(info, DATABASE, name="sql1", roles=("database",)),
    )
    outcome = version_match.judge(ClusterView(info, nodes))
    assert outcome.status is Status.WARN
    assert "and so not compared: web1 11.6.000003" in outcome.message
    assert "web2 11.6.000003" not in outcome.message


def test_a_web_node_that_cannot_be_read_says_where_its_version_is_declared(cluster: Clusters, node: Nodes) -> None:
    outcome = version_match.judge(viewed(cluster, node, [UNREAD], [DATABASE]))
    assert outcome.remediation
    assert "web1" in outcome.remediation.summary
    assert "sql1" not in outcome.remediation.summary


def test_a_build_too_large_for_a_file_version_is_the_database_s(cluster: Clusters, node: Nodes) -> None:
    large = replace(DATABASE, version="11.7.065585")  # 49, and 65536 more
    outcome = version_match.judge(viewed(cluster, node, [NEW, NEW], [large]))
    assert outcome.status is Status.PASS
    assert "the files of web1 and web2 tell its lower 16 bits" in outcome.message
    assert version_match.judge(viewed(cluster, node, [NEW, OLD], [large])).status is Status.FAIL
    assert "16 bits" not in version_match.judge(viewed(cluster, node, [NEW, NEW], [UPGRADED])).message


def test_nodes_that_differ_from_the_database_and_from_each_other_are_told_each(cluster: Clusters, node: Nodes) -> None:
    outcome = version_match.judge(viewed(cluster, node, [NEW, app("11.5.1.0")], [DATABASE]))
    assert outcome.status is Status.FAIL
    assert "web1 has 11.7.000049, web2 has 11.5.000001" in outcome.message
    assert outcome.observed == "database on sql1 11.6.000003, web1 11.7.000049, web2 11.5.000001"
