"""Copies of the backends' secrets."""

from __future__ import annotations

from collections.abc import Callable

from checks.check import ClusterView, NodeView
from checks.chef_backend.facts.machine import StraySecrets
from checks.chef_backend.secrets.stray import CHECK, OWN_PLACE, judge
from checks.engine.evaluation import GatheredCluster, evaluate
from checks.outcome import Status

Chefs = Callable[..., ClusterView]


def machine(chefs: Chefs, role: str, *paths: str, unseen: tuple[str, ...] = ()) -> NodeView:
    view: ClusterView = chefs([StraySecrets(paths=paths, unseen=unseen)], roles=(role,))
    return view.nodes[0]


def test_the_file_in_its_own_place_passes(chefs: Chefs) -> None:
    assert judge(machine(chefs, "backend", OWN_PLACE)).status is Status.PASS
    assert judge(machine(chefs, "frontend")).status is Status.PASS


def test_a_copy_in_a_home_directory_fails(chefs: Chefs) -> None:
    outcome = judge(machine(chefs, "backend", OWN_PLACE, "/home/kim/chef-backend-secrets.json"))
    assert outcome.status is Status.FAIL
    assert outcome.message == "the backends' secrets lie in /home/kim/chef-backend-secrets.json"


def test_a_copy_that_root_alone_can_get_at_warns(chefs: Chefs) -> None:
    left = "/root/chef-backend-cleanse-2026-11-20/chef-backend-secrets.json"
    view: ClusterView = chefs([StraySecrets(paths=(OWN_PLACE, left), closed=(left,))])
    outcome = judge(view.nodes[0])
    assert outcome.status is Status.WARN
    assert outcome.message == f"the backends' secrets lie in {left}, where root alone can get at them"
    both: ClusterView = chefs([StraySecrets(paths=(left, "/tmp/chef-backend-secrets.json"), closed=(left,))])
    outcome = judge(both.nodes[0])
    assert outcome.status is Status.FAIL
    assert "in /tmp/chef-backend-secrets.json" in outcome.message
    assert left in outcome.message


def test_a_link_to_its_own_place_is_no_copy_and_another_is_told(chefs: Chefs) -> None:
    def linked(target: str, role: str = "backend") -> Status:
        links = (f"/home/kim/chef-backend-secrets.json -> {target}",)
        own = (OWN_PLACE,) if role == "backend" else ()
        view: ClusterView = chefs([StraySecrets(paths=own, links=links)], roles=(role,))
        return judge(view.nodes[0]).status

    assert [linked(OWN_PLACE), linked("/mnt/x"), linked(OWN_PLACE, "frontend")] == [
        Status.PASS,
        Status.WARN,
        Status.WARN,
    ]


def test_a_home_that_even_root_may_not_enter_is_told_and_decides_nothing(chefs: Chefs) -> None:
    home = "'/home/kim': Permission denied"
    view: ClusterView = chefs([StraySecrets(paths=(OWN_PLACE,), homes=(home,))])
    outcome = judge(view.nodes[0])
    assert outcome.status is Status.PASS
    assert outcome.message == f"no copy was found; not looked into: {home}"
    assert outcome.evidence["unseen"] == [home]
    view = chefs([StraySecrets(paths=(OWN_PLACE,), unseen=("'/root': Permission denied",), homes=(home,))])
    assert judge(view.nodes[0]).status is Status.ERROR


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


def test_a_search_that_does_not_find_the_backends_own_file_proves_nothing(chefs: Chefs) -> None:
    def searched(found: StraySecrets, role: str) -> Status:
        view: ClusterView = chefs([found], roles=(role,))
        return judge(view.nodes[0]).status

    assert searched(StraySecrets(paths=()), "backend") is Status.ERROR
    assert searched(StraySecrets(paths=(OWN_PLACE,)), "backend") is Status.PASS
    assert searched(StraySecrets(paths=()), "frontend") is Status.PASS
    # What was found stands.
    assert searched(StraySecrets(paths=("/home/kim/chef-backend-secrets.json",)), "backend") is Status.FAIL


def test_what_was_found_is_observed(chefs: Chefs) -> None:
    assert judge(machine(chefs, "backend", OWN_PLACE)).observed == "none"
    assert judge(machine(chefs, "frontend", "/tmp/a", "/tmp/b")).observed == "/tmp/a, /tmp/b"
