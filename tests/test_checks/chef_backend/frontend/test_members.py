"""Lists of members are compared by every name that a backend has, and doubts only ever warn."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from checks.check import ClusterInfo, ClusterView, NodeView
from checks.chef_backend.facts.cluster import ClusterStatus, Member
from checks.chef_backend.facts.machine import FrontendMembers
from checks.chef_backend.frontend.members import CHECK
from checks.engine.evaluation import GatheredCluster, evaluate
from checks.outcome import Result, Status

TABLE = ClusterStatus(
    tuple(
        Member(
            name=f"backend-{at}",
            ip=f"10.0.0.1{at}",
            guid=f"{at}" * 32,
            role="follower",
            postgresql="follower",
            elasticsearch="not_master",
        )
        for at in (1, 2, 3)
    )
)
Judged = Callable[..., Result]


def listed(*members: str) -> FrontendMembers:
    return FrontendMembers("listed", members)


GOOD = listed("10.0.0.11", "10.0.0.12", "10.0.0.13")


@pytest.fixture
def judged(cluster: Callable[..., ClusterInfo], node: Callable[..., NodeView]) -> Judged:
    def judge(*frontends: object, table: object = TABLE, hosts: tuple[str, ...] = ("backend-1",)) -> Result:
        info = cluster("2.3.16", product="chef-backend")
        nodes = [node(info, table, name=host, roles=("backend",)) for host in hosts]
        for at, fact in enumerate(frontends, 1):
            absence = "" if fact else "node unreachable: refused"
            nodes.append(
                node(info, *([fact] if fact else []), name=f"frontend-{at}", roles=("frontend",), absence=absence)
            )
        view = ClusterView(info, tuple(nodes))
        (result,) = evaluate((CHECK,), (GatheredCluster(info, view.nodes, frozenset(n.name for n in nodes)),))
        return result

    return judge


@pytest.mark.parametrize(
    "members",
    [
        GOOD,
        listed("10.0.0.13", "10.0.0.12", "10.0.0.11", "10.0.0.11"),
        listed("backend-1", "BACKEND-2.corp.example", "10.0.0.13"),
    ],
)
def test_all_backends_by_any_of_their_names_pass(judged: Judged, members: FrontendMembers) -> None:
    assert judged(members, GOOD).status is Status.PASS


def test_the_inventorys_own_name_for_a_backend_counts(judged: Judged) -> None:
    hosts = ("backend-1.corp.example", "b2.other.example")
    members = listed("backend-1.corp.example", "10.0.0.12", "10.0.0.13", "b2.other.example")
    assert judged(members, hosts=hosts).status is Status.PASS


def test_a_backend_that_is_not_listed_warns_on_its_frontend_alone(judged: Judged) -> None:
    result = judged(GOOD, listed("10.0.0.11", "10.0.0.12"))
    assert result.status is Status.WARN
    assert result.message == "frontend-2: does not list backend-3 by any address that is known"


def test_an_address_of_nobody_warns(judged: Judged) -> None:
    result = judged(listed("10.0.0.11", "10.0.0.12", "10.0.0.13", "10.0.0.99"))
    assert result.status is Status.WARN
    assert result.message == "frontend-1: lists 10.0.0.99, known as no backend of this cluster"


def test_a_name_that_nobody_here_can_resolve_says_so(judged: Judged) -> None:
    result = judged(listed("db-a.corp.example", "10.0.0.12", "10.0.0.13"))
    assert result.status is Status.WARN
    assert "names are not resolved, so it may be one all the same" in result.message


@pytest.mark.parametrize(("state", "told"), [("unset", "names no chef_backend_members"), ("unclear", "not understood")])
def test_a_setting_that_cannot_be_compared_warns(judged: Judged, state: str, told: str) -> None:
    result = judged(GOOD, FrontendMembers(state))
    assert result.status is Status.WARN
    assert result.message.startswith("frontend-2: ")
    assert told in result.message


def test_without_the_clusters_table_nothing_is_compared(judged: Judged) -> None:
    result = judged(GOOD, table=(ClusterStatus, "no table"))
    assert result.status is Status.WARN
    assert "no backend gave the cluster's own table" in result.message


def test_what_was_refused_is_an_error(judged: Judged) -> None:
    result = judged(GOOD, (FrontendMembers, "sudo does not allow `grep`"))
    assert result.status is Status.ERROR
    assert result.message == "frontend-2: sudo does not allow `grep`"


def test_a_frontend_that_is_down_leaves_a_gap(judged: Judged) -> None:
    result = judged(GOOD, None)
    assert result.status is Status.ERROR
    assert "cannot tell without 1 node: frontend-2: node unreachable" in result.message


def test_no_frontend_is_nothing_to_compare(judged: Judged) -> None:
    assert judged().status is Status.SKIP
