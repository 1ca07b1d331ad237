from __future__ import annotations

from checks.engine.documentation import WHY, section

DOC = """It is big enough.

## What it checks
The size.

## Why it matters
A small one
is too small.

Then it is full.

## How to fix it
Make it larger.
"""


def test_a_section_is_its_paragraphs_on_a_line_each() -> None:
    assert section(DOC, WHY) == "A small one is too small.\nThen it is full."
    assert section(DOC, "What it checks") == "The size."
    assert section(DOC, "How to fix it") == "Make it larger."


def test_a_heading_that_is_not_there_has_nothing_below_it() -> None:
    assert section(DOC, "It is big enough.") == ""
    assert section("", WHY) == section("## Why it matters", WHY) == ""
