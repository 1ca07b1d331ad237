"""The database's level and collation are held to the target."""

from __future__ import annotations

from dataclasses import replace

import pytest

from checks.engine.rules import RuleSet
from checks.facts import Contact
from checks.outcome import Outcome, Status
from checks.secret_server.database import compatibility
from checks.secret_server.facts.sql import ClusteredInstance, FailoverClusters, Mirroring
from tests.test_checks.secret_server.databases import COPY, DATABASE, DENIED, SERVER, Clusters, Nodes


def fits(cluster: Clusters, node: Nodes, fact: object, target: str = "11.7.000049") -> Outcome:
    return compatibility.judge(node(cluster(target), fact, name="sql1", roles=("database",)))


@pytest.mark.parametrize(
    ("fact", "target", "status", "message"),
    [
        (DATABASE, "11.7.000049", Status.PASS, "level 150"),
        (replace(DATABASE, level=100), "11.7.000049", Status.FAIL, "at compatibility level 100"),
        (replace(DATABASE, level=100), "10.9.000064", Status.PASS, "level 100"),
        (replace(DATABASE, level=80), "10.9.000064", Status.FAIL, "needs compatibility level 90"),
        (replace(DATABASE, collation="Latin1_General_CI_AS"), "11.7.000049", Status.FAIL, "database SecretServer has"),
        (
            replace(DATABASE, server=replace(SERVER, collation="Latin1_General_CI_AS")),
            "11.7.000049",
            Status.FAIL,
            "server SQL1 has the collation Latin1_General_CI_AS",
        ),
        (replace(COPY, mirroring=Mirroring(4, 2, "SQL2")), "11.7.000049", Status.PASS, "a copy that is not open"),
        (COPY, "11.7.000049", Status.WARN, "is restoring and does not tell its collation; if it is a mirror, that of"),
        (replace(COPY, level=100), "11.7.000049", Status.FAIL, "at compatibility level 100"),
        (replace(COPY, state="OFFLINE"), "11.7.000049", Status.ERROR, "is offline and does not tell"),
        (DENIED, "11.7.000049", Status.ERROR, "refuses the login"),
    ],
)
def test_level_and_collation_are_held_to_the_target(
    cluster: Clusters, node: Nodes, fact: object, target: str, status: Status, message: str
) -> None:
    outcome = fits(cluster, node, fact, target)
    assert (outcome.status, message in outcome.message) == (status, True), outcome.message


def test_what_cannot_be_queried_says_what_to_grant_and_to_declare(cluster: Clusters, node: Nodes) -> None:
    outcome = fits(cluster, node, DENIED)
    assert outcome.remediation
    assert "GRANT SELECT ON dbo.tbVersion" in outcome.remediation.command
    assert "`sql_user`" in outcome.remediation.summary
    listener = node(
        cluster(),
        Contact(host="sql1", transport="tds", failure=None, asked=1, answered=1),
        name="sql1",
        roles=("database",),
    )
    assert 'transport "tds" asks no more' in compatibility.judge(listener).message


@pytest.mark.parametrize("means", ["modern", "modern times", "level modern", "collation"])
def test_a_rule_that_means_nothing_is_no_pass(cluster: Clusters, node: Nodes, means: str) -> None:
    info = cluster()
    rules = tuple(replace(r, requires=means) if r.id == "database-level-110" else r for r in info.rules.rules)
    info = replace(info, rules=RuleSet(rules))
    outcome = compatibility.judge(node(info, DATABASE, name="sql1", roles=("database",)))
    assert (outcome.status, f"'{means}' is neither" in outcome.message) == (Status.ERROR, True)


def test_the_passive_host_of_a_failover_instance_is_not_judged(cluster: Clusters, node: Nodes) -> None:
    passive = FailoverClusters((ClusteredInstance("VAULT", "SQLFCI", active=False),))
    outcome = compatibility.judge(node(cluster(), DENIED, passive, name="sql2", roles=("database",)))
    assert (outcome.status, "passive host of SQLFCI" in outcome.message) == (Status.SKIP, True)


def test_a_level_is_raised_by_the_command_that_is_told(cluster: Clusters, node: Nodes) -> None:
    remedy = fits(cluster, node, replace(DATABASE, level=100)).remediation
    assert remedy
    assert remedy.command == "ALTER DATABASE [SecretServer] SET COMPATIBILITY_LEVEL = 110"


def test_a_target_that_asks_for_nothing_is_not_judged(cluster: Clusters, node: Nodes) -> None:
    assert fits(cluster, node, DATABASE, "8.1.000000").status is Status.SKIP


def test_the_gravest_of_several_findings_counts_and_each_is_told(cluster: Clusters, node: Nodes) -> None:
    outcome = fits(cluster, node, replace(DATABASE, level=80, collation="Latin1_General_CI_AS"))
    assert outcome.status is Status.FAIL
    assert "level 80" in outcome.message
    assert "Latin1_General_CI_AS" in outcome.message
