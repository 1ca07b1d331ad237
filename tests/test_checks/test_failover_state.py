"""Whether failover is on is declared, never observed; what it has to be depends on the phase."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from checks.check import ClusterInfo, ClusterView, NodeView
from checks.chef_backend.facts import ChefBackendVersion
from checks.chef_backend.failover_state import CHECK
from checks.evaluation import GatheredCluster, evaluate
from checks.outcome import Result, Status

Judged = Callable[..., Result]


@pytest.fixture
def judged(cluster: Callable[..., ClusterInfo], node: Callable[..., NodeView]) -> Judged:
    def judge(
        phase: str, *versions: str | None, target: str | None = "2.3.16", current: str | None = None, **options: str
    ) -> Result:
        info = replace(cluster(target, product="chef-backend", current=current, **options), phase=phase)
        nodes = tuple(
            node(
                info,
                *([ChefBackendVersion(version)] if version else []),
                name=f"backend-{at}",
                roles=("backend",),
                absence="" if version else "node unreachable: refused",
            )
            for at, version in enumerate(versions or ("2.2.5",) * 3, 1)
        )
        view = ClusterView(info, nodes)
        (result,) = evaluate((CHECK,), (GatheredCluster(info, view.nodes, frozenset(n.name for n in nodes)),))
        return result

    return judge


@pytest.mark.parametrize(("phase", "state"), [("before", "on"), ("window", "off"), ("after", "on")])
def test_what_the_phase_wants_passes_and_says_that_it_is_declared(judged: Judged, phase: str, state: str) -> None:
    result = judged(phase, failover=state)
    assert result.status is Status.PASS
    assert result.message.startswith(f"declared {state} in the inventory")
    assert "not observed" in result.message


@pytest.mark.parametrize(("phase", "state"), [("before", "off"), ("window", "on"), ("after", "off")])
def test_the_opposite_fails_and_names_the_command(judged: Judged, phase: str, state: str) -> None:
    wanted = {"on": "off", "off": "on"}[state]
    result = judged(phase, failover=state)
    assert result.status is Status.FAIL
    assert f"it has to be {wanted}" in result.message
    assert result.remediation.command == f"sudo chef-backend-ctl set-cluster-failover {wanted}"


def test_undeclared_before_the_window_is_not_judged(judged: Judged) -> None:
    result = judged("before")
    assert result.status is Status.SKIP
    assert not result.not_evaluated
    assert "the procedure has not switched it yet" in result.message


@pytest.mark.parametrize(("phase", "wanted"), [("window", "off"), ("after", "on")])
def test_undeclared_later_cannot_be_told_and_says_what_to_declare(judged: Judged, phase: str, wanted: str) -> None:
    result = judged(phase)
    assert result.status is Status.ERROR
    assert f'declare `failover = "{wanted}"`' in result.message


def test_a_downtime_upgrade_is_not_judged_in_the_window(judged: Judged) -> None:
    for result in (judged("window", "1.4.6"), judged("window", "2.3.16", "1.4.6"), judged("window", current="1.4.6")):
        assert result.status is Status.SKIP
        assert "takes the whole cluster down" in result.message
    assert judged("after", "1.4.6").status is Status.ERROR


@pytest.mark.parametrize("target", [None, "two"])
def test_without_a_usable_target_or_version_it_is_judged_as_a_rolling_one(judged: Judged, target: str | None) -> None:
    assert judged("window", target=target).status is Status.ERROR
    assert judged("window", "garbage", failover="on").status is Status.FAIL


def test_a_backend_that_is_down_leaves_no_declared_pass(judged: Judged) -> None:
    assert judged("window", "2.2.5", None, failover="off").status is Status.ERROR
