"""What a check over several nodes says that could not be told: each cause once, and the remedy that answers it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from checks.check import NOT_SELECTED, ClusterView, NodeView
from checks.facts import Unknown
from checks.outcome import Outcome, Remediation, Result, Status, combine, failed, passed, undetermined, warned
from tests.test_checks.engine.sizes import DOWN, Size, cluster_check, down, judged, view

DENIED = view("web3", Unknown("access denied"))
GRANT = Remediation("Grant the right to read it.")
UNLOCK = "Clear what connectivity says of {}, then scan again."


def told(judge: Callable[[ClusterView], Outcome], *views: NodeView) -> Result:
    (row,) = judged([cluster_check(judge)], *views)
    return row


def test_a_cause_that_the_check_did_not_tell_is_told_beside_what_it_says() -> None:
    row = told(lambda _: undetermined("the target is no version"), view("web1"), DENIED)
    assert row.message == "the target is no version; web3: access denied"
    assert row.evidence == {"missing": ["web3: access denied"]}
    row = told(lambda _: undetermined("the target is no version"), view("web1"), down("web2"))
    assert row.message == f"the target is no version; web2: {DOWN}"


def test_a_cause_that_it_told_is_not_told_twice() -> None:
    row = told(lambda _: undetermined("cannot compare (web3: access denied)"), view("web1"), DENIED, down("web2"))
    assert row.message == f"cannot compare (web3: access denied); web2: {DOWN}"


def sent_on(view: ClusterView) -> Outcome:
    """A check that tells who did not answer in words of its own."""
    silent = [node.name for node in view.nodes if node.absence]
    return undetermined(f"{silent[0]} did not answer (see connectivity)") if silent else passed("same")


def test_of_a_silent_node_connectivity_tells_the_cause_and_of_others_the_check_does() -> None:
    row = told(sent_on, view("web1"), down("web2"))
    assert (row.message, row.follows) == ("web2 did not answer (see connectivity)", ("connectivity:web2",))
    assert row.evidence == {"missing": [f"web2: {DOWN}"]}
    row = told(sent_on, view("web1"), down("web2"), DENIED)
    assert row.message == "web2 did not answer (see connectivity); web3: access denied"


def test_a_failure_stands_and_its_evidence_says_who_was_missing() -> None:
    row = told(lambda _: failed("web1 differs"), view("web1"), down("web2"))
    assert (row.status, row.message, row.follows) == (Status.FAIL, "web1 differs", ())
    assert row.evidence == {"missing": [f"web2: {DOWN}"]}


def test_where_nodes_are_silent_alone_the_remedy_is_theirs() -> None:
    row = told(lambda _: passed("same"), view("web1"), down("web2"), down("web3"))
    assert row.follows == ("connectivity:web2", "connectivity:web3")
    assert row.remediation.summary == UNLOCK.format("web2 and web3")


@pytest.mark.parametrize(
    ("absence", "cause", "remedy"),
    [
        (NOT_SELECTED, "selection:web2", "Scan again with web2 selected, too: nobody was asked there."),
        ("interrupted", "interruption:web2", "Scan again, to the end: web2 had not answered yet."),
    ],
)
def test_why_a_node_was_not_asked_says_what_to_do(absence: str, cause: str, remedy: str) -> None:
    away = replace(view("web2", Unknown(absence, unanswered=True), absence))
    row = told(lambda _: passed("same"), view("web1"), away)
    assert (row.follows, row.remediation.summary) == ((cause,), remedy)


@pytest.mark.parametrize("others", [(DENIED,), (DENIED, down("web2"))])
def test_where_more_is_in_the_way_than_silence_nothing_is_folded_under_it(others: tuple[NodeView, ...]) -> None:
    row = told(lambda _: passed("same"), view("web1"), *others)
    assert (row.status, row.follows) == (Status.ERROR, ())
    assert "access denied" in row.message
    assert "Clear the cause named in the message" in row.remediation.summary


def test_a_whole_set_that_cannot_be_told_has_no_cause_but_its_own() -> None:
    row = told(lambda _: undetermined("the target is no version"), view("web1"), view("web2"))
    assert (row.message, row.follows, row.evidence) == ("the target is no version", (), {})


def lacking_a_right(view: ClusterView) -> Outcome:
    """A check whose own remedy is a grant, which it asks for of each node that it cannot read."""
    unread = [f"{node.name} cannot be read" for node, _ in view.without_fact(Size)]
    locked = [f"{node.name} is locked" for node, size in view.with_fact(Size) if size.free_gib < 0]
    return undetermined("; ".join([*locked, *unread]), remediation=GRANT) if locked or unread else passed("same")


def test_no_remedy_of_the_checks_own_answers_a_node_that_is_down() -> None:
    row = told(lacking_a_right, view("web1"), down("web2"))
    assert (row.follows, row.remediation.summary) == (("connectivity:web2",), UNLOCK.format("web2"))
    row = told(lacking_a_right, down("web1"), down("web2"))
    assert (row.follows, row.remediation.summary) == (
        ("connectivity:web1", "connectivity:web2"),
        UNLOCK.format("web1 and web2"),
    )


def test_what_the_nodes_that_answered_lack_keeps_its_remedy() -> None:
    row = told(lacking_a_right, view("web1", Size(-1)), down("web2"))
    assert (row.status, row.follows) == (Status.ERROR, ())
    assert row.message == f"web1 is locked; web2 cannot be read; web2: {DOWN}"
    assert row.remediation.summary.startswith(GRANT.summary)


def test_what_only_fewer_nodes_lack_is_no_trouble_of_the_whole_set() -> None:
    """Asked of those that answered, the check errs for another reason: that they are too few."""

    def judge(view: ClusterView) -> Outcome:
        if len(view.nodes) < 2:
            return undetermined("one node alone is compared with nobody", too_few=True)
        return lacking_a_right(view)

    assert told(judge, view("web1"), down("web2")).follows == ("connectivity:web2",)


@pytest.mark.parametrize("remedy", [None, GRANT], ids=["none", "its own"])
def test_a_trouble_of_a_node_that_answered_is_never_folded_under_one_that_is_down(remedy: Remediation | None) -> None:
    """web2 may come back: web1 is locked all the same, and somebody has to be told to unlock it."""

    def judge(view: ClusterView) -> Outcome:
        return replace(lacking_a_right(view), remediation=remedy)

    row = told(judge, view("web1", Size(-1)), down("web2"))
    assert (row.status, row.follows) == (Status.ERROR, ())
    assert "web1 is locked" in row.message
    assert told(judge, view("web1"), down("web2")).follows == ("connectivity:web2",)


def test_a_warning_that_is_told_beside_a_silent_node_is_no_trouble_of_its_own() -> None:
    """Asked of those that answered, the check errs for being asked of too few of them."""

    def judge(view: ClusterView) -> Outcome:
        if view.without_fact(Size):
            return undetermined("web2 cannot be read; web1 is nearly full")
        return combine(
            [undetermined("the cluster has 2 nodes, and 1 is listed", too_few=True), warned("web1 is nearly full")]
        )

    assert told(judge, view("web1"), down("web2")).follows == ("connectivity:web2",)


def test_that_all_nodes_of_the_inventory_are_too_few_is_a_trouble_of_its_own() -> None:
    """web2 may come back: a third node is not in the inventory all the same."""

    def judge(view: ClusterView) -> Outcome:
        listed = undetermined(f"the cluster has 3 nodes, and {len(view.nodes)} are listed", too_few=True)
        return combine([listed, *([lacking_a_right(view)] if view.without_fact(Size) else [])])

    row = told(judge, view("web1"), down("web2"))
    assert (row.follows, row.message.partition(";")[0]) == ((), "the cluster has 3 nodes, and 2 are listed")


@pytest.mark.parametrize("words", ["the target is no version", "1 of {} nodes has no version"])
def test_a_trouble_is_told_by_what_it_is_and_not_by_its_words(words: str) -> None:
    """That of a node that answered may be told in other words where more nodes are looked at, and within another's."""

    def judge(view: ClusterView) -> Outcome:
        return undetermined(words.format(len(view.nodes)))

    assert told(judge, view("web1"), down("web2")).follows == ()

    def within(view: ClusterView) -> Outcome:
        few = undetermined("too few", too_few=True)
        return undetermined("web2: unread, too few") if view.without_fact(Size) else few

    assert told(within, view("web1"), down("web2")).follows == ("connectivity:web2",)
