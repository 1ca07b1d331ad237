from __future__ import annotations

from collections.abc import Callable

import pytest

from checks.check import ClusterInfo, ClusterView, NodeView
from checks.common.computer_facts import ComputerName
from checks.common.distinct_machines import judge
from checks.engine.evaluation import GatheredCluster, evaluate
from checks.facts import Contact
from checks.outcome import Status
from checks.registry import named as check_named

CHECK = check_named("distinct-machines")

Clusters = Callable[..., ClusterInfo]
Nodes = Callable[..., NodeView]


def named(name: str, domain: str = "corp.example") -> ComputerName:
    return ComputerName(name, domain)


def view(cluster: Clusters, node: Nodes, *names: object) -> ClusterView:
    info = cluster()
    return ClusterView(info, tuple(node(info, fact, name=f"web{at}") for at, fact in enumerate(names, 1)))


def test_machines_of_their_own_pass(cluster: Clusters, node: Nodes) -> None:
    assert judge(view(cluster, node, named("WEB1"), named("WEB2"))).status is Status.PASS


@pytest.mark.parametrize("other", ["WEB1", "web1"])
def test_one_machine_under_two_names_fails_and_both_are_told(cluster: Clusters, node: Nodes, other: str) -> None:
    outcome = judge(view(cluster, node, named("WEB1"), named(other), named("WEB3")))
    assert outcome.status is Status.FAIL
    assert "web1 and web2 are one machine, WEB1" in outcome.message


def test_the_same_name_in_another_domain_is_another_machine(cluster: Clusters, node: Nodes) -> None:
    assert judge(view(cluster, node, named("WEB1"), named("WEB1", "dr.example"))).status is Status.PASS


def test_a_name_that_is_not_told_may_be_another_node_s(cluster: Clusters, node: Nodes) -> None:
    silent = (ComputerName, "the registry does not tell the computer's name")
    for names in ((named("WEB1"), silent), (silent, silent)):
        outcome = judge(view(cluster, node, *names))
        assert outcome.status is Status.ERROR
        assert "web2: the registry does not tell the computer's name" in outcome.message.replace("web1 and ", "")
    assert judge(view(cluster, node, named("WEB1"))).status is Status.SKIP


def test_evidence_from_before_names_were_asked_for_tells_none(cluster: Clusters, node: Nodes) -> None:
    info = cluster()
    old = ClusterView(info, (node(info, name="web1"), node(info, name="web2")))
    assert judge(old).status is Status.SKIP
    mixed = ClusterView(info, (*old.nodes, node(info, named("WEB3"), name="web3")))
    assert judge(mixed).status is Status.ERROR


def test_a_domain_that_is_not_told_may_be_another_node_s(cluster: Clusters, node: Nodes) -> None:
    outcome = judge(view(cluster, node, named("WEB1"), named("web1", ""), named("WEB3", "")))
    assert outcome.status is Status.ERROR
    assert "web1 and web2 are both called WEB1, and the domain of web2 is not known" in outcome.message
    assert judge(view(cluster, node, named("WEB1"), named("WEB2", ""))).status is Status.PASS


def test_without_a_domain_nothing_keeps_names_apart(cluster: Clusters, node: Nodes) -> None:
    """Windows setup has given random names twice (KB 970485), and cloned images keep theirs."""
    outcome = judge(view(cluster, node, named("WIN-1", ""), named("win-1", ""), named("WEB3", "")))
    assert outcome.status is Status.ERROR
    assert "web1 and web2 are both called WIN-1, and the domain of web1 and web2 is not known" in outcome.message
    three = judge(view(cluster, node, *[named("WIN-1", "")] * 3))
    assert "web1, web2 and web3 are all called WIN-1" in three.message
    one_is_known = judge(view(cluster, node, named("A", ""), named("A", ""), named("WEB1"), named("WEB1")))
    assert one_is_known.status is Status.FAIL, "what is proven stands"


def test_a_port_has_no_machine_to_tell_of(cluster: Clusters, node: Nodes) -> None:
    info = cluster()
    port = node(
        info, Contact(host="sql1", transport="tds", failure=None, asked=1, answered=1), name="sql1", roles=("database",)
    )
    nodes = (node(info, named("WEB1")), node(info, named("WEB2"), name="web2"), port)
    assert judge(ClusterView(info, nodes)).status is Status.PASS


def test_a_node_that_is_down_leaves_it_open(cluster: Clusters, node: Nodes) -> None:
    info = cluster()
    nodes = (node(info, named("WEB1")), node(info, name="web2", absence="node unreachable: refused"))
    (result,) = evaluate([CHECK], [GatheredCluster(info, nodes, frozenset({"web1", "web2"}))])
    assert result.status is Status.ERROR
    twin = (*nodes, node(info, named("WEB1"), name="web3"))
    (result,) = evaluate([CHECK], [GatheredCluster(info, twin, frozenset({"web1", "web2", "web3"}))])
    assert result.status is Status.FAIL
