from __future__ import annotations

from dataclasses import dataclass

import pytest

from checks.engine.consistency import Denied, Missing, compare, compared, group
from checks.engine.wording import enumerate_names, group_by_reason
from checks.facts import Unknown
from checks.outcome import Outcome, failed, undetermined, warned
from scanner.testing import cluster_view


@dataclass(frozen=True, slots=True)
class Roman:
    """A fact of the tests."""

    numeral: str


@pytest.mark.parametrize(
    ("values", "sentence", "outliers"),
    [
        ("ab", "web1 against web2", ()),
        ("aab", "web3 differs from web1 and web2", ("web3",)),
        ("abb", "web1 differs from web2 and web3", ("web1",)),
        ("abab", "web1 and web3 against web2 and web4", ()),
        ("abcaa", "web2 and web3 differ from web1, web4 and web5", ("web2", "web3")),
        ("aabbc", "web1 and web2 against web3 and web4 against web5", ()),
    ],
)
def test_who_differs_from_whom(values: str, sentence: str, outliers: tuple[str, ...]) -> None:
    found = group((f"web{at}", value) for at, value in enumerate(values, 1))
    assert not found.agree
    assert found.sentence() == sentence
    assert found.outliers == outliers


@pytest.mark.parametrize("values", ["", "a", "aaa"])
def test_nobody_differs(values: str) -> None:
    found = group((f"web{at}", value) for at, value in enumerate(values, 1))
    assert found.agree
    assert found.outliers == ()


def test_names_make_a_sentence() -> None:
    assert [enumerate_names(names) for names in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]


def test_a_reason_that_many_nodes_have_is_told_once() -> None:
    reasons = [("web1", "not answered"), ("web2", "access is denied"), ("web3", "not answered")]
    assert group_by_reason(reasons) == ["web1 and web3: not answered", "web2: access is denied"]


MIXED = compared(
    [
        ("web1", "a"),
        ("web2", Missing()),
        ("web3", Denied("locked")),
        ("web4", Unknown("timed out")),
        ("web5", "a"),
        ("web6", "b"),
        ("web7", Denied("locked")),
    ]
)


def test_nodes_are_sorted_by_what_is_known_of_them() -> None:
    assert MIXED.values == (("web1", "a"), ("web5", "a"), ("web6", "b"))
    assert MIXED.missing == ("web2",)
    assert MIXED.denied == (("web3", "locked"), ("web7", "locked"))
    assert MIXED.gaps == (("web4", "timed out"),)
    assert MIXED.not_compared == ["web3 and web7: locked", "web4: timed out"]


def test_each_kind_of_finding_is_told_in_the_checks_own_words() -> None:
    assert MIXED.differing(failed) == [failed("web6 differs from web1 and web5")]
    assert MIXED.lacking(warned) == [warned("web2")]
    assert MIXED.closed(undetermined) == [undetermined("web3 and web7")]


def test_what_is_not_there_is_not_told() -> None:
    same = compared([("web1", "a"), ("web2", "a"), ("web3", Unknown("down"))])
    assert [*same.differing(failed), *same.lacking(failed), *same.closed(failed)] == []


@pytest.mark.parametrize(
    ("others", "told"),
    [
        ([], undetermined("web1")),
        ([("web2", Unknown("down"))], undetermined("web1")),
        ([("web2", "a")], failed("web1")),
        ([("web2", Denied("locked"))], failed("web1")),
    ],
)
def test_what_nobody_has_is_no_outlier(others: list[tuple[str, str | Denied | Unknown]], told: Outcome) -> None:
    found = compared([("web1", Missing()), *others])
    assert found.lacking(failed, nobody=undetermined) == [told]


def test_a_node_whose_fact_is_unknown_is_a_gap() -> None:
    view = cluster_view("chef-backend", {"a": Roman("x"), "b": Unknown("down"), "c": Roman("-")}, roles=("backend",))
    found = compare(view, Roman, lambda fact: Missing() if fact.numeral == "-" else fact.numeral)
    assert (found.values, found.missing, found.gaps) == ((("a", "x"),), ("c",), (("b", "down"),))
