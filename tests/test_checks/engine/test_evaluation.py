"""The engine: what becomes of facts that are missing, of checks that raise, and of nodes that are down."""

from __future__ import annotations

from dataclasses import replace

import pytest

from checks.check import Check, NodeView
from checks.engine.evaluation import GatheredCluster, evaluate
from checks.facts import EndedError, Unknown, UnknownFactError
from checks.outcome import Outcome, Remediation, Status, failed, not_declared, passed, undetermined, warned
from checks.scan import Verdict, coverage_of, verdict_of
from tests.test_checks.engine.sizes import (
    DOWN,
    INFO,
    SILENT,
    Size,
    Spare,
    cluster_check,
    judged,
    node_check,
    view,
)


def run(checks: list[Check], *views: NodeView, chosen: set[str] | None = None) -> list[tuple[str | None, str, str]]:
    names = frozenset(node.name for node in views) if chosen is None else frozenset(chosen)
    results = evaluate(checks, [GatheredCluster(INFO, views, names)])
    return [(result.node, result.status.value, result.message) for result in results]


def test_a_known_fact_is_judged() -> None:
    assert run([node_check(lambda _: passed("fine"))], view("web1")) == [("web1", "pass", "fine")]


def test_an_unknown_fact_is_an_error_with_its_reason() -> None:
    check = node_check(lambda _: passed("fine"))
    assert run([check], view("web1", Unknown("access denied"))) == [("web1", "error", "access denied")]


def test_a_down_node_skips_its_checks_and_counts_them_as_not_evaluated() -> None:
    views = (view("web1", SILENT, DOWN),)
    results = evaluate([node_check(lambda _: passed("fine"))], [GatheredCluster(INFO, views, frozenset({"web1"}))])
    assert [(result.status, result.message) for result in results] == [(Status.SKIP, f"not evaluated: {DOWN}")]
    assert coverage_of(results).not_evaluated == 1
    assert verdict_of(results) is Verdict.UNKNOWN


def test_a_check_with_another_source_is_judged_although_the_node_is_down() -> None:
    check = node_check(lambda seen: passed(f"{seen.require(Spare).free_gib}"), facts=(), optional_facts=(Size, Spare))
    node = NodeView(
        cluster=INFO,
        name="sql1",
        host="sql1",
        roles=frozenset({"web"}),
        facts={Size: SILENT, Spare: Spare(7)},
        absence=DOWN,
    )
    assert run([check], node) == [("sql1", "pass", "7")]


def test_an_answer_that_is_missing_costs_only_the_checks_that_go_by_it() -> None:
    check = cluster_check(lambda _: passed("fine"), optional_facts=(Spare,))
    partly = "no answer to backups"
    # Spare was never asked of this node, by its role: what blocked there was something else.
    assert run([check], view("web1"), view("web2", absence=partly)) == [(None, "pass", "fine")]
    blocked = Unknown("timed out", unanswered=True)
    facts: dict[type, object] = {Size: Size(5), Spare: blocked}
    node = NodeView(cluster=INFO, name="web2", host="web2", roles=frozenset({"web"}), facts=facts, absence=partly)
    assert run([check], view("web1"), node) == [(None, "error", "cannot tell without 1 node: web2: timed out")]
    # A node that nothing is known of is missing altogether.
    gone = NodeView(cluster=INFO, name="web2", host="web2", roles=frozenset({"web"}), absence=DOWN)
    optional = cluster_check(lambda _: passed("fine"), facts=(), optional_facts=(Spare,))
    assert run([optional], view("web1"), gone) == [(None, "error", f"cannot tell without 1 node: web2: {DOWN}")]


def test_a_check_that_raises_is_an_error_that_names_the_defect_and_the_run_goes_on() -> None:
    def broken(_: NodeView) -> Outcome:
        raise ZeroDivisionError("by zero")

    told = run([node_check(broken), node_check(lambda _: passed("fine"), id="other")], view("web1"))
    assert told[0][1] == "error"
    assert "ZeroDivisionError: by zero" in told[0][2]
    assert told[1][1] == "pass"


def test_a_check_that_returns_rubbish_is_an_error() -> None:
    told = run([node_check(lambda _: True)], view("web1"))  # type: ignore[arg-type, return-value]
    assert told[0][1] == "error"
    assert "bool" in told[0][2]


@pytest.mark.parametrize(
    ("outcome", "flaw"),
    [
        (Outcome("failed", "broken"), "status 'failed'"),  # type: ignore[arg-type]
        (Outcome("fail", "broken"), "status 'fail'"),  # type: ignore[arg-type]
        (Outcome(Status.WAIVED, "never mind"), "status <Status.WAIVED"),
        (Outcome(Status.PASS, None), "message = None"),  # type: ignore[arg-type]
        (Outcome(Status.PASS, " "), "no message"),
        (Outcome(Status.PASS, "fine", observed=3), "observed = 3"),  # type: ignore[arg-type]
        (Outcome(Status.PASS, "fine", evidence=[]), "evidence = []"),  # type: ignore[arg-type]
        (passed("fine", size=Size(5)), "evidence that is no JSON"),
        (failed("broken", remediation="do it"), "remediation = 'do it'"),  # type: ignore[arg-type]
        (
            replace(not_declared("dpapi", "not said"), status=Status.FAIL),
            "not_declared = 'dpapi' beside the status fail",
        ),
        (
            replace(not_declared("dpapi", "not said"), status=Status.PASS),
            "not_declared = 'dpapi' beside the status pass",
        ),
        (replace(passed("fine"), not_declared=None), "not_declared = None"),  # type: ignore[arg-type]
    ],
)
def test_an_outcome_that_no_report_could_show_is_an_error(outcome: Outcome, flaw: str) -> None:
    for told in (
        run([node_check(lambda _: outcome)], view("web1")),
        run([cluster_check(lambda _: outcome)], view("web1")),
    ):
        assert told[0][1] == "error"
        assert flaw in told[0][2]
        assert "defect" in told[0][2]


@pytest.mark.parametrize("key", ["products", "roles", "facts", "optional_facts", "references"])
def test_a_check_whose_tuple_lacks_its_comma_is_refused(key: str) -> None:
    with pytest.raises(TypeError, match=f"check size: {key} is no tuple, but 'web'"):
        node_check(lambda _: passed("fine"), **{key: "web"})


@pytest.mark.parametrize("outcome", [passed("same"), warned("same, oddly")])
@pytest.mark.parametrize("absent", [view("web3", SILENT, DOWN), view("web3", Unknown("denied"))])
def test_a_cluster_check_never_passes_over_a_gap(outcome: Outcome, absent: NodeView) -> None:
    told = run([cluster_check(lambda _: outcome)], view("web1"), view("web2"), absent)
    assert told[0][:2] == (None, "error")
    assert "web3" in told[0][2]


def test_a_cluster_check_that_proves_a_failure_fails_over_a_gap() -> None:
    told = run([cluster_check(lambda _: failed("web2 differs"))], view("web1"), view("web3", SILENT, DOWN))
    assert told == [(None, "fail", "web2 differs")]


def test_a_node_left_out_is_a_gap_for_the_cluster_and_gets_no_result_of_its_own() -> None:
    left_out = view("web2", Unknown("not selected"), "not selected")
    checks: list[Check] = [node_check(lambda _: passed("fine")), cluster_check(lambda _: passed("same"))]
    told = run(checks, view("web1"), left_out, chosen={"web1"})
    assert [(node, status) for node, status, _ in told] == [("web1", "pass"), (None, "error")]
    assert "web2: not selected" in told[1][2]


def test_an_optional_fact_that_stands_in_is_enough_where_the_node_answered() -> None:
    check = cluster_check(lambda _: passed("same"), facts=(), optional_facts=(Size,))
    assert run([check], view("web1"), view("web2", Unknown("denied")))[0][1] == "pass"
    assert run([check], view("web1"), view("web2", SILENT, DOWN))[0][1] == "error"


def test_an_essential_role_that_nobody_has_is_said() -> None:
    check = node_check(lambda _: passed("fine"), id="sql", products=("secret-server",), roles=("database",))
    told = run([check], view("web1"))
    assert told == [(None, "error", "the inventory names no database node in this cluster, so this was not looked at")]


def test_another_products_checks_are_not_there() -> None:
    assert run([node_check(lambda _: passed("fine"), products=("chef-backend",))], view("web1")) == []


def test_order_is_nodes_by_inventory_then_the_cluster() -> None:
    checks: list[Check] = [
        cluster_check(lambda _: passed("same")),
        node_check(lambda _: passed("fine"), id="a"),
        node_check(lambda _: undetermined("hm"), id="b"),
    ]
    results = evaluate(checks, [GatheredCluster(INFO, (view("web2"), view("web1")), frozenset({"web1", "web2"}))])
    assert [(result.node, result.check) for result in results] == [
        ("web2", "a"),
        ("web2", "b"),
        ("web1", "a"),
        ("web1", "b"),
        (None, "match"),
    ]


def test_remediation_is_told_where_something_is_to_be_done() -> None:
    checks: list[Check] = [
        node_check(lambda _: failed("old"), id="a"),
        node_check(lambda _: passed("fine"), id="b"),
        node_check(lambda _: failed("old", remediation=Remediation("Other.")), id="c"),
    ]
    results = evaluate(checks, [GatheredCluster(INFO, (view("web1"),), frozenset({"web1"}))])
    assert [result.remediation.summary for result in results] == ["Do it.", "", "Other."]


def test_a_fact_that_the_node_denied_is_an_error_although_it_left_another_question_open() -> None:
    told = run([node_check(lambda _: passed("fine"))], view("web1", Unknown("access denied"), "no answer to sql"))
    assert told == [("web1", "error", "access denied")]


def test_what_was_not_answered_is_an_error_although_nobody_says_that_the_node_was_silent() -> None:
    assert run([node_check(lambda _: passed("fine"))], view("web1", SILENT)) == [("web1", "error", DOWN)]


def test_a_check_that_lacks_a_fact_on_its_way_is_an_error_with_the_reason_and_no_defect() -> None:
    def lacking(_: object) -> Outcome:
        raise UnknownFactError("the registry is locked")

    for row in judged([node_check(lacking), cluster_check(lacking)], view("web1"), view("web2")):
        assert (row.status, row.message) == (Status.ERROR, "the registry is locked")


def test_a_check_that_was_ended_is_an_error_that_says_why() -> None:
    def ending(_: object) -> object:
        raise EndedError("it took longer than 5 s")

    checks: list[Check] = [node_check(lambda _: passed("fine")), cluster_check(lambda _: passed("same"))]
    rows = judged(checks, view("web1"), guard=lambda: ending)
    assert [row.status for row in rows] == [Status.ERROR, Status.ERROR]
    assert all("it took longer than 5 s" in row.message and "defect" in row.message for row in rows)
    assert all("Tell whoever wrote the check" in row.remediation.summary for row in rows)


@pytest.mark.parametrize("outcome", [passed("fine"), warned("odd"), failed("broken"), undetermined("hm")])
def test_standard_error_is_shown_and_judged_by_nobody(outcome: Outcome) -> None:
    said: dict[type, dict[str, str]] = {Size: {"disks": "x" * 3_000}, Spare: {"backups": "no such database"}}
    noisy, quiet = replace(view("web1"), error_output=said), view("web2")
    checks: list[Check] = [node_check(lambda _: outcome), cluster_check(lambda _: outcome)]
    loud, silent, whole = judged(checks, noisy, quiet)
    assert loud.evidence == {**outcome.evidence, "standard_error": {"disks": "x" * 2_000}}
    assert whole.evidence == {**outcome.evidence, "standard_error": {"web1": {"disks": "x" * 2_000}}}
    assert silent.evidence == outcome.evidence
    assert {row.status for row in (loud, silent, whole)} == {outcome.status}
    also = node_check(lambda _: outcome, optional_facts=(Spare,))
    assert set(judged([also], noisy)[0].evidence["standard_error"]) == {"disks", "backups"}  # type: ignore[call-overload]


def test_standard_error_stands_beside_what_could_not_be_read() -> None:
    denied = replace(view("web1", Unknown("access denied")), error_output={Size: {"disks": "df: permission denied"}})
    (row,) = judged([node_check(lambda _: passed("fine"))], denied)
    assert (row.status, row.evidence) == (Status.ERROR, {"standard_error": {"disks": "df: permission denied"}})


def test_a_check_that_could_do_without_each_of_its_facts_needs_one_of_them() -> None:
    def judge(seen: NodeView) -> Outcome:
        return passed("nothing found")

    blind = node_check(judge, facts=(), optional_facts=(Size, Spare))
    (row,) = judged([blind], view("web1", SILENT, DOWN))
    assert (row.status, row.message, row.not_evaluated) == (Status.SKIP, f"not evaluated: {DOWN}", True)
    # A denial is an answer, and so is a fact; a check of no facts at all, or with others that it has, is not blind.
    partly = "no answer to backups"
    assert run([blind], view("web1", Unknown("denied"), partly))[0][1] == "pass"
    assert run([blind], view("web1", Size(5), partly))[0][1] == "pass"
    assert run([node_check(judge, facts=())], view("web1", SILENT, DOWN))[0][1] == "pass"
    assert run([node_check(judge, optional_facts=(Spare,))], view("web1", Size(5), partly))[0][1] == "pass"
    # Nobody was silent here, so what is missing is the check's own affair.
    assert run([blind], view("web1", SILENT))[0][1] == "pass"
