"""What helps where nothing is known of the database: a grant against a refusal, and no grant against anything else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from checks.check import ClusterView
from checks.engine.ways_out import ASK_ANEW
from checks.facts import Unknown
from checks.secret_server.database.access import ACCESS, database_nodes, is_copy, passive_of, remedy
from checks.secret_server.facts.sql import ClusteredInstance, FailoverClusters, Replica
from tests.test_checks.secret_server.databases import DATABASE, DENIED, Clusters, Nodes


@pytest.mark.parametrize(
    "reason",
    [
        "MSSQLSERVER: this login may not open SecretServer; name it with `sql_database`",
        "the login may not open the database (916: the server principal is not able to access the database)",
        "dbo.tbVersion may not be read (229: The SELECT permission was denied on the object 'tbVersion')",
    ],
)
def test_who_is_refused_is_told_what_to_grant(reason: str) -> None:
    assert remedy(Unknown(reason)) is ACCESS


@pytest.mark.parametrize(
    "reason",
    [
        "no SQL Server instance called VAULT (`sql_instance`) is installed on this host, so none can be queried",
        "there is no database Vault (`sql_database`); databases seen: master, tempdb",
        "dbo.tbVersion is empty",
        "dbo.tbVersion holds 'x', which is no version",
        "probe sql-database: unreadable answer, ValueError: x",
        "MSSQLSERVER answered 3 rows about itself instead of one",
        "timed out: it did not end within 20 s",
        "not asked: the node's time was used up before its turn",
    ],
)
def test_what_no_grant_helps_against_is_not_answered_with_one(reason: str) -> None:
    assert remedy(Unknown(reason)) is None


@pytest.mark.parametrize(
    "reason", ["SQL Server cannot be asked at 10.0.0.1: nobody listens", "SQL1: its service does not run on this host"]
)
def test_a_dead_server_is_to_be_started(reason: str) -> None:
    found = remedy(Unknown(reason))
    assert found
    assert "CREATE LOGIN" not in found.command


def test_an_answer_of_an_earlier_version_is_asked_for_anew() -> None:
    assert remedy(Unknown("whatever it was", unasked=True)) is ASK_ANEW


@pytest.mark.parametrize(
    ("declared", "services"),
    [
        ({}, "Get-Service 'MSSQLSERVER', 'MSSQL$*'"),
        ({"sql_instance": "MSSQLSERVER"}, "Get-Service 'MSSQLSERVER'"),
        ({"sql_instance": "mssqlserver"}, "Get-Service 'mssqlserver'"),
        ({"sql_instance": "VAULT"}, "Get-Service 'MSSQL$VAULT'"),
        ({"sql_instance": "SQL1\\VAULT"}, "Get-Service 'MSSQL$VAULT'"),
    ],
)
def test_the_service_to_look_at_is_that_of_the_instance(
    cluster: Clusters, node: Nodes, declared: dict[str, str], services: str
) -> None:
    found = remedy(Unknown("SQL Server cannot be asked at sql1: nobody listens"), node(cluster(), **declared))
    assert found
    assert found.command == services


def clustered(*instances: tuple[str, bool | None]) -> FailoverClusters:
    return FailoverClusters(tuple(ClusteredInstance(name, f"FCI-{name}", active) for name, active in instances))


@pytest.mark.parametrize(
    ("instances", "declared", "passive"),
    [
        ([], {}, ""),
        ([("VAULT", False)], {}, "FCI-VAULT"),
        ([("VAULT", True)], {}, ""),
        ([("VAULT", None)], {}, ""),
        # Which of two holds the database is not known: the host is passive if it is so for both.
        ([("VAULT", False), ("OTHER", True)], {}, ""),
        ([("VAULT", False), ("OTHER", False)], {}, "FCI-VAULT"),
        ([("VAULT", False), ("OTHER", True)], {"sql_instance": "vault"}, "FCI-VAULT"),
        ([("VAULT", False), ("OTHER", True)], {"sql_instance": "SQL1\\VAULT"}, "FCI-VAULT"),
        ([("VAULT", False), ("OTHER", True)], {"sql_instance": "OTHER"}, ""),
        ([("VAULT", False)], {"sql_instance": "OTHER"}, ""),
    ],
)
def test_a_host_is_passive_if_what_may_hold_the_database_runs_elsewhere(
    cluster: Clusters,
    node: Nodes,
    instances: list[tuple[str, bool | None]],
    declared: dict[str, str],
    passive: str,
) -> None:
    assert passive_of(node(cluster(), DENIED, clustered(*instances), **declared)) == passive


def test_the_instance_that_holds_the_database_says_whether_its_host_is_passive(cluster: Clusters, node: Nodes) -> None:
    both = clustered(("VAULT", False), ("OTHER", True))
    for instance, passive in (("VAULT", "FCI-VAULT"), ("OTHER", "")):
        held = replace(DATABASE, server=replace(DATABASE.server, instance=instance))
        assert passive_of(node(cluster(), held, both)) == passive


def test_the_passive_host_of_an_instance_is_left_aside_while_another_runs_it(cluster: Clusters, node: Nodes) -> None:
    info = cluster()

    def hosts(running: str) -> list[str]:
        view = ClusterView(
            info,
            (
                node(info, name="web1"),
                *(
                    node(info, DENIED, clustered(("VAULT", here == "y")), name=f"sql{at}", roles=("database",))
                    for at, here in enumerate(running, 1)
                ),
            ),
        )
        return [each.name for each in database_nodes(view)]

    assert hosts("ny") == ["sql2"]
    assert hosts("yy") == ["sql1", "sql2"]
    assert hosts("nn") == ["sql1", "sql2"]  # each says why it cannot be asked


@pytest.mark.parametrize(("own", "role", "copy"), [(True, 2, True), (True, 1, False), (False, 2, False)])
def test_a_copy_is_what_this_server_keeps_as_a_secondary(own: bool, role: int, copy: bool) -> None:
    row = Replica(server="SQL2", group="Vault", own=own, role=role, state=2, suspended=False, synchronous=True)
    assert is_copy(replace(DATABASE, replicas=(row,))) is copy
