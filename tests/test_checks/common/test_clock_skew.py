"""Clocks are compared by intervals: only what they prove is a finding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.check import ClusterInfo, ClusterView, NodeView
from checks.common.clock_facts import ClockSample
from checks.engine.evaluation import GatheredCluster, evaluate
from checks.facts import Contact
from checks.outcome import Outcome, Status
from checks.registry import named

CHECK = named("clock-skew")

NOON = 1_900_000_000.0
Chefs = Callable[..., ClusterView]


def sample(ahead_s: float = 0.0, *, there_s: float = 0.05, back_s: float = 0.05, at_s: float = 0.0) -> ClockSample:
    """What is read of a clock that is `ahead_s` ahead, on a way that takes `there_s` and `back_s`."""
    sent_s = NOON + at_s
    begun_s = sent_s + there_s + ahead_s
    return ClockSample(sent_s=sent_s, begun_s=begun_s, ended_s=begun_s + 7, received_s=sent_s + there_s + 7 + back_s)


def judged(view: ClusterView) -> Outcome:
    (result,) = evaluate((CHECK,), (GatheredCluster(view.cluster, view.nodes, frozenset(n.name for n in view.nodes)),))
    return Outcome(
        result.status, result.message, expected=result.expected, observed=result.observed, evidence=result.evidence
    )


@given(
    ahead_s=st.floats(-1e6, 1e6),
    there_s=st.floats(0, 100),
    back_s=st.floats(0, 100),
)
def test_the_true_offset_lies_in_the_interval_whatever_the_way_took(
    ahead_s: float, there_s: float, back_s: float
) -> None:
    low_s, high_s = sample(ahead_s, there_s=there_s, back_s=back_s).ahead_s
    assert low_s - 1e-5 <= ahead_s <= high_s + 1e-5
    assert high_s - low_s == pytest.approx(there_s + back_s, abs=1e-5)


@given(ahead_s=st.floats(-1e4, 1e4), there_s=st.floats(0, 5), at_s=st.floats(0, 60))
def test_whole_seconds_widen_it_and_never_lie(ahead_s: float, there_s: float, at_s: float) -> None:
    true = sample(ahead_s, there_s=there_s, at_s=at_s)
    whole = ClockSample(
        sent_s=true.sent_s,
        begun_s=true.begun_s // 1,
        ended_s=true.ended_s // 1,
        received_s=true.received_s,
        resolution_s=1.0,
    )
    low_s, high_s = whole.ahead_s
    assert low_s - 1e-5 <= ahead_s <= high_s + 1e-5


def test_clocks_that_agree_pass(chefs: Chefs) -> None:
    outcome = judged(chefs([sample()], [sample(0.3, at_s=20)], [sample(-0.2)]))
    assert (outcome.status, outcome.message) == (Status.PASS, "no two clocks are 1.5 s apart")


def test_a_wrong_clock_of_the_scanner_is_nobodys_skew(chefs: Chefs) -> None:
    outcome = judged(chefs([sample(-7200)], [sample(-7200.1)], [sample(-7199.9)]))
    assert outcome.status is Status.PASS
    offsets = outcome.evidence["ahead_of_the_scanner"]
    assert isinstance(offsets, dict)
    assert offsets["backend-1"] == {"offset_s": -7200.0, "within_s": 0.05}


@pytest.mark.parametrize(("ahead_s", "told"), [(2.0, "2.0 s ahead of"), (-7200.0, "120 min behind")])
def test_the_outlier_is_named_with_how_far_it_is_off(chefs: Chefs, ahead_s: float, told: str) -> None:
    outcome = judged(chefs([sample()], [sample(0.1)], [sample(ahead_s)]))
    assert outcome.status is Status.FAIL
    assert outcome.message.startswith(f"the clock of backend-3 is {told}")
    assert "backend-2" not in outcome.message


def test_two_that_differ_accuse_neither(chefs: Chefs) -> None:
    outcome = judged(chefs([sample()], [sample(4.0)]))
    assert outcome.status is Status.FAIL
    assert outcome.message.startswith("the clocks of backend-1 and backend-2 are 4.0 s apart, and a clock drift below")


def test_three_that_all_differ_name_the_two_furthest_apart(chefs: Chefs) -> None:
    outcome = judged(chefs([sample()], [sample(4.0)], [sample(8.0)]))
    assert outcome.message.startswith("the clocks of backend-1 and backend-3 are 8.0 s apart")


def test_a_slow_answer_proves_neither(chefs: Chefs) -> None:
    outcome = judged(chefs([sample()], [sample(there_s=1.6)], [sample()]))
    assert outcome.status is Status.ERROR
    assert "cannot tell whether a clock drift below 1.5 s" in outcome.message
    assert "backend-2 answered slowly" in outcome.message


def test_a_slow_answer_does_not_hide_a_skew_that_is_proven(chefs: Chefs) -> None:
    outcome = judged(chefs([sample()], [sample(60.0, there_s=5, back_s=5)], [sample()]))
    assert outcome.status is Status.FAIL
    assert "backend-2" in outcome.message


def test_a_difference_right_at_the_limit_is_never_green(chefs: Chefs) -> None:
    assert judged(chefs([sample()], [sample(1.5)])).status is Status.ERROR
    assert judged(chefs([sample(there_s=0, back_s=0)], [sample(1.5, there_s=0, back_s=0)])).status is not Status.PASS


def test_a_node_that_is_down_leaves_a_gap_and_no_pass(chefs: Chefs) -> None:
    outcome = judged(chefs([sample()], [sample()], None))
    assert outcome.status is Status.ERROR
    assert "cannot tell without 1 node: backend-3: unreachable" in outcome.message
    assert judged(chefs([sample()], [sample(9)], None)).status is Status.FAIL


def test_a_node_that_did_not_say_the_time_is_named(chefs: Chefs) -> None:
    outcome = judged(chefs([sample()], [(ClockSample, "the node did not say what time it is")]))
    assert outcome.status is Status.ERROR
    assert outcome.message == "backend-2: the node did not say what time it is"


def test_an_answer_that_was_cut_before_the_time_leaves_a_gap(
    cluster: Callable[..., ClusterInfo], node: Callable[..., NodeView]
) -> None:
    info = cluster("2.3.16", product="chef-backend")
    cut = node(info, (ClockSample, "did not say"), name="b3", roles=("backend",), absence="no answer to chef-package")
    whole = [node(info, sample(), name=f"b{at}", roles=("backend",)) for at in (1, 2)]
    outcome = judged(ClusterView(info, (*whole, cut)))
    assert (outcome.status, outcome.message) == (Status.ERROR, "cannot tell without 1 node: b3: did not say")


def test_a_clock_that_was_set_meanwhile_is_not_judged(chefs: Chefs) -> None:
    jumped = ClockSample(sent_s=NOON, begun_s=NOON, ended_s=NOON + 900, received_s=NOON + 7)
    outcome = judged(chefs([sample()], [jumped], [sample()]))
    assert outcome.status is Status.ERROR
    assert outcome.message == "the clock of backend-2 was set while the node answered: scan again"


def test_one_node_has_nobody_to_differ_from(chefs: Chefs) -> None:
    assert judged(chefs([sample(900)])).status is Status.SKIP


def vault(
    cluster: Callable[..., ClusterInfo], node: Callable[..., NodeView], *facts: object, **options: object
) -> Outcome:
    info = cluster(**options)
    nodes = [node(info, *(fact if isinstance(fact, list) else [fact]), name=f"web{n}") for n, fact in enumerate(facts)]
    return judged(ClusterView(info, tuple(nodes)))


def test_beyond_what_kerberos_tolerates_warns_and_says_that_it_is_inferred(
    cluster: Callable[..., ClusterInfo], node: Callable[..., NodeView]
) -> None:
    # A start of PowerShell takes seconds.
    outcome = vault(cluster, node, sample(there_s=3), sample(-420, there_s=2), sample(1, there_s=2))
    assert outcome.status is Status.WARN
    assert "the clock of web1 is 7" in outcome.message
    assert "(inferred: Kerberos" in outcome.message
    assert vault(cluster, node, sample(there_s=3), sample(-200, there_s=4)).status is Status.PASS


def test_a_database_host_known_by_its_port_is_left_out(
    cluster: Callable[..., ClusterInfo], node: Callable[..., NodeView]
) -> None:
    port = [
        Contact(host="sql", transport="tds", failure=None, asked=1, answered=1),
        (ClockSample, "only its port is asked"),
    ]
    assert vault(cluster, node, sample(), sample(), port).status is Status.PASS
    assert vault(cluster, node, sample(), port).status is Status.SKIP


def test_the_limit_can_be_overridden_and_switched_off(
    cluster: Callable[..., ClusterInfo], node: Callable[..., NodeView]
) -> None:
    tighter = {"clock-kerberos": {"requires": "30", "effect": "fail", "reason": "one-time passwords"}}
    outcome = vault(cluster, node, sample(), sample(60), overrides=tighter)
    assert outcome.status is Status.FAIL
    assert "one-time passwords" in outcome.message
    off = {"clock-kerberos": {"off": True, "reason": "time zones by hand"}}
    assert vault(cluster, node, sample(), sample(6000), overrides=off).status is Status.SKIP


def exact(ahead_s: float, way_s: float = 0.0) -> ClockSample:
    """A clock that is ahead by so much, give or take `way_s`, in numbers that are exact in binary."""
    return sample(ahead_s, there_s=way_s, back_s=way_s)


@pytest.mark.parametrize(
    ("one", "other", "status"),
    [
        (exact(0.0), exact(1.5), Status.FAIL),
        (exact(0.0), exact(1.25), Status.PASS),
        (exact(0.0), exact(1.0, 0.5), Status.ERROR),
        (exact(0.0), exact(1.0, 0.25), Status.PASS),
        (exact(0.0), exact(2.0, 0.5), Status.FAIL),
        (exact(0.0), exact(1.75, 0.5), Status.ERROR),
    ],
)
def test_less_than_the_limit_is_what_has_to_be_proven(
    chefs: Chefs, one: ClockSample, other: ClockSample, status: Status
) -> None:
    assert judged(chefs([one], [other])).status is status
    assert judged(chefs([other], [one])).status is status


@pytest.mark.parametrize(
    ("ahead", "told"),
    [
        ((0, 0, 4, 4), "the clocks of backend-1 and backend-3 are 4.0 s apart"),
        ((0, 0, 4, 8), "the clocks of backend-1 and backend-4 are 8.0 s apart"),
        # It differs from a half alone: that half may be wrong as well.
        ((0, 0.75, 2, 2), "the clocks of backend-1 and backend-3 are 2.0 s apart"),
        ((0, 0, 0, 4), "the clock of backend-4 is 4.0 s ahead of the others"),
        (
            (0, 0, 0, 4, -4),
            "the clock of backend-4 is 4.0 s ahead of the others and the clock of backend-5 is 4.0 s behind the others",
        ),
        (
            (0, 0, 0, 4, 5),
            "the clock of backend-4 is 4.0 s ahead of the others and the clock of backend-5 is 5.0 s ahead of the",
        ),
        ((0, 0, 119), "the clock of backend-3 is 119.0 s ahead of the others"),
        ((0, 0, 120), "the clock of backend-3 is 2 min ahead of the others"),
    ],
)
def test_a_minority_is_named_and_nobody_where_there_is_none(chefs: Chefs, ahead: tuple[float, ...], told: str) -> None:
    outcome = judged(chefs(*([exact(each)] for each in ahead)))
    assert outcome.status is Status.FAIL
    assert outcome.message.startswith(told)


def test_a_limit_that_is_not_understood_is_an_error(chefs: Chefs) -> None:
    view = chefs([sample()], [sample(90.0)])
    rules = view.cluster.rules
    odd = replace(rules, rules=tuple(replace(rule, requires="soon") for rule in rules.of("clock-skew")))
    cluster = replace(view.cluster, rules=odd)
    outcome = judged(ClusterView(cluster, tuple(replace(node, cluster=cluster) for node in view.nodes)))
    assert outcome.status is Status.ERROR
    assert "requires = 'soon' is no number of seconds" in outcome.message
