"""DRBD and keepalived on a frontend."""

from __future__ import annotations

from collections.abc import Callable

from checks.check import ClusterView
from checks.chef_backend.facts.machine import DrbdTraces
from checks.chef_backend.frontend.drbd import CHECK, judge
from checks.engine.evaluation import GatheredCluster, evaluate
from checks.outcome import Outcome, Status

Chefs = Callable[..., ClusterView]


def judged(chefs: Chefs, found: DrbdTraces) -> Outcome:
    return judge(chefs([found], roles=("frontend",)).nodes[0])


def test_nothing_of_it_passes(chefs: Chefs) -> None:
    assert judged(chefs, DrbdTraces()).status is Status.PASS


def test_a_setting_fails_and_points_to_the_migration(chefs: Chefs) -> None:
    outcome = judged(chefs, DrbdTraces(('topology "ha"',), ("/proc/drbd",)))
    assert outcome.status is Status.FAIL
    assert 'topology "ha"' in outcome.message
    assert "/proc/drbd" in outcome.message
    assert "migrating" in CHECK.remediation.url


def test_what_is_left_over_warns_and_says_that_it_is_inferred(chefs: Chefs) -> None:
    outcome = judged(chefs, DrbdTraces((), (), ("kmod-drbd84",)))
    assert outcome.status is Status.WARN
    assert "inferred" in outcome.message


def test_an_unknown_or_garbled_answer_is_an_error_and_a_dead_node_not_evaluated(chefs: Chefs) -> None:
    view = chefs([(DrbdTraces, "not understood")], None, roles=("frontend", "frontend"))
    names = frozenset(node.name for node in view.nodes)
    unknown, down = evaluate([CHECK], [GatheredCluster(view.cluster, view.nodes, names)])
    assert (unknown.status, down.status, down.not_evaluated) == (Status.ERROR, Status.SKIP, True)


def test_backends_are_not_concerned(chefs: Chefs) -> None:
    view = chefs([DrbdTraces()])
    assert evaluate([CHECK], [GatheredCluster(view.cluster, view.nodes, frozenset({"backend-1"}))]) == ()
