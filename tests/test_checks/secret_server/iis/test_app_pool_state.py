from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from checks.check import ClusterInfo, ClusterView, NodeView
from checks.engine.evaluation import GatheredCluster, evaluate
from checks.outcome import Outcome, Status
from checks.secret_server.facts.host import PoolStates
from checks.secret_server.facts.node import IisApplication, IisConfiguration, WebRoot
from checks.secret_server.iis.app_pool_state import CHECK, judge

ROOT = WebRoot("D:\\SS", ("registry",), ())
APPLICATION = IisApplication(site="s", path="/", physical_path="D:\\SS", pool="Vault")
IIS = IisConfiguration(path="C:\\a.config", shared=False, pools=(), applications=(APPLICATION,))

States = Callable[..., ClusterView]


@pytest.fixture
def states(cluster: Callable[..., ClusterInfo], node: Callable[..., NodeView]) -> States:
    def make(phase: str, *found: int | str | None) -> ClusterView:
        info = replace(cluster(), phase=phase)
        views = []
        for at, state in enumerate(found, 1):
            told = ((("vault", state),) if isinstance(state, int) else ()) + (("Other", 3),)
            fact = (PoolStates, "denied") if state == "denied" else PoolStates(told, state == "no provider")
            views.append(node(info, ROOT, IIS, fact, name=f"web{at}"))
        return ClusterView(info, tuple(views))

    return make


@pytest.mark.parametrize("phase", ["before", "after"])
def test_all_run_before_and_after(states: States, phase: str) -> None:
    outcome = judge(states(phase, 1, 1))
    assert outcome.status is Status.PASS
    assert outcome.observed == "web1 started; web2 started"


def test_one_that_does_not_run_warns_before_and_fails_after(states: States) -> None:
    assert judge(states("before", 1, 3)).status is Status.WARN
    outcome = judge(states("after", 1, 3, 2))
    assert outcome.status is Status.FAIL
    assert outcome.message == "pools do not run: web2 Vault is stopped; web3 Vault is stopping"


@pytest.mark.parametrize(("found", "told"), [((1, 3, 3), "only web1 runs"), ((3, 3), "of all web nodes are stopped")])
def test_in_the_window_at_most_one_runs_and_the_documents_disagree(
    states: States, found: tuple[int, ...], told: str
) -> None:
    outcome = judge(states("window", *found))
    assert outcome.status is Status.PASS
    assert told in outcome.message
    assert "the documents disagree" in outcome.message


@pytest.mark.parametrize("second", [0, 1, 2])
def test_in_the_window_a_second_one_fails(states: States, second: int) -> None:
    outcome = judge(states("window", 1, second, 3))
    assert outcome.status is Status.FAIL
    assert outcome.message.startswith("pools are not stopped on web1 and web2")


@pytest.mark.parametrize("state", [None, 4])
@pytest.mark.parametrize("phase", ["before", "window", "after"])
def test_a_pool_whose_state_is_not_told_is_an_error(states: States, phase: str, state: int | None) -> None:
    outcome = judge(states(phase, 1, state))
    assert outcome.status is Status.ERROR
    assert "web2: IIS does not tell the state of pool Vault" in outcome.message


def test_a_proven_failure_stands_although_another_node_is_unclear(states: States) -> None:
    assert judge(states("after", 3, None)).status is Status.FAIL
    assert judge(states("window", 1, 1, None)).status is Status.FAIL
    unclear: Outcome = judge(states("before", 3, None))
    assert unclear.status is Status.ERROR
    assert "web1 Vault is stopped" in unclear.message


@pytest.mark.parametrize("phase", ["before", "window", "after"])
def test_a_node_that_cannot_be_asked_makes_it_an_error(states: States, phase: str) -> None:
    view = states(phase, 1, "denied")
    (result,) = evaluate([CHECK], [GatheredCluster(view.cluster, view.nodes, frozenset())])
    assert result.status is Status.ERROR
    assert "web2: denied" in result.message


@pytest.mark.parametrize(
    ("phase", "status"), [("before", Status.WARN), ("window", Status.ERROR), ("after", Status.ERROR)]
)
def test_a_missing_provider_holds_up_no_window_before_it_opens(states: States, phase: str, status: Status) -> None:
    outcome = judge(states(phase, 3 if phase == "window" else 1, "no provider"))
    assert outcome.status is status
    assert "web2: IIS does not tell over WMI" in outcome.message
    assert "Web-Scripting-Tools" in outcome.message


def test_what_does_not_run_is_started_node_by_node(states: States) -> None:
    outcome = judge(states("after", 1, 3, 2))
    assert outcome.remediation is not None
    assert outcome.remediation.summary == (
        "First start Vault on web2, and see that the site answers there; then likewise on web3."
    )
    assert "start apppool" in outcome.remediation.command
    alone = judge(states("after", 1, 3)).remediation
    assert alone is not None
    assert alone.summary == "First start Vault on web2, and see that the site answers there."


def test_in_the_window_all_but_the_first_are_stopped(states: States) -> None:
    outcome = judge(states("window", 1, 1, 1))
    assert outcome.remediation is not None
    assert "if that is web1, stop Vault on web2; then likewise on web3" in outcome.remediation.summary
    assert "stop apppool" in outcome.remediation.command


@pytest.mark.parametrize("phase", ["before", "window", "after"])
def test_the_provider_is_added_where_it_is_missing(states: States, phase: str) -> None:
    outcome = judge(states(phase, 3 if phase == "window" else 1, "no provider", "no provider"))
    assert outcome.remediation is not None
    assert outcome.remediation.summary.startswith("Add the Windows feature on web2 and web3, then scan again.")
    assert outcome.remediation.language == "powershell"
    # A pool whose state is not told otherwise is nothing that a feature would tell.
    assert judge(states(phase, 3 if phase == "window" else 1, 4)).remediation is None


def test_pools_that_are_not_the_same_ones_are_named_by_their_node(
    cluster: Callable[..., ClusterInfo], node: Callable[..., NodeView]
) -> None:
    info = replace(cluster(), phase="after")
    two = replace(IIS, applications=(APPLICATION, replace(APPLICATION, path="/b", pool="Other")))
    views = [
        node(info, ROOT, two, PoolStates((("Vault", vault), ("Other", other))), name=f"web{at}")
        for at, (vault, other) in enumerate(((3, 1), (1, 3), (3, 1)), 1)
    ]
    outcome = judge(ClusterView(info, tuple(views)))
    assert outcome.remediation is not None
    assert outcome.remediation.summary == (
        "First start Vault on web1, and see that the site answers there; then likewise on web2 (Other) and web3."
    )
