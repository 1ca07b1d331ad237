"""Clusters and nodes as checks see them, made from a few facts, under the rules that are shipped."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from checks.check import ClusterInfo, ClusterView, NodeView
from checks.facts import Unknown
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
        rules = load_rules(product).with_overrides(overrides or {})
        return ClusterInfo("prod", product, target, current, options, rules)

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
            info,
            name,
            name,
            frozenset(roles),
            known,
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
