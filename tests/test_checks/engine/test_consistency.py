from __future__ import annotations

import pytest

from checks.engine.consistency import enumerate_names, group, group_by_reason


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
