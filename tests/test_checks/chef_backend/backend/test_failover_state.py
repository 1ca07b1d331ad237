"""Whether failover is on is seen where cluster-status tells it, else declared; the phase says what it has to be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from checks.check import ClusterInfo, ClusterView, NodeView
from checks.chef_backend.backend.failover_state import CHECK
from checks.chef_backend.facts.cluster import ChefBackendVersion, ClusterStatus, Member
from checks.engine.evaluation import GatheredCluster, evaluate
from checks.outcome import Result, Status

Judged = Callable[..., Result]


@pytest.fixture
def judged(cluster: Callable[..., ClusterInfo], node: Callable[..., NodeView]) -> Judged:
    def judge(
        phase: str,
        *versions: str | None,
        target: str | None = "2.3.16",
        current: str | None = None,
        tables: Sequence[ClusterStatus] = (),
        **options: str,
    ) -> Result:
        info = replace(cluster(target, product="chef-backend", current=current, **options), phase=phase)
        nodes = tuple(
            node(
                info,
                *([ChefBackendVersion(version)] if version else []),
                *tables[at - 1 : at],
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


def table(*cells: str, column: str = "Blocked") -> ClusterStatus:
    """A table whose members' further column says `cells`; three members in all, the first of whom leads."""
    rows = (*cells, *cells[-1:] * 3)[:3]
    members = (
        Member(
            name=f"backend-{at}",
            ip=f"10.0.0.1{at}",
            guid=f"{at}" * 32,
            role="follower",
            postgresql="follower",
            elasticsearch="not_master",
            columns=((column, cell),),
        )
        for at, cell in enumerate(rows, 1)
    )
    return ClusterStatus(tuple(member if column else replace(member, columns=()) for member in members))


@pytest.mark.parametrize(
    ("column", "free", "barred"),
    [
        ("Blocked", "no", "yes"),
        ("blocked", "False", "True"),
        ("Leader Blocked", "not_blocked", "blocked"),
        ("BLOCKED?", "0", "1"),
        ("Blocked", "unblocked", "leader_blocked"),
    ],
)
@pytest.mark.parametrize("phase", ["before", "window", "after"])
def test_what_cluster_status_shows_answers_each_phase(
    judged: Judged, phase: str, column: str, free: str, barred: str
) -> None:
    wanted, other = (barred, free) if phase == "window" else (free, barred)
    right = judged(phase, tables=[table(wanted, column=column)] * 3)
    assert right.status is Status.PASS
    assert right.message.startswith(f"failover is {'off' if phase == 'window' else 'on'}: cluster-status shows")
    assert right.evidence["columns"]
    wrong = judged(phase, tables=[table(other, column=column)] * 3)
    assert wrong.status is Status.FAIL
    assert "it has to be" in wrong.message
    assert "set-cluster-failover" in wrong.remediation.command


def test_what_is_seen_goes_before_what_is_declared(judged: Judged) -> None:
    result = judged("after", tables=[table("yes")] * 3, failover="on")
    assert result.status is Status.FAIL
    assert "the inventory declares on" in result.message
    assert judged("window", tables=[table("yes")] * 3, failover="on").status is Status.PASS


def test_declared_off_and_nobody_blocked_cannot_both_be_told(judged: Judged) -> None:
    assert judged("window", tables=[table("no")] * 3, failover="off").status is Status.ERROR


@pytest.mark.parametrize("phase", ["before", "after"])
def test_a_blocked_leader_warns_by_name(judged: Judged, phase: str) -> None:
    result = judged(phase, tables=[table("yes", "no")] * 3, failover="on")
    assert result.status is Status.WARN
    assert "backend-1 is blocked from leading" in result.message
    assert "set-node-failover" in result.remediation.command
    assert judged(phase, tables=[table("yes", "no")] * 3).status is Status.WARN
    assert judged(phase, tables=[table("yes", "no")] * 3, failover="off").status is Status.FAIL


def test_in_the_window_some_who_are_blocked_do_not_answer_for_all(judged: Judged) -> None:
    assert judged("window", tables=[table("yes", "no")] * 3).status is Status.ERROR


@pytest.mark.parametrize(
    ("tables", "why"),
    [
        ([table("perhaps")] * 3, "does not say in words that are known whether backend-1 is blocked"),
        ([table("no", "", "no")] * 3, "whether backend-2 is blocked"),
        ([table("no"), table("no"), table("no", "yes")], "do not agree on whether backend-2 and backend-3 may lead"),
        ([table("", column="")] * 3, "does not show whether it is"),
        ([], "does not show whether it is"),
    ],
)
def test_columns_that_do_not_tell_leave_it_to_the_declaration(
    judged: Judged, tables: list[ClusterStatus], why: str
) -> None:
    result = judged("window", tables=tables)
    assert result.status is Status.ERROR
    assert why in result.message
    assert 'declare `failover = "off"`' in result.message
    assert judged("window", tables=tables, failover="off").status is Status.PASS
    assert judged("before", tables=tables).status is Status.SKIP


def test_backends_of_an_older_version_in_the_window_do_not_hide_what_the_newer_show(judged: Judged) -> None:
    assert judged("window", tables=[table("yes"), table("", column=""), table("yes")]).status is Status.PASS


@pytest.mark.parametrize(
    ("phase", "state", "when"),
    [
        ("before", "off", "it has to be on before the window"),
        ("window", "on", "it has to be off in the window, while followers are updated"),
        ("after", "off", "it has to be on after the window"),
    ],
)
def test_when_it_has_to_be_what_is_told(judged: Judged, phase: str, state: str, when: str) -> None:
    assert judged(phase, failover=state).message == f"declared {state} in the inventory, and {when}"
