"""Copies of the backends' secrets."""

from __future__ import annotations

from collections.abc import Callable

from checks.check import ClusterView, NodeView
from checks.chef_backend.node_facts import StraySecrets
from checks.chef_backend.secrets_stray import CHECK, OWN_PLACE, judge
from checks.evaluation import GatheredCluster, evaluate
from checks.outcome import Status

Chefs = Callable[..., ClusterView]


def machine(chefs: Chefs, role: str, *paths: str, unseen: tuple[str, ...] = ()) -> NodeView:
    view: ClusterView = chefs([StraySecrets(paths, unseen)], roles=(role,))
    return view.nodes[0]


def test_the_file_in_its_own_place_passes(chefs: Chefs) -> None:
    assert judge(machine(chefs, "backend", OWN_PLACE)).status is Status.PASS
    assert judge(machine(chefs, "frontend")).status is Status.PASS


def test_a_copy_in_a_home_directory_fails(chefs: Chefs) -> None:
    outcome = judge(machine(chefs, "backend", OWN_PLACE, "/home/kim/chef-backend-secrets.json"))
    assert outcome.status is Status.FAIL
    assert outcome.message == "the backends' secrets lie in /home/kim/chef-backend-secrets.json"


def test_on_a_frontend_its_own_place_is_none(chefs: Chefs) -> None:
    assert judge(machine(chefs, "frontend", OWN_PLACE)).status is Status.FAIL


def test_what_could_not_be_looked_into_is_no_pass(chefs: Chefs) -> None:
    outcome = judge(machine(chefs, "backend", unseen=("'/root': Permission denied",)))
    assert outcome.status is Status.ERROR
    assert "/root" in outcome.message
    found = judge(machine(chefs, "backend", "/tmp/chef-backend-secrets.json", unseen=("/root: denied",)))
    assert found.status is Status.FAIL


def test_unknown_and_garbled_answers_are_errors_and_a_dead_node_is_not_evaluated(chefs: Chefs) -> None:
    view = chefs([(StraySecrets, "not understood")], None)
    names = frozenset(node.name for node in view.nodes)
    unknown, down = evaluate([CHECK], [GatheredCluster(view.cluster, view.nodes, names)])
    assert (unknown.status, down.status, down.not_evaluated) == (Status.ERROR, Status.SKIP, True)
