"""Clusters and nodes as checks see them, made from a few facts, under the rules that are shipped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from checks.check import ClusterInfo, ClusterView, NodeView, ProductView
from checks.facts import Unknown
from checks.registry import PRODUCTS
from scanner.rule_data import load_rules

MakeNode = Callable[..., NodeView]


@pytest.fixture
def cluster() -> Callable[..., ClusterInfo]:
    def make(
        target: str | None = "11.7.000049",
        *,
        product: str = "secret-server",
        current: str | None = None,
        overrides: Mapping[str, Mapping[str, object]] | None = None,
        **options: object,
    ) -> ClusterInfo:
        definition = next((one for one in PRODUCTS if one.name == product), ProductView(name=product))
        rules = load_rules(product).with_overrides(overrides or {})
        return ClusterInfo(
            "prod", product, target=target, current=current, options=options, rules=rules, definition=definition
        )

    return make


@pytest.fixture
def node() -> MakeNode:
    """`node(info, fact, (FactClass, "why it is unknown"), name=..., current=..., absence=..., sql_port=...)`."""

    def make(
        info: ClusterInfo,
        *facts: object,
        name: str = "web1",
        roles: tuple[str, ...] = ("web",),
        current: str | None = None,
        absence: str = "",
        **options: object,
    ) -> NodeView:
        known = {
            fact[0] if isinstance(fact, tuple) else type(fact): Unknown(fact[1]) if isinstance(fact, tuple) else fact
            for fact in facts
        }
        return NodeView(
            cluster=info,
            name=name,
            host=name,
            roles=frozenset(roles),
            facts=known,
            current=current or info.current,
            options=options,
            absence=absence,
        )

    return make


@pytest.fixture
def webs(node: MakeNode) -> Callable[..., ClusterView]:
    """`webs(info, fact1, fact2, ...)`: nodes web1, web2, ... with one fact each; a tuple is an unknown one."""

    def make(info: ClusterInfo, *facts: object) -> ClusterView:
        return ClusterView(info, tuple(node(info, fact, name=f"web{at}") for at, fact in enumerate(facts, 1)))

    return make


@pytest.fixture
def chefs(node: MakeNode, cluster: Callable[..., ClusterInfo]) -> Callable[..., ClusterView]:
    """`chefs([fact, ...], [fact, ...], roles=..., phase=..., target=..., option=...)`: one list of facts per node.

    Nodes are called backend-1, backend-2, ... by their role; None instead of a list is a node that is down.
    """

    def make(
        *nodes: list[object] | None,
        roles: tuple[str, ...] = (),
        phase: str = "before",
        target: str | None = "2.3.16",
        **options: object,
    ) -> ClusterView:
        info = replace(cluster(target, product="chef-backend"), phase=phase)
        views = []
        for at, facts in enumerate(nodes, 1):
            role = roles[at - 1] if roles else "backend"
            absence = "" if facts is not None else "unreachable: connection refused"
            views.append(
                node(info, *(facts or ()), name=f"{role}-{at}", roles=(role,), absence=absence, **options),
            )
        return ClusterView(info, tuple(views))

    return make
