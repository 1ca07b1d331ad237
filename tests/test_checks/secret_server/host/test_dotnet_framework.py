from __future__ import annotations

from collections.abc import Callable

import pytest

from checks.check import ClusterInfo, NodeView
from checks.facts import UnknownFactError
from checks.outcome import Status
from checks.secret_server.facts.node import DotnetFramework
from checks.secret_server.host.dotnet_framework import judge

Clusters = Callable[..., ClusterInfo]
Nodes = Callable[..., NodeView]


@pytest.mark.parametrize(
    ("release", "target", "status", "found"),
    [
        (None, "8.5.000000", "fail", "older than 4.5 (no Release value)"),
        (378388, "8.5.000000", "fail", "older than 4.5 (Release 378388)"),
        (378389, "8.5.000000", "fail", "4.5 (Release 378389)"),
        (378675, "8.5.000000", "pass", "4.5.1 (Release 378675)"),
        (378758, "8.5.000000", "pass", "4.5.1 (Release 378758)"),
        (461814, "10.8.000004", "pass", "4.7.2 (Release 461814)"),
        (461814, "10.9.000000", "warn", "4.7.2 (Release 461814)"),
        (461814, "10.9.000004", "warn", "4.7.2 (Release 461814)"),
        (528039, "10.9.000005", "fail", "4.7.2 (Release 528039)"),
        (528040, "10.9.000005", "pass", "4.8 (Release 528040)"),
        (461814, "11.7.000049", "fail", "4.7.2 (Release 461814)"),
        (533325, "11.7.000049", "pass", "4.8.1 (Release 533325)"),
    ],
)
def test_the_release_is_held_to_the_target(
    cluster: Clusters, node: Nodes, release: int | None, target: str, status: str, found: str
) -> None:
    outcome = judge(node(cluster(target), DotnetFramework(release)))
    assert outcome.status == status
    assert found in outcome.message


def test_documents_that_disagree_are_both_told(cluster: Clusters, node: Nodes) -> None:
    message = judge(node(cluster("10.9.000000"), DotnetFramework(461814))).message
    assert "release note of 10.9" in message
    assert "the upgrade page asks for it from 10.9.000005" in message


def test_a_stop_on_the_way_is_held_to_its_own_minimum(cluster: Clusters, node: Nodes) -> None:
    outcome = judge(node(cluster(current="10.5.000001"), DotnetFramework(461814)))
    assert outcome.status is Status.FAIL
    assert "10.9.000005, on the way to 11.7.000049, needs .NET Framework 4.8" in outcome.message


def test_who_satisfies_the_target_and_not_a_stop_is_told_the_stop(cluster: Clusters, node: Nodes) -> None:
    only_there = {"dotnet-48": {"target": "==10.9.000005", "reason": "a test"}}
    at_the_stop = judge(node(cluster(current="10.5.000001", overrides=only_there), DotnetFramework(461814)))
    assert at_the_stop.status is Status.FAIL
    assert "10.9.000005, on the way to 11.7.000049, needs .NET Framework 4.8" in at_the_stop.message
    past_it = judge(node(cluster(current="10.9.000005", overrides=only_there), DotnetFramework(461814)))
    assert past_it.status is Status.PASS


def test_an_old_target_asks_for_nothing(cluster: Clusters, node: Nodes) -> None:
    assert judge(node(cluster("8.4.000004"), DotnetFramework(None))).status is Status.SKIP


def test_an_unknown_release_is_not_judged(cluster: Clusters, node: Nodes) -> None:
    with pytest.raises(UnknownFactError, match="denied"):
        judge(node(cluster(), (DotnetFramework, "denied")))


def test_no_target_is_an_error(cluster: Clusters, node: Nodes) -> None:
    assert judge(node(cluster(None), DotnetFramework(528040))).status is Status.ERROR


def test_a_nonsensical_release_is_older_than_anything(cluster: Clusters, node: Nodes) -> None:
    assert judge(node(cluster(), DotnetFramework(-1))).status is Status.FAIL


def test_an_operator_may_lower_the_bar_and_it_shows(cluster: Clusters, node: Nodes) -> None:
    rules = {"dotnet-48": {"effect": "warn", "reason": "tested in staging"}}
    outcome = judge(node(cluster(overrides=rules), DotnetFramework(461814)))
    assert outcome.status is Status.WARN
    assert "tested in staging" in outcome.message


def test_what_no_rule_asks_for_need_not_be_read(cluster: Clusters, node: Nodes) -> None:
    assert judge(node(cluster("8.4.000004"), (DotnetFramework, "denied"))).status is Status.SKIP
