"""Cores and memory by role, with room for what a kernel keeps to itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from checks.check import ClusterInfo, ClusterView, NodeView
from checks.chef_backend.facts.machine import MachineResources
from checks.chef_backend.resources import CHECK, judge
from checks.engine.evaluation import GatheredCluster, evaluate
from checks.outcome import Outcome, Status

Chefs = Callable[..., ClusterView]
GIB = 2**30
# What machines with 8 GiB and 4 GiB of memory tell of it, some for a crash kernel taken off.
EIGHT, FOUR = int(7.4 * GIB), int(3.6 * GIB)


def judged(chefs: Chefs, role: str, *facts: object) -> Outcome:
    return judge(chefs(list(facts), roles=(role,)).nodes[0])


@pytest.mark.parametrize(("role", "cores", "memory"), [("backend", 2, EIGHT), ("frontend", 4, FOUR)])
def test_the_minimum_of_the_role_passes(chefs: Chefs, role: str, cores: int, memory: int) -> None:
    assert judged(chefs, role, MachineResources(cores, memory)).status is Status.PASS


@pytest.mark.parametrize(
    ("role", "found", "told"),
    [
        ("backend", MachineResources(1, EIGHT), "1 core, and 2 cores is asked for"),
        ("backend", MachineResources(8, 4 * GIB), "4.3 GB of memory, and 8 GB of memory is asked for"),
        ("frontend", MachineResources(2, EIGHT), "2 cores, and 4 cores is asked for"),
        ("frontend", MachineResources(4, 2 * GIB), "2.1 GB of memory, and 4 GB of memory is asked for"),
    ],
)
def test_less_fails(chefs: Chefs, role: str, found: MachineResources, told: str) -> None:
    outcome = judged(chefs, role, found)
    assert (outcome.status, outcome.message) == (Status.FAIL, told)


def test_both_that_lack_are_told(chefs: Chefs) -> None:
    outcome = judged(chefs, "backend", MachineResources(1, GIB))
    assert "1 core, " in outcome.message
    assert "1.1 GB" in outcome.message


def test_rules_can_be_switched_off(cluster: Callable[..., ClusterInfo], node: Callable[..., NodeView]) -> None:
    off = {name: {"off": True, "reason": "has run for years"} for name in ("cores-backend", "memory-backend")}
    info = cluster("2.3.16", product="chef-backend", overrides=off)
    assert judge(node(info, MachineResources(1, GIB), roles=("backend",))).status is Status.SKIP


def test_what_is_not_known_is_no_pass(chefs: Chefs) -> None:
    for facts, status in (([(MachineResources, "not understood")], Status.ERROR), (None, Status.SKIP)):
        view = chefs(facts)
        (result,) = evaluate((CHECK,), (GatheredCluster(view.cluster, view.nodes, frozenset({"backend-1"})),))
        assert (result.status, result.not_evaluated) == (status, True)


def test_a_rule_that_is_not_understood_is_an_error(chefs: Chefs) -> None:
    view = chefs([MachineResources(2, EIGHT)])
    (node,) = view.nodes
    rules = view.cluster.rules
    odd = replace(rules, rules=tuple(replace(rule, requires="backend cores many") for rule in rules.of(CHECK.id)))
    outcome = judge(replace(node, cluster=replace(view.cluster, rules=odd)))
    assert outcome.status is Status.ERROR
    assert "'backend cores many'" in outcome.message
