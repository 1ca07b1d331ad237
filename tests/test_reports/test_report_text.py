from __future__ import annotations

import json
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.text import escape_invisible, escape_json, one_line, truncate, web_url

ANY_TEXT = st.text(st.characters(exclude_categories=()))


@pytest.mark.parametrize(
    ("given_text", "shown"),
    [
        ("\x1b[31m", "\\x1b[31m"),
        ("a\x00b", "a\\x00b"),
        ("\x9b1m", "\\x9b1m"),
        ("\ud800", "\\ud800"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("\U000e0041", "\\U000e0041"),
        ("\ufffe", "\\ufffe"),
        ("one\r\ntwo\rthree", "one\ntwo\\x0dthree"),
        ("Zürich 東京 \N{GRINNING FACE} C:\\x\ttab", "Zürich 東京 \N{GRINNING FACE} C:\\x\ttab"),
    ],
)
def test_what_cannot_be_seen_is_spelled_out(given_text: str, shown: str) -> None:
    assert escape_invisible(given_text) == shown


@given(ANY_TEXT)
def test_nothing_that_is_returned_controls_anything(text: str) -> None:
    shown = escape_invisible(text)
    shown.encode("utf-8")
    assert not {unicodedata.category(char) for char in shown if char not in "\n\t"} & {"Cc", "Cs", "Zl", "Zp"}
    assert escape_invisible(shown) == shown


@given(ANY_TEXT, st.integers(30, 200))
def test_one_line_is_one_short_line(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert len(line) <= limit
    assert len(line.splitlines()) <= 1
    assert len(truncate(text, limit)) <= limit


def test_a_cut_says_that_it_is_one() -> None:
    assert one_line("x" * 100_000).endswith("... (99,000+ more characters)")


@given(ANY_TEXT.filter(lambda text: not any("\ud800" <= char <= "\udfff" for char in text)))
def test_json_escapes_read_back_to_the_same_value(text: str) -> None:
    document = escape_json(json.dumps({"text": text}, ensure_ascii=False))
    assert json.loads(document) == {"text": text}
    assert escape_invisible(document) == document


@pytest.mark.parametrize("url", ["https://docs.example/a?b=1&c=2#d", "http://10.0.0.1:8080/"])
def test_web_addresses_may_become_links(url: str) -> None:
    assert web_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JAVASCRIPT:alert(1)",
        " https://x.example",
        "java\nscript:alert(1)",
        "data:text/html,x",
        "//x.example",
        "https://",
        'https://x.example/"onclick="x',
        "https://x.example/\u202e",
        "https://[bad",
        "file:///etc/passwd",
        "ftp://x.example/",
        "javascript://x.example/%0aalert(1)",
        "",
    ],
)
def test_nothing_else_becomes_a_link(url: str) -> None:
    assert web_url(url) is None


@pytest.mark.parametrize("unit", ["\u202e", "\ud800", "\x1b[31m", " ", "\n", "`", "_a", "@a"])
def test_megabytes_of_anything_take_no_time_and_little_room(unit: str) -> None:
    text = unit * (3_000_000 // len(unit))
    started = time.process_time()
    for shown in (one_line(text), truncate(text), one_line(f"a{text}b", 50)):
        assert len(shown) <= 4_000
        assert "more characters" in shown
    assert time.process_time() - started < 0.5
