from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.chef_backend.backend.search_index import SearchIndex
from scanner.probes.chef_backend.search_index import read_search_index
from scanner.probes.probe import Answer, UnreadableError


@pytest.mark.parametrize(
    ("settings", "version"),
    [
        ({"index": {"version": {"created": "5061699", "created_string": "5.6.16"}}}, "5.6.16"),
        ({"index": {"version": {"created": "5040199"}}}, "5.4.1"),
        ({"index": {"version": {"created": "2030199"}}}, "2.3.1"),
        ({"index.version.created_string": "6.8.23"}, "6.8.23"),
    ],
)
def test_the_version_is_read_in_each_of_its_forms(settings: object, version: str) -> None:
    answer = Answer(json.dumps({"chef": {"settings": settings}}), 0)
    assert read_search_index(answer) == SearchIndex(version)


def test_the_oldest_index_counts() -> None:
    said = {
        name: {"settings": {"index": {"version": {"created_string": version}}}}
        for name, version in (("chef", "5.6.16"), ("chef_old", "5.4.1"), ("chef_new", "10.0.0"))
    }
    assert read_search_index(Answer(json.dumps(said), 0)) == SearchIndex("5.4.1")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "does not say"),
        ("none\n", "neither curl nor wget"),
        ("<html>proxy</html>", "not understood: <html>proxy</html>"),
        ('{"error": {"type": "index_not_found_exception"}, "status": 404}', "names no index"),
        ('{"chef": {"settings": {"index": {"version": {"created": "five"}}}}}', "not understood"),
        ("[" * 100_000, "not understood"),
    ],
)
def test_what_is_no_answer_is_unknown(text: str, why: str) -> None:
    with pytest.raises(UnreadableError, match=why):
        read_search_index(Answer(text, 0))


@given(st.text())
def test_garbage_is_never_more_than_unreadable(text: str) -> None:
    with pytest.raises(UnreadableError):
        read_search_index(Answer(text, 0))
