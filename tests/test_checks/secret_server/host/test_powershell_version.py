from __future__ import annotations

from collections.abc import Callable

import pytest

from checks.check import ClusterInfo, NodeView
from checks.facts import UnknownFactError
from checks.outcome import Status
from checks.secret_server.facts.host import PowershellVersion
from checks.secret_server.host.powershell_version import judge

Clusters = Callable[..., ClusterInfo]
Nodes = Callable[..., NodeView]


@pytest.mark.parametrize("text", ["3.0", "4.0", "5.1.17763.5202"])
def test_three_or_later_passes(cluster: Clusters, node: Nodes, text: str) -> None:
    outcome = judge(node(cluster(), PowershellVersion(text)))
    assert (outcome.status, outcome.message) == (Status.PASS, f"PowerShell {text}")


@pytest.mark.parametrize("text", ["1.0", "2.0"])
def test_an_older_one_fails(cluster: Clusters, node: Nodes, text: str) -> None:
    outcome = judge(node(cluster(), PowershellVersion(text)))
    assert outcome.status is Status.FAIL
    assert outcome.message == f"PowerShell {text}, but 11.7.000049 needs PowerShell 3.0 or later"


def test_before_8_5_nothing_is_asked_for(cluster: Clusters, node: Nodes) -> None:
    assert judge(node(cluster("8.4.000004"), PowershellVersion("2.0"))).status is Status.SKIP


def test_without_a_target_it_cannot_be_told(cluster: Clusters, node: Nodes) -> None:
    assert judge(node(cluster(None), PowershellVersion("5.1"))).status is Status.ERROR


def test_an_overridden_rule_is_shown(cluster: Clusters, node: Nodes) -> None:
    info = cluster(overrides={"powershell-3": {"requires": ">=2.0", "reason": "WMF comes in the window"}})
    outcome = judge(node(info, PowershellVersion("2.0")))
    assert outcome.status is Status.PASS
    assert "WMF comes in the window" in outcome.message


def test_an_unknown_version_is_not_judged(cluster: Clusters, node: Nodes) -> None:
    with pytest.raises(UnknownFactError, match="no answer"):
        judge(node(cluster(), (PowershellVersion, "no answer")))
