from __future__ import annotations

from collections.abc import Callable

import pytest

from checks.check import ClusterInfo, ClusterView, NodeView
from checks.outcome import Outcome, Status
from checks.secret_server.facts.node import (
    AppPool,
    AppPools,
    IisApplication,
    IisConfiguration,
    PoolSetting,
    PoolSettings,
    WebRoot,
)
from checks.secret_server.iis.pool_identity_match import judge

Clusters = Callable[..., ClusterInfo]
Nodes = Callable[..., NodeView]

NOT_SET = PoolSetting("", "default")


def facts(identity: str | None, pool: str = "SS") -> tuple[object, ...]:
    kind = NOT_SET if identity is None else PoolSetting(identity, "pool")
    iis = IisConfiguration(
        path="c",
        shared=False,
        pools=(AppPool("SS", "Integrated", "default"),),
        applications=(IisApplication(site="S", path="/", physical_path="C:\\App", pool="SS"),),
    )
    return (
        WebRoot("C:\\App", (), ()),
        iis,
        AppPools(
            (
                PoolSettings(
                    name=pool, runtime=NOT_SET, load_user_profile=NOT_SET, max_processes=NOT_SET, identity_type=kind
                ),
            )
        ),
    )


def judged(cluster: Clusters, node: Nodes, *identities: str | None) -> Outcome:
    info = cluster()
    return judge(
        ClusterView(info, tuple(node(info, *facts(one), name=f"web{at}") for at, one in enumerate(identities, 1)))
    )


@pytest.mark.parametrize(
    "same", [("SpecificUser", "3"), (None, "4", "ApplicationPoolIdentity"), ("2", "NetworkService")]
)
def test_one_kind_however_it_is_written_passes(cluster: Clusters, node: Nodes, same: tuple[str, ...]) -> None:
    assert judged(cluster, node, *same).status is Status.PASS


@pytest.mark.parametrize("lost", ["ApplicationPoolIdentity", None, "LocalSystem"])
def test_a_pool_that_lost_its_account_is_named(cluster: Clusters, node: Nodes, lost: str | None) -> None:
    outcome = judged(cluster, node, "SpecificUser", lost, "SpecificUser")
    assert outcome.status is Status.WARN
    assert "web2 differs from web1 and web3" in outcome.message


def test_one_web_node_has_nothing_to_compare(cluster: Clusters, node: Nodes) -> None:
    assert judged(cluster, node, "SpecificUser").status is Status.SKIP


def test_a_pool_that_is_not_defined_leaves_it_open(cluster: Clusters, node: Nodes) -> None:
    info = cluster()
    nodes = (node(info, *facts("3")), node(info, *facts("3", pool="Other"), name="web2"))
    outcome = judge(ClusterView(info, nodes))
    assert outcome.status is Status.ERROR
    assert "web2: pool SS is not defined" in outcome.message


def test_a_difference_is_told_although_a_node_is_unknown(cluster: Clusters, node: Nodes) -> None:
    info = cluster()
    nodes = (
        node(info, *facts("3")),
        node(info, *facts("4"), name="web2"),
        node(info, (AppPools, "garbled"), name="web3"),
    )
    assert judge(ClusterView(info, nodes)).status is Status.WARN
