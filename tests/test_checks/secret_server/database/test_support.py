from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from checks.check import ClusterInfo, NodeView
from checks.engine.rules import RuleSet
from checks.outcome import Status
from checks.secret_server.database.support import judge
from checks.secret_server.facts.node import SqlInstance, SqlInstances
from checks.secret_server.facts.sql import ClusteredInstance, FailoverClusters, Replica, SecretServerDatabase
from tests.test_checks.secret_server.databases import COPY, DATABASE, SERVER

Clusters = Callable[..., ClusterInfo]
Nodes = Callable[..., NodeView]

EXPRESS = replace(DATABASE, server=replace(SERVER, edition="Express Edition (64-bit)"))
DENIED = (SecretServerDatabase, "SQL Server refuses the login")


def test_a_full_edition_without_replication_passes(cluster: Clusters, node: Nodes) -> None:
    outcome = judge(node(cluster(), replace(DATABASE, merge_replication=False), roles=("database",)))
    assert outcome.status is Status.PASS


@pytest.mark.parametrize(
    "found", [EXPRESS, replace(DATABASE, server=replace(SERVER, edition="Edici\u00f3n R\u00e1pida", engine_edition=4))]
)
def test_express_warns_in_any_language(cluster: Clusters, node: Nodes, found: SecretServerDatabase) -> None:
    outcome = judge(node(cluster(), found, roles=("database",)))
    assert outcome.status is Status.WARN
    assert "which is for trials only" in outcome.message


def test_merge_replication_warns(cluster: Clusters, node: Nodes) -> None:
    outcome = judge(node(cluster(), replace(DATABASE, merge_replication=True), roles=("database",)))
    assert outcome.status is Status.WARN
    assert "takes part in SQL merge replication" in outcome.message


@pytest.mark.parametrize(
    ("edition", "told"),
    [
        ("Express Edition", "MSSQLSERVER is an Express edition"),
        ("Edici\u00f3n R\u00e1pida", "which instance holds the database is not known"),
        ("", "which instance holds the database is not known"),
        ("Standard Edition", "whether the database is in merge replication is not known"),
    ],
)
def test_the_registry_tells_of_a_database_that_cannot_be_asked(
    cluster: Clusters, node: Nodes, edition: str, told: str
) -> None:
    registry = SqlInstances(
        (
            SqlInstance(
                name="MSSQLSERVER",
                instance_id="MSSQL15.MSSQLSERVER",
                version="15.0",
                patch_level="15.0",
                edition=edition,
            ),
        )
    )
    outcome = judge(node(cluster(), DENIED, registry, roles=("database",)))
    assert outcome.status is Status.WARN
    assert outcome.message.startswith(told)


def test_one_of_several_instances_that_is_express_proves_nothing(cluster: Clusters, node: Nodes) -> None:
    one = SqlInstance(
        name="MSSQLSERVER", instance_id="a", version="15.0", patch_level="15.0", edition="Standard Edition"
    )
    both = SqlInstances((one, replace(one, name="BACKUPEXEC", edition="Express Edition")))
    open_ = judge(node(cluster(), DENIED, both, roles=("database",)))
    assert "which instance holds the database is not known" in open_.message
    for wanted in ("BACKUPEXEC", "backupexec", "SQL1\\BACKUPEXEC"):
        named = node(cluster(), DENIED, both, roles=("database",), sql_instance=wanted)
        assert "BACKUPEXEC is an Express edition" in judge(named).message


def test_no_target_is_no_pass(cluster: Clusters, node: Nodes) -> None:
    assert judge(node(cluster(None), DATABASE, roles=("database",))).status is Status.ERROR


def test_a_rule_that_means_nothing_is_no_pass(cluster: Clusters, node: Nodes) -> None:
    info = cluster()
    rules = tuple(replace(r, requires="modern") if r.requires == "edition not express" else r for r in info.rules.rules)
    outcome = judge(node(replace(info, rules=RuleSet(rules)), DATABASE, roles=("database",)))
    assert (outcome.status, "'modern' is neither" in outcome.message) == (Status.ERROR, True)


def test_what_nobody_knows_may_be_what_is_not_supported(cluster: Clusters, node: Nodes) -> None:
    outcome = judge(node(cluster(), DENIED, roles=("database",)))
    assert outcome.status is Status.WARN
    assert "the edition is not known: SQL Server refuses the login" in outcome.message
    assert "in merge replication is not known: SQL Server refuses the login" in outcome.message


def test_a_passive_host_has_nothing_to_say(cluster: Clusters, node: Nodes) -> None:
    passive = FailoverClusters((ClusteredInstance("MSSQLSERVER", "SQLVS1", active=False),))
    outcome = judge(node(cluster(), DENIED, passive, roles=("database",)))
    assert outcome.status is Status.SKIP
    assert "passive host of SQLVS1" in outcome.message


def test_replication_that_an_answer_does_not_tell_warns(cluster: Clusters, node: Nodes) -> None:
    outcome = judge(node(cluster(), replace(DATABASE, merge_replication=None), roles=("database",)))
    assert outcome.status is Status.WARN
    assert "whether database SecretServer is in merge replication is not known" in outcome.message


def test_a_version_that_is_not_told_makes_no_copy(cluster: Clusters, node: Nodes) -> None:
    closed = replace(DATABASE, version="", version_problem="dbo.tbVersion is empty")
    outcome = judge(node(cluster(), closed, roles=("database",)))
    assert outcome.status is Status.WARN
    secondary = replace(
        closed,
        replicas=(Replica(server="SQL1", group="G", own=True, role=2, state=2, suspended=False, synchronous=True),),
    )
    assert judge(node(cluster(), secondary, roles=("database",))).status is Status.PASS


def test_a_copy_that_is_not_open_passes_and_says_what_it_does_not_tell(cluster: Clusters, node: Nodes) -> None:
    outcome = judge(node(cluster(), COPY, roles=("database",)))
    assert outcome.status is Status.PASS
    assert "merge replication is not known: it is restoring, not online" in outcome.message


def test_an_edition_that_is_not_told_is_none_that_is_right(cluster: Clusters, node: Nodes) -> None:
    silent = replace(DATABASE, server=replace(SERVER, edition=""), merge_replication=False)
    outcome = judge(node(cluster(), silent, roles=("database",)))
    assert outcome.status is Status.WARN
    assert "the edition of SQL1 is not known" in outcome.message


@pytest.mark.parametrize(
    ("reason", "summary", "command"),
    [
        ("SQL Server refuses the login of CORP\\svc", "Create the login for the scanner's account", "CREATE LOGIN "),
        ("SQL Server cannot be asked at sql1,1433", "See that the SQL Server service runs", "Get-Service "),
        ("several databases may be Secret Server's: A and B", "Name Secret Server's own with `sql_database`", ""),
        ("the database timed out", "Clear the cause named in the message, then scan again.", ""),
    ],
)
def test_the_remedy_of_what_was_not_seen_is_that_of_the_missing_fact(
    cluster: Clusters, node: Nodes, reason: str, summary: str, command: str
) -> None:
    remedy = judge(node(cluster(), (SecretServerDatabase, reason), roles=("database",))).remediation
    assert remedy is not None
    assert remedy.summary.startswith(summary)
    assert remedy.command.startswith(command)
    assert bool(remedy.command) is bool(command)


@pytest.mark.parametrize(
    ("problem", "summary"),
    [("the login may not read dbo.tbVersion", "Let the scanner's account"), ("", "Ask the node with this version")],
)
def test_a_replication_that_is_not_known_has_the_remedy_of_its_cause(
    cluster: Clusters, node: Nodes, problem: str, summary: str
) -> None:
    found = replace(DATABASE, merge_replication=None, version_problem=problem)
    remedy = judge(node(cluster(), found, roles=("database",))).remediation
    assert remedy is not None
    assert remedy.summary.startswith(summary)
