"""Who answers as the leader."""

from __future__ import annotations

from collections.abc import Callable

from checks.check import ClusterView
from checks.chef_backend.backend.leaderl import CHECK, judge
from checks.chef_backend.facts.cluster import ClusterStatus, Member
from checks.chef_backend.facts.machine import LeaderAnswer
from checks.engine.evaluation import GatheredCluster, evaluate
from checks.outcome import Outcome, Status

Chefs = Callable[..., ClusterView]


def answers(chefs: Chefs, *codes: int | None, leader: str = "backend-1") -> Outcome:
    table = ClusterStatus(
        (Member(name=leader, ip="10.0.0.1", guid="a" * 32, role="leader", postgresql="leader", elasticsearch="master"),)
    )
    return judge(chefs(*([LeaderAnswer(code), table] for code in codes)))


def test_one_leader_that_the_table_names_passes(chefs: Chefs) -> None:
    outcome = answers(chefs, 200, 503, 503)
    assert (outcome.status, outcome.message) == (Status.PASS, "backend-1 answers as the leader, the others do not")


def test_a_table_with_other_names_says_nothing_against_it(chefs: Chefs) -> None:
    assert answers(chefs, 200, 503, 503, leader="ip-10-0-0-1").status is Status.PASS


def test_two_leaders_or_none_fail(chefs: Chefs) -> None:
    assert "backend-1 and backend-3 all answer" in answers(chefs, 200, 503, 200).message
    assert answers(chefs, 200, 503, 200).status is Status.FAIL
    assert answers(chefs, 503, 503, 503).status is Status.FAIL


def test_another_leader_than_the_table_says_fails(chefs: Chefs) -> None:
    outcome = answers(chefs, 503, 200, 503)
    assert outcome.status is Status.FAIL
    assert "backend-2 answers as the leader, but cluster-status names backend-1" in outcome.message


def test_a_table_that_knows_machines_by_longer_names_or_capitals_counts(chefs: Chefs) -> None:
    for leader in ("Backend-1", "backend-1.corp.example"):
        assert answers(chefs, 503, 200, 503, leader=leader).status is Status.FAIL
        assert answers(chefs, 200, 503, 503, leader=leader).status is Status.PASS


def test_a_silent_leaderl_fails(chefs: Chefs) -> None:
    outcome = answers(chefs, 200, 503, 0)
    assert outcome.status is Status.FAIL
    assert "does not answer on backend-3" in outcome.message


def test_silence_where_a_guess_was_asked_is_no_failure(chefs: Chefs) -> None:
    guess = LeaderAnswer(0, ("http://127.0.0.1:7331/leader",), is_guess=True)
    outcome = judge(chefs([LeaderAnswer(200)], [LeaderAnswer(503)], [guess]))
    assert outcome.status is Status.ERROR
    assert "backend-3 was a guess, and nothing answers there (asked http://127.0.0.1:7331/leader)" in outcome.message
    assert judge(chefs([guess], [LeaderAnswer(503)], [LeaderAnswer(503)])).status is Status.ERROR
    right = LeaderAnswer(200, ("http://127.0.0.1:7331/leader",), is_guess=True)
    assert judge(chefs([right], [LeaderAnswer(503)], [LeaderAnswer(503)])).status is Status.PASS, (
        "a guess that was right"
    )
    told = judge(chefs([LeaderAnswer(0, ("http://10.0.0.1:7332/leader",))], [LeaderAnswer(200)]))
    assert told.status is Status.FAIL
    assert "(asked http://10.0.0.1:7332/leader)" in told.message


def test_a_node_that_cannot_ask_and_an_odd_answer_are_unknown(chefs: Chefs) -> None:
    assert answers(chefs, 200, 503, None).status is Status.ERROR
    assert answers(chefs, 200, 503, 404).status is Status.ERROR
    assert answers(chefs, 503, 503, None).status is Status.ERROR


def test_garbled_or_down_is_no_pass_and_no_proof_of_a_missing_leader(chefs: Chefs) -> None:
    for code in (200, 503):
        for other in ([(LeaderAnswer, "not understood")], None):
            view = chefs([LeaderAnswer(code)], [LeaderAnswer(503)], other)
            names = frozenset(node.name for node in view.nodes)
            (result,) = evaluate([CHECK], [GatheredCluster(view.cluster, view.nodes, names)])
            assert result.status is Status.ERROR


def test_silence_is_no_odd_answer(chefs: Chefs) -> None:
    assert answers(chefs, 200, 503, 0).message == "leaderl does not answer on backend-3"
    outcome = answers(chefs, 200, 503, 1)
    assert (outcome.status, outcome.message) == (
        Status.ERROR,
        "leaderl gives an answer that is not understood: backend-3 1",
    )
    assert answers(chefs, 200, 503, None).observed == "backend-1 200, backend-2 503, backend-3 unknown"
