"""A plan whose every text holds what a node may make up: it reaches no terminal, and no command, as what it is."""

from __future__ import annotations

import dataclasses
import enum
import re
from typing import Any

import pytest

from checks.runbook.names import CommandQuoter
from reports.render import html as plan_html
from reports.render import markdown as plan_markdown
from reports.text import has_invisible
from tests.test_scanner.test_plan import book

HOSTILE = "\x1b]52;c;ZXZpbA==\x07\x9b2J\u202e\u2028\u2029\x85\u2066\ud800\r\x0b\x0c"
_KEYS = {"documented", "language", "url"}
"""What is looked up, not shown."""


def poisoned(value: Any) -> Any:
    """The same with the hostile text behind every text in it."""
    if isinstance(value, enum.Enum):
        return value
    if isinstance(value, str):
        return value and f"{value}{HOSTILE}"
    if isinstance(value, tuple):
        return tuple(poisoned(each) for each in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        changed = {
            field.name: poisoned(getattr(value, field.name))
            for field in dataclasses.fields(value)
            if field.init and field.name not in _KEYS
        }
        return dataclasses.replace(value, **changed)
    return value


@pytest.mark.parametrize("name", ["vault-mirrored", "chef-rolling", "chef-drbd"])
def test_no_control_character_is_in_a_plan(name: str) -> None:
    bad = poisoned(book(name))
    markdown = plan_markdown.render(bad)
    assert "\\x1b]52" in markdown
    # The zero-width blanks are our own: they keep the renderer from making links.
    assert not has_invisible(markdown.replace("\u200b", ""))
    assert len(markdown.splitlines()) == len(plan_markdown.render(book(name)).splitlines())
    page = plan_html.render(bad)
    assert "\\x1b]52" in page
    assert not has_invisible(page)


@pytest.mark.parametrize(
    "quote", ["\u02ba", "\uff02", "\u2018", "\u2019", "\u201b", "\u201c", "\u201d", "\u2033", "\u02bc"]
)
def test_what_a_console_takes_for_a_quotation_mark_is_in_no_command(quote: str) -> None:
    names = CommandQuoter()
    name = f"Pool{quote}&calc"
    for text in (name, f"Pool{quote}"):
        for said in (names.cmd(text, "the pool"), names.path(text, "the pool"), names.posix(text, "the pool")):
            assert quote not in said
            assert "<the pool>" in said
    assert names.unknown == ["the pool: it holds characters that do not belong into a command"]


def test_names_of_inventories_may_be_in_any_script() -> None:
    for text in ("/home/müller/tresor.toml", "インベントリ"):
        assert text in CommandQuoter().posix(text, "the inventory")
        assert re.search("<.*>", CommandQuoter().cmd(text, "the pool of web1"))
