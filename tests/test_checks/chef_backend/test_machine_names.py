"""One machine under a full and a short name: in the cluster's table, in the inventory and in chef-server.rb."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from checks.check import ClusterInfo, NodeView
from checks.chef_backend.facts.cluster import ClusterStatus, Member
from checks.chef_backend.machine_names import is_same_machine
from checks.chef_backend.runbook.site import find_leader

Clusters = Callable[..., ClusterInfo]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("be1", "be1.corp.example", True),
        ("BE1.corp.example.", "be1", True),
        ("be1.corp", "be1.corp.example", True),
        ("be1.corp.example", "be1.other.example", False),
        ("be1", "be10.corp.example", False),
        ("be1", "be10", False),
        ("10.0.0.1", "10.0.0.1", True),
        ("10.0.0.1", "10.0.0.11", False),
        ("10.0.0", "10.0.0.1", False),
        ("fe80::1", "fe80::1", True),
        ("", "be1", False),
        ("", ".corp.example", False),
        ("", "", True),
    ],
)
def test_words_for_one_machine(one: str, other: str, same: bool) -> None:
    assert is_same_machine(one, other) is same
    assert is_same_machine(other, one) is same


def backends(info: ClusterInfo, rows: list[tuple[str, str]], nodes: list[tuple[str, str]]) -> list[NodeView]:
    """Nodes by name and host, all of which see the same rows, by name and address; the first row leads."""
    members = tuple(
        Member(
            name=name,
            ip=ip,
            guid=str(at) * 32,
            role="follower" if at else "leader",
            postgresql="follower" if at else "leader",
            elasticsearch="master" if at == 1 else "not_master",
        )
        for at, (name, ip) in enumerate(rows)
    )
    facts: dict[type, object] = {ClusterStatus: ClusterStatus(members)}
    return [
        NodeView(cluster=info, name=name, host=host, roles=frozenset({"backend"}), facts=facts) for name, host in nodes
    ]


ROWS = [("be1", "10.0.0.11"), ("be2", "10.0.0.12"), ("be3", "10.0.0.13")]
FULL = [(f"{name}.corp.example", ip) for name, ip in ROWS]


@pytest.mark.parametrize(
    ("rows", "nodes"),
    [
        (ROWS, [(f"node{at}", f"be{at}.corp.example") for at in (3, 1, 2)]),
        (ROWS, [(f"be{at}.corp.example", "192.0.2.9") for at in (3, 1, 2)]),
        (FULL, [(f"be{at}", f"192.0.2.{at}") for at in (3, 1, 2)]),
        (FULL, [(f"node{at}", f"BE{at}") for at in (3, 1, 2)]),
        (FULL, [(f"node{at}", f"10.0.0.1{at}") for at in (3, 1, 2)]),
    ],
)
def test_the_leader_is_found_by_either_name(
    cluster: Clusters, rows: list[tuple[str, str]], nodes: list[tuple[str, str]]
) -> None:
    found = find_leader(backends(cluster("2.3.16", product="chef-backend"), rows, nodes))
    assert not isinstance(found, str), found
    node, member = found
    assert node.name == nodes[1][0]
    assert member == rows[0][0]


def test_the_very_name_goes_before_one_that_begins_alike(cluster: Clusters) -> None:
    rows = [("be1", "10.0.0.11"), ("be1.dr", "10.0.0.12"), ("be3", "10.0.0.13")]
    nodes = [("be3", "192.0.2.3"), ("be1.dr", "192.0.2.2"), ("be1", "192.0.2.1")]
    found = find_leader(backends(cluster("2.3.16", product="chef-backend"), rows, nodes))
    assert not isinstance(found, str), found
    assert found[0].name == "be1"


def test_a_short_name_that_may_be_two_nodes_is_not_guessed(cluster: Clusters) -> None:
    nodes = [("a", "be1.east.example"), ("b", "be1.west.example"), ("c", "10.0.0.13")]
    found = find_leader(backends(cluster("2.3.16", product="chef-backend"), ROWS, nodes))
    assert isinstance(found, str)
    assert "be1 (10.0.0.11)" in found
