"""Machines that were named without an inventory: their cluster may have others, without which nothing is said of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from checks.check import ClusterView
from checks.facts import Unknown
from checks.outcome import Outcome, Status, failed, not_applicable, not_declared, passed, undetermined, warned
from tests.test_checks.engine.sizes import (
    DOWN,
    OPEN_ENDED,
    Size,
    cluster_check,
    down,
    judged,
    node_check,
    view,
)

ALONE = "cannot be told of web1 and web2 alone: it is about the whole cluster, whose other nodes are not named"
NAME_THEM = "Name every machine of vault with a --host of its own"


def nobody_is_big(view: ClusterView) -> Outcome:
    """A failure that a node nobody named could undo."""
    if any(isinstance(node.get(Size), Unknown) for node in view.nodes):
        return undetermined("who is big cannot be told")
    return failed("nobody is big")


@pytest.mark.parametrize(
    "judge",
    [
        lambda _: passed("same", expected="equal", observed="5"),
        lambda _: warned("same, oddly", expected="equal", observed="5"),
        lambda _: not_applicable("nothing to compare", expected="equal", observed="5"),
        lambda view: nobody_is_big(view) if len(view.nodes) > 2 else failed("nobody", expected="equal", observed="5"),
    ],
    ids=["pass", "warn", "skip", "fail"],
)
def test_what_another_node_could_change_is_not_told(judge: Callable[[ClusterView], Outcome]) -> None:
    (row,) = judged([cluster_check(judge)], view("web1"), view("web2"), info=OPEN_ENDED)
    assert (row.status, row.message, row.follows) == (Status.ERROR, ALONE, ("unnamed:vault",))
    assert (row.expected, row.observed, row.not_evaluated) == ("equal", "5", True)
    assert row.evidence["so_far"]
    assert NAME_THEM in row.remediation.summary
    (whole,) = judged([cluster_check(judge)], view("web1"), view("web2"))
    assert whole.status is not Status.ERROR


def test_a_failure_that_no_other_node_could_undo_stands() -> None:
    check = cluster_check(lambda _: failed("web1 differs from web2"))
    (row,) = judged([check], view("web1"), view("web2"), info=OPEN_ENDED)
    assert (row.status, row.message, row.follows) == (Status.FAIL, "web1 differs from web2", ())


@pytest.mark.parametrize(("asked", "named"), [(("web",), frozenset({"web"})), ((), frozenset({"web", "database"}))])
def test_the_node_that_may_be_there_has_the_roles_that_are_compared(
    asked: tuple[str, ...], named: frozenset[str]
) -> None:
    seen: list[ClusterView] = []

    def judge(view: ClusterView) -> Outcome:
        seen.append(view)
        return failed("they differ")

    nodes = [view("web1"), view("both", roles=("web", "database"))]
    judged([cluster_check(judge, roles=asked)], *nodes, info=OPEN_ENDED)
    *known, other = seen[-1].nodes
    assert ([node.name for node in known], other.roles) == (["web1", "both"], named)
    assert isinstance(other.get(Size), Unknown)
    assert other.get(Size).unanswered  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "outcome", [undetermined("the target is no version"), not_declared("dpapi", "`dpapi` is not declared")]
)
def test_what_is_in_the_way_by_itself_is_told_as_it_is(outcome: Outcome) -> None:
    (row,) = judged([cluster_check(lambda _: outcome)], view("web1"), view("web2"), info=OPEN_ENDED)
    assert (row.status, row.message, row.follows) == (outcome.status, outcome.message, ())


@pytest.mark.parametrize("outcome", [passed("same"), warned("same, oddly")])
def test_a_named_node_that_is_down_is_nearer_than_those_that_nobody_named(outcome: Outcome) -> None:
    (row,) = judged([cluster_check(lambda _: outcome)], view("web1"), down("web2"), info=OPEN_ENDED)
    assert (row.status, row.message) == (Status.ERROR, f"cannot tell without 1 node: web2: {DOWN}")
    assert row.follows == ("connectivity:web2",)


def test_what_does_not_apply_to_those_that_are_named_may_apply_to_others() -> None:
    (row,) = judged([cluster_check(lambda _: not_applicable("moot"))], view("web1"), down("web2"), info=OPEN_ENDED)
    assert (row.message, row.follows) == (ALONE, ("unnamed:vault",))


def test_a_role_that_no_named_node_has_is_no_mistake_of_an_inventory() -> None:
    check = node_check(lambda _: passed("fine"), id="sql", products=("secret-server",), roles=("database",))
    (row,) = judged([check], view("web1"), info=OPEN_ENDED)
    assert (row.node, row.status, row.follows) == (None, Status.ERROR, ("unnamed:vault",))
    assert row.message == "no database node of this cluster is named, so this was not looked at"
    assert NAME_THEM in row.remediation.summary
