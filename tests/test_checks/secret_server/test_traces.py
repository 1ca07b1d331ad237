"""A Windows host that has nothing to do with Secret Server is told as such; one that has, in part too, is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from checks.check import ClusterInfo, NodeView
from checks.common.computer_facts import ComputerName
from checks.secret_server.facts.node import SqlInstance, SqlInstances, WebRoot
from checks.secret_server.traces import stranger

Clusters = Callable[..., ClusterInfo]
Nodes = Callable[..., NodeView]
NOTHING = "found no folder that holds the application: iis: applicationHost.config does not exist; set `web_root`"
SQL = SqlInstances((SqlInstance(name="MSSQLSERVER", instance_id="a", version="15.0", patch_level="15.0"),))


def test_a_host_without_a_trace_is_a_stranger_and_told_by_its_own_name(cluster: Clusters, node: Nodes) -> None:
    told = stranger(node(cluster(), (WebRoot, NOTHING), ComputerName("FILES1", "corp.example")))
    assert told.startswith("is no Secret Server web node (it calls itself FILES1): no folder of the application")


@pytest.mark.parametrize(
    "reason",
    [
        "found no folder that holds the application: D:\\App (from registry; does not exist); set `web_root`",
        "found no folder that holds the application: registry: access to HKLM is denied: give the account access",
        "found no folder that holds the application: iis: C:\\x\\applicationHost.config cannot be read: ...",
        "several folders may hold the application: C:\\a; D:\\b",
        "the answer is no JSON",
    ],
)
def test_what_points_to_the_application_or_is_closed_is_no_proof(cluster: Clusters, node: Nodes, reason: str) -> None:
    assert stranger(node(cluster(), (WebRoot, reason))) == ""


def test_a_database_host_without_sql_server_is_a_stranger(cluster: Clusters, node: Nodes) -> None:
    assert "no instance of SQL Server" in stranger(node(cluster(), SqlInstances(()), roles=("database",)))
    assert stranger(node(cluster(), SQL, roles=("database",))) == ""
    assert stranger(node(cluster(), (SqlInstances, "garbled"), roles=("database",))) == ""


def test_one_of_two_roles_is_enough(cluster: Clusters, node: Nodes) -> None:
    both = ("web", "database")
    assert stranger(node(cluster(), (WebRoot, NOTHING), SQL, roles=both)) == ""
    assert "or database host" in stranger(node(cluster(), (WebRoot, NOTHING), SqlInstances(()), roles=both))


def test_an_instance_at_the_other_site_has_a_check_of_its_own(cluster: Clusters, node: Nodes) -> None:
    assert stranger(node(cluster(), (WebRoot, NOTHING), roles=("dr",))) == ""
