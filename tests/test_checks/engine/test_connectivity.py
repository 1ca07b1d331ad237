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
