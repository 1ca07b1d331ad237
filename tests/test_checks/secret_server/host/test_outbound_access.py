from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from checks.check import ClusterInfo, NodeView
from checks.facts import UnknownFactError
from checks.outcome import Status
from checks.secret_server.host.outbound_access import Attempt, OutboundAccess, judge
from scanner.probes.probe import Answer, UnreadableError
from scanner.probes.secret_server.host.outbound import TARGETS, outbound_access

Clusters = Callable[..., ClusterInfo]
Nodes = Callable[..., NodeView]


def found(*proxies: str, problem: str = "", **states: str) -> OutboundAccess:
    """Every host is reached but those whose name begins as a keyword does, `updates_443="silent"`."""
    attempts = []
    for target in TARGETS:
        host, _, port = target.partition(":")
        attempts.append(Attempt(target, states.get(f"{host.split('.')[0]}_{port}", "open")))
    return OutboundAccess(True, tuple(attempts), proxies, problem)  # noqa: FBT003


def test_hosts_that_are_all_reached_pass(cluster: Clusters, node: Nodes) -> None:
    outcome = judge(node(cluster(), found(), online=True))
    assert outcome.status is Status.PASS
    assert "updates.thycotic.net:443 is reached" in outcome.message


@pytest.mark.parametrize(
    ("state", "told"), [("silent", "no answer"), ("refused", "refused"), ("unresolved", "its name is not found")]
)
def test_a_documented_host_that_is_not_reached_fails(cluster: Clusters, node: Nodes, state: str, told: str) -> None:
    outcome = judge(node(cluster(), found(updates_443=state), online=True))
    assert outcome.status is Status.FAIL
    assert outcome.message == f"updates.thycotic.net:443 is not reached ({told})"


@pytest.mark.parametrize("host", ["updates_80", "tmsnuget_443"])
def test_where_the_documents_disagree_it_warns_and_says_so(cluster: Clusters, node: Nodes, host: str) -> None:
    outcome = judge(node(cluster(), found(**{host: "silent"}), online=True))
    assert outcome.status is Status.WARN
    assert "contradictory" in outcome.message


def test_a_proxy_makes_it_a_warning(cluster: Clusters, node: Nodes) -> None:
    outcome = judge(node(cluster(), found("WinHTTP", updates_443="silent"), online=True))
    assert outcome.status is Status.WARN
    assert "WinHTTP has a proxy" in outcome.message


def test_what_of_proxies_could_not_be_read_is_told(cluster: Clusters, node: Nodes) -> None:
    outcome = judge(node(cluster(), found(problem="no access", updates_443="silent"), online=True))
    assert outcome.status is Status.WARN
    assert "cannot be told (no access)" in outcome.message


@pytest.mark.parametrize("options", [{}, {"online": False}])
def test_it_concerns_only_nodes_that_download(cluster: Clusters, node: Nodes, options: dict[str, bool]) -> None:
    assert judge(node(cluster(), found(updates_443="silent"), **options)).status is Status.SKIP


def test_nothing_is_downloaded_after_the_window(cluster: Clusters, node: Nodes) -> None:
    info = replace(cluster(), phase="after")
    assert judge(node(info, found(updates_443="silent"), online=True)).status is Status.SKIP


def test_rules_switched_off_are_not_applied(cluster: Clusters, node: Nodes) -> None:
    overrides = {"update-host": {"off": True, "reason": "ours mirrors it"}}
    assert judge(node(cluster(overrides=overrides), found(updates_443="silent"), online=True)).status is Status.PASS


def test_where_every_rule_is_switched_off_there_is_nothing_to_reach(cluster: Clusters, node: Nodes) -> None:
    info = cluster()
    overrides = {rule.id: {"off": True, "reason": "ours mirrors it"} for rule in info.rules.of("outbound-access")}
    outcome = judge(node(cluster(overrides=overrides), found(updates_443="silent"), online=True))
    assert (outcome.status, outcome.message) == (
        Status.SKIP,
        "every rule that names an update host is switched off",
    )


def test_what_was_not_tried_is_not_judged(cluster: Clusters, node: Nodes) -> None:
    outcome = judge(node(cluster(), OutboundAccess(asked=False), online=True))
    assert outcome.status is Status.ERROR
    with pytest.raises(UnknownFactError, match="denied"):
        judge(node(cluster(), (OutboundAccess, "denied"), online=True))


GOOD = {"asked": True, "attempts": [], "proxies": [], "proxy_error": ""}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"asked": "yes"}, "asked is no bool"),
        ({"attempts": [{"host": "x", "port": 443, "state": "ajar"}]}, "is not understood: 'ajar'"),
        ({"attempts": [{"host": "x", "port": "443", "state": "open"}]}, "port is no int"),
        ({"proxies": ["http://user:secret@proxy"]}, "no places of a proxy"),
        ({"proxy_error": None}, "proxy_error is no str"),
    ],
)
def test_garbage_is_refused(changes: dict[str, object], why: str) -> None:
    with pytest.raises(UnreadableError, match=why):
        outbound_access(Answer(json.dumps({**GOOD, **changes}), 0))


def test_the_node_is_asked_for_each_host_that_the_rules_name(cluster: Clusters) -> None:
    rules = cluster().rules.of("outbound-access")
    assert tuple(rule.requires for rule in rules) == TARGETS
    assert all(rule.source for rule in rules)
