from __future__ import annotations

from collections.abc import Callable

import pytest

from checks.check import ClusterInfo, NodeView
from checks.facts import UnknownFactError
from checks.outcome import Status
from checks.secret_server.facts.host import MonitoringAgent
from checks.secret_server.host.monitoring_agent import judge

Clusters = Callable[..., ClusterInfo]
Nodes = Callable[..., NodeView]


def test_no_agent_passes(cluster: Clusters, node: Nodes) -> None:
    outcome = judge(node(cluster(), MonitoringAgent(agent=False, apm=False, apm_start=None)))
    assert (outcome.status, outcome.observed) == (Status.PASS, "none")


def test_an_agent_without_apm_passes_and_is_told(cluster: Clusters, node: Nodes) -> None:
    outcome = judge(node(cluster(), MonitoringAgent(agent=True, apm=False, apm_start=None)))
    assert outcome.status is Status.PASS
    assert "without APM" in outcome.message


@pytest.mark.parametrize(
    ("start", "told"),
    [(2, "it starts by itself"), (4, "it is disabled"), (None, "start unknown"), (9, "start unknown")],
)
def test_apm_warns_however_it_starts(cluster: Clusters, node: Nodes, start: int | None, told: str) -> None:
    outcome = judge(node(cluster(), MonitoringAgent(agent=True, apm=True, apm_start=start)))
    assert outcome.status is Status.WARN
    assert outcome.message.startswith(f"System Center Management APM is installed ({told}): ")


def test_apm_left_behind_by_an_agent_warns_too(cluster: Clusters, node: Nodes) -> None:
    assert judge(node(cluster(), MonitoringAgent(agent=False, apm=True, apm_start=2))).status is Status.WARN


def test_no_target_is_needed(cluster: Clusters, node: Nodes) -> None:
    assert judge(node(cluster(None), MonitoringAgent(agent=False, apm=False, apm_start=None))).status is Status.PASS


def test_unknown_services_are_not_judged(cluster: Clusters, node: Nodes) -> None:
    with pytest.raises(UnknownFactError, match="denied"):
        judge(node(cluster(), (MonitoringAgent, "denied")))
