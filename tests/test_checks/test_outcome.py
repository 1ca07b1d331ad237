from __future__ import annotations

from dataclasses import replace

import pytest

from checks.outcome import (
    Outcome,
    Remediation,
    Status,
    combine,
    conclude,
    failed,
    not_applicable,
    not_declared,
    passed,
    undetermined,
    warned,
)

RANKED = [failed("f"), undetermined("e"), warned("w"), passed("p"), not_applicable("s")]


@pytest.mark.parametrize("at", range(len(RANKED)))
def test_the_gravest_status_wins_in_any_order(at: int) -> None:
    rest = RANKED[at:]
    assert combine(rest).status is RANKED[at].status
    assert combine(list(reversed(rest))).status is RANKED[at].status


def test_every_message_that_matters_is_told_once_gravest_first() -> None:
    outcome = combine([passed("fine"), warned("old"), failed("broken"), warned("old"), not_applicable("moot")])
    assert outcome.message == "broken; old"


def test_a_skip_beside_a_pass_says_nothing() -> None:
    assert combine([not_applicable("moot"), passed("fine")]).message == "fine"
    assert combine([not_applicable("moot"), not_applicable("beside the point")]).message == "moot; beside the point"


def test_all_evidence_is_kept() -> None:
    outcome = combine([passed("a", left=1), failed("b", right=2)])
    assert outcome.evidence == {"left": 1, "right": 2}


def test_the_remedy_of_the_gravest_finding_is_shown() -> None:
    mild, urgent = Remediation("look"), Remediation("stop")
    assert combine([warned("a", remediation=mild), failed("b", remediation=urgent)]).remediation == urgent
    assert combine([failed("b"), failed("c", remediation=urgent)]).remediation == urgent


def test_what_helps_against_a_warning_is_no_way_out_of_a_failure() -> None:
    assert combine([warned("a", remediation=Remediation("look")), failed("b")]).remediation is None


def test_nothing_to_combine_is_a_defect() -> None:
    with pytest.raises(ValueError, match="no outcome"):
        combine([])


def test_could_not_tell_is_a_status_of_its_own() -> None:
    assert undetermined("why") == Outcome(Status.ERROR, "why")


def test_what_is_said_once_for_the_whole_stands_for_what_each_finding_says() -> None:
    found = [failed("a", expected="x", observed="1", one=1), warned("b", expected="y", observed="2", two=2)]
    assert conclude(found) == combine(found)
    whole = conclude(found, expected="all", observed="", evidence={})
    assert (whole.status, whole.message, whole.expected, whole.observed, whole.evidence) == (
        Status.FAIL,
        "a; b",
        "all",
        "",
        {},
    )


def test_what_is_not_declared_is_told_where_nothing_else_is() -> None:
    key = not_declared("dpapi", "`dpapi` is not declared")
    assert combine([not_applicable("moot"), key]).not_declared == "dpapi"
    assert combine([not_applicable("moot")]).not_declared == ""
    for other in (passed("fine"), warned("odd"), failed("broken"), undetermined("hm")):
        assert combine([key, other]).not_declared == ""
        assert combine([key, other]).message == other.message


def test_several_remedies_are_one_in_the_language_of_its_commands() -> None:
    plain = Remediation("Look at it.", url="https://a")
    shell = Remediation("Start it.", "start", language="sh")
    other = Remediation("Query it.", "SELECT 1", url="https://b", language="sql")
    both = combine([failed("a", remediation=plain), failed("b", remediation=replace(plain, summary="And at that."))])
    assert both.remediation == Remediation("Look at it. And at that.", url="https://a")
    mixed = combine([failed("a", remediation=plain), failed("b", remediation=shell), failed("c", remediation=other)])
    assert mixed.remediation == Remediation("Look at it. Start it. Query it.", "start", url="https://a", language="sh")
