from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from checks.check import ClusterInfo, NodeView
from checks.engine.connectivity import CHECK, judge
from checks.facts import Contact, UnknownFactError
from checks.outcome import Status

Clusters = Callable[..., ClusterInfo]
Nodes = Callable[..., NodeView]

FINE = Contact(host="web1.example", transport="winrm", failure=None, asked=5, answered=5)


def test_a_node_that_answered_everything_passes(cluster: Clusters, node: Nodes) -> None:
    outcome = judge(node(cluster(), FINE))
    assert outcome.status is Status.PASS
    assert outcome.message == "reached over winrm; 5 of 5 questions answered"


def test_a_node_that_is_down_is_an_error_with_the_cause_and_the_hint(cluster: Clusters, node: Nodes) -> None:
    down = replace(FINE, failure="connection refused", asked=5, answered=0, hint="Is WinRM on? Run winrm quickconfig.")
    outcome = judge(node(cluster(), down))
    assert outcome.status is Status.ERROR
    assert outcome.message == "connection refused"
    assert outcome.remediation is not None
    assert outcome.remediation.summary == "Is WinRM on? Run winrm quickconfig."


def test_without_a_hint_the_checks_own_remediation_stands(cluster: Clusters, node: Nodes) -> None:
    assert judge(node(cluster(), replace(FINE, failure="cut off", answered=2))).remediation == CHECK.remediation


def test_questions_left_unanswered_are_named(cluster: Clusters, node: Nodes) -> None:
    outcome = judge(node(cluster(), replace(FINE, answered=3, unanswered=("iis", "sql"))))
    assert outcome.status is Status.ERROR
    assert outcome.message == "no answer to: iis, sql"
    assert outcome.evidence["unanswered"] == ["iis", "sql"]


def test_counts_that_do_not_add_up_do_not_pass(cluster: Clusters, node: Nodes) -> None:
    assert judge(node(cluster(), replace(FINE, answered=4))).status is Status.ERROR


def test_a_conversation_that_nobody_recorded_is_unknown(cluster: Clusters, node: Nodes) -> None:
    with pytest.raises(UnknownFactError, match="was not gathered"):
        judge(node(cluster()))


@pytest.mark.parametrize(
    ("reason", "cure"),
    [
        ("the answer ends in the middle", "something ended the script on the node before its end"),
        ("the script's output ended before it", "something ended the script on the node before its end"),
        ("the node's time was used up before", "the questions before it took all the time"),
        ("SQL Server does not answer", "the other questions were answered"),
        ("timed out after 30 s", "ask it by hand on the node to see what hangs"),
        ("the node answered something else; they begin: Welcome", "printed in place of the answer"),
        ("the shell printed nothing", "log in there by hand with the same account"),
        ("it was killed on the node", "look at the account's limits there"),
        ("nobody knows", CHECK.remediation.summary),
    ],
)
def test_what_helps_follows_from_why_a_question_has_no_answer(
    cluster: Clusters, node: Nodes, reason: str, cure: str
) -> None:
    said = replace(FINE, answered=4, unanswered=("sql",), reasons=(reason,))
    outcome = judge(node(cluster(), said))
    assert outcome.message == f"no answer to: sql ({reason})"
    assert outcome.remediation is not None
    assert cure in outcome.remediation.summary
    hinted = judge(node(cluster(), replace(said, hint="Raise `timeout`."))).remediation
    assert hinted is not None
    assert hinted.summary == "Raise `timeout`."


def test_of_several_reasons_the_gravest_says_what_helps(cluster: Clusters, node: Nodes) -> None:
    said = replace(FINE, answered=2, unanswered=("iis", "sql", "disks"), reasons=("odd", "timed out", "is damaged"))
    outcome = judge(node(cluster(), said))
    assert outcome.message == "no answer to: iis (odd); sql (timed out); disks (is damaged)"
    assert outcome.remediation is not None
    assert outcome.remediation.summary.startswith("something ended the script")


@pytest.mark.parametrize(
    ("reasons", "message"),
    [
        (("late", "late"), "no answer to: iis, sql (late)"),
        (("late",), "no answer to: iis (late); sql"),
        ((), "no answer to: iis, sql"),
    ],
)
def test_questions_with_one_reason_are_told_together(
    cluster: Clusters, node: Nodes, reasons: tuple[str, ...], message: str
) -> None:
    said = replace(FINE, answered=3, unanswered=("iis", "sql"), reasons=reasons)
    assert judge(node(cluster(), said)).message == message


def test_the_machine_itself_is_not_reached_over_anything(cluster: Clusters, node: Nodes) -> None:
    outcome = judge(node(cluster(), replace(FINE, transport="local", asked=1, answered=1)))
    assert outcome.message == "asked on this machine itself; 1 of 1 question answered"
