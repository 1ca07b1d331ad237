"""Every problem of an inventory is told with its line and column."""

from __future__ import annotations

import inspect
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.errors import InventoryError
from scanner.inventory.reading.positions import positions
from scanner.inventory.writing import toml_text
from scanner.inventory.writing.template import template
from scanner.loading.inventory import _SYNTAX_ADVICE, load_inventory

Preflight = Callable[..., Any]

TEXT = """\
# [clusters.no] is a comment
title = '''
[clusters.no]
port = 1'''
[clusters."a.b".nodes.web1]
  roles = ["x", "]", # ]
    "y"]
"odd key" = { host = "h#", sub.deep = 'q' }
[[waivers]]
check = "one"
[[waivers]]
check = "two"
[waivers.more]
x = 1979-05-27T07:32:00Z
"""


def test_each_key_has_its_place() -> None:
    found = positions(TEXT)
    assert found["clusters", "a.b", "nodes", "web1"] == (5, 1)
    assert found["clusters", "a.b", "nodes", "web1", "roles"] == (6, 3)
    assert found["clusters", "a.b", "nodes", "web1", "odd key", "sub", "deep"] == (8, 32)
    assert found["waivers[1]", "check"] == (10, 1)
    assert found["waivers[2]", "check"] == (12, 1)
    assert found["waivers[2]", "more", "x"] == (14, 1)
    assert not any("no" in place for place in found)


NAMES = st.text(min_size=1, max_size=6)
VALUES = st.recursive(
    st.text(max_size=8) | st.integers(-99, 99) | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(NAMES, VALUES, max_size=4))
def test_what_is_found_is_what_the_library_reads(table: dict[str, Any]) -> None:
    try:
        text = toml_text.dumps(table)
        read = tomllib.loads(text)
    except (ValueError, TypeError):
        return
    found = positions(text)
    assert set(paths(read)) <= set(found)
    assert not {place for place in found if not any("[" in part for part in place)} - set(paths(read))


def paths(table: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, value in table.items():
        yield (*above, name)
        if isinstance(value, dict):
            yield from paths(value, (*above, name))


def test_every_line_of_the_template_is_where_it_says() -> None:
    lines = template().splitlines()
    for place, (line, column) in positions(template()).items():
        assert lines[line - 1][column - 1 :].startswith(("[", '"', place[-1]))


def test_problems_are_told_with_line_and_column(preflight: Preflight, tmp_path: Path) -> None:
    path = tmp_path / "i.toml"
    path.write_text(
        '[clusters.c]\nproduct = "chef-backend"\n\n[clusters.c.nodes.b1]\n  port = 99999\nroles = ["backend"]\n'
        "[clusters.c.nodes.b2]\nhost = 'x'\n",
        encoding="utf-8",
    )
    with pytest.raises(InventoryError) as caught:
        load_inventory(path)
    assert [(problem.place, problem.line, problem.column) for problem in caught.value.problems] == [
        ("clusters.c.nodes.b1.port", 5, 3),
        ("clusters.c.nodes.b2.roles", 7, 1),
    ]
    ended = preflight("validate", path)
    assert "clusters.c.nodes.b1.port: 99999 is out of range; expected 1 to 65535 (line 5, column 3)" in ended.err


def test_every_message_of_the_parser_has_a_cure() -> None:
    source = inspect.getsource(tomllib._parser)  # type: ignore[attr-defined]
    said = re.findall(r'suffixed_err\(\s*src,\s*\w+(?: \+ \d)?,\s*f?("[^\n]*"|\'[^\n]*\')', source)
    assert len(said) > 10
    said = [text.replace("\\'", "'").replace("\\\\", "\\") for text in said]
    assert not [
        text for text in said if not any(sign in text.replace("\\", "") or sign in text for sign, _ in _SYNTAX_ADVICE)
    ]


def test_the_home_of_nobody_that_is_known(preflight: Preflight, tmp_path: Path) -> None:
    path = tmp_path / "i.toml"
    path.write_text(
        "[clusters.c]\nproduct = 'chef-backend'\nkey_file = '~nobody-of-that-name/key'\n"
        "[clusters.c.nodes.b1]\nroles = ['backend']\n",
        encoding="utf-8",
    )
    assert "a user nobody-of-that-name, whom this machine does not know: write ~/" in preflight("validate", path).out
