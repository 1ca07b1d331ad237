from __future__ import annotations

from collections.abc import Callable

import pytest

from checks.check import ClusterInfo, NodeView
from checks.facts import Contact
from checks.outcome import Status
from checks.secret_server.facts.host import Hardware
from checks.secret_server.host.resources import judge

Clusters = Callable[..., ClusterInfo]
Nodes = Callable[..., NodeView]

GB = 10**9


def test_the_minimum_passes(cluster: Clusters, node: Nodes) -> None:
    assert judge(node(cluster(), Hardware(2, 4 * GB))).status is Status.PASS


@pytest.mark.parametrize(
    ("processors", "memory", "status", "told"),
    [
        (1, 8 * GB, Status.WARN, "1 processor, and 2 cores is asked for"),
        (4, 2 * GB, Status.WARN, "2.0 GB of memory, and 4 GB of memory is asked for"),
        (2, int(3.7 * GB), Status.PASS, "3.7 GB"),
        (2, int(3.5 * GB), Status.WARN, "3.5 GB"),
    ],
)
def test_less_warns(cluster: Clusters, node: Nodes, processors: int, memory: int, status: Status, told: str) -> None:
    outcome = judge(node(cluster(), Hardware(processors, memory)))
    assert (outcome.status, told in outcome.message) == (status, True)


def test_a_database_server_has_its_own_minimum(cluster: Clusters, node: Nodes) -> None:
    outcome = judge(node(cluster(), Hardware(1, 8 * GB), name="sql1", roles=("database",)))
    assert outcome.evidence["rule"] == "cores-database"


def test_other_roles_have_none(cluster: Clusters, node: Nodes) -> None:
    assert judge(node(cluster(), Hardware(1, GB), roles=("dr",))).status is Status.SKIP


@pytest.mark.parametrize(("effect", "status"), [("warn", Status.WARN), ("fail", Status.ERROR)])
def test_what_windows_does_not_tell_may_be_too_little(
    cluster: Clusters, node: Nodes, effect: str, status: Status
) -> None:
    info = cluster(overrides={"cores-web": {"effect": effect, "reason": "a test"}})
    outcome = judge(node(info, (Hardware, "denied: WMI root\\cimv2")))
    assert outcome.status is status
    assert "not known: denied: WMI root\\cimv2; 2 cores and 4 GB of memory are asked for" in outcome.message


def test_a_port_has_no_hardware_to_tell_of(cluster: Clusters, node: Nodes) -> None:
    port = Contact(host="sql1", transport="tds", failure=None, asked=1, answered=1)
    assert judge(node(cluster(), port, name="sql1", roles=("database",))).status is Status.SKIP


@pytest.mark.parametrize("requires", ["web cores two", "web disks 2", "web cores \uff12"])
def test_a_rule_that_is_not_understood_leaves_it_open(cluster: Clusters, node: Nodes, requires: str) -> None:
    overrides = {"cores-web": {"requires": requires, "reason": "a test"}}
    info = cluster()
    rules = tuple(
        type(rule)(**{**{f: getattr(rule, f) for f in rule.__slots__}, "requires": requires})
        if rule.id in overrides
        else rule
        for rule in info.rules.rules
    )
    broken = ClusterInfo(
        info.name, info.product, target=info.target, current=None, options={}, rules=type(info.rules)(rules)
    )
    assert judge(node(broken, Hardware(4, 8 * GB))).status is Status.ERROR
