"""Version and migration-level of the frontends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from checks.check import ClusterView
from checks.chef_backend.frontend_version import CHECK, judge
from checks.chef_backend.node_facts import FrontendPackage
from checks.evaluation import GatheredCluster, evaluate
from checks.outcome import Outcome, Status

Chefs = Callable[..., ClusterView]
LEVEL = '{"major":1,"minor":30}'


def judged(chefs: Chefs, *versions: str, levels: tuple[str, ...] = (), **changes: object) -> Outcome:
    facts = [
        [FrontendPackage(f"{version}-1.el7" if version else "", levels[at] if levels else LEVEL)]
        for at, version in enumerate(versions)
    ]
    return judge(chefs(*facts, roles=("frontend",) * len(facts), **changes))


def test_one_version_and_level_pass(chefs: Chefs) -> None:
    outcome = judged(chefs, "15.0.9", "15.0.9")
    assert (outcome.status, outcome.message) == (Status.PASS, "15.0.9 on all frontends")


def test_an_outlier_fails_and_in_the_window_warns(chefs: Chefs) -> None:
    outcome = judged(chefs, "15.0.9", "15.0.9", "14.16.19")
    assert outcome.status is Status.FAIL
    assert "frontend-3 differs" in outcome.message
    assert judged(chefs, "15.0.9", "14.16.19", phase="window").status is Status.WARN


def test_another_migration_level_fails(chefs: Chefs) -> None:
    outcome = judged(chefs, "15.0.9", "15.0.9", levels=(LEVEL, ""))
    assert outcome.status is Status.FAIL
    assert "migration-level" in outcome.message


@pytest.mark.parametrize(
    ("version", "target", "status"),
    [
        ("12.5.0", "1.4.6", Status.FAIL),
        ("12.15.8", "1.4.6", Status.PASS),
        ("12.15.8", "2.3.16", Status.WARN),
        ("12.19.31", "2.3.16", Status.PASS),
        ("12.19.31", "3.1.1", Status.WARN),
        ("15.0.4", "2.3.16", Status.WARN),
    ],
)
def test_minimums_go_by_the_target(chefs: Chefs, version: str, target: str, status: Status) -> None:
    assert judged(chefs, version, target=target).status is status


def test_a_minimum_that_is_inferred_says_so(chefs: Chefs) -> None:
    assert "inferred" in judged(chefs, "12.15.8").message


def test_no_package_a_garbled_version_and_no_target_are_unknown(chefs: Chefs) -> None:
    assert judged(chefs, "15.0.9", "").status is Status.ERROR
    assert judged(chefs, "latest").status is Status.ERROR
    assert judged(chefs, "15.0.9", target=None).status is Status.ERROR


def test_a_frontend_that_is_down_or_garbled_is_a_gap_and_none_at_all_is_no_result(chefs: Chefs) -> None:
    for other in (None, [(FrontendPackage, "not understood")]):
        view = chefs([FrontendPackage("15.0.9", LEVEL)], other, roles=("frontend", "frontend"))
        names = frozenset(node.name for node in view.nodes)
        (result,) = evaluate([CHECK], [GatheredCluster(view.cluster, view.nodes, names)])
        assert result.status is Status.ERROR
    view = chefs([FrontendPackage("15.0.9", LEVEL)])
    assert evaluate([CHECK], [GatheredCluster(view.cluster, view.nodes, frozenset({"backend-1"}))]) == ()


def test_minimums_hold_at_each_stop_and_name_it(chefs: Chefs) -> None:
    only_there = {"frontend-12.6.0": {"target": ">=2.0,<3.0", "requires": ">=15.1", "reason": "a test"}}
    view = chefs(*[[FrontendPackage("15.0.9-1.el7", LEVEL)]] * 2, roles=("frontend",) * 2, target="3.1.1")
    rules = view.cluster.rules.with_overrides(only_there)
    via = replace(view, cluster=replace(view.cluster, rules=rules, current="2.0.30"))
    assert judge(via).status is Status.FAIL
    assert "too old for 2.3.16, on the way to 3.1.1, which needs" in judge(via).message
    straight = replace(via, cluster=replace(via.cluster, current="2.1.0"))
    assert judge(straight).status is Status.PASS
