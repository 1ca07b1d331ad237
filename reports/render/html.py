"""Documents as HTML pages that need nothing else: a template for each kind decides where things go, and no more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from reports.document import Line, Shown, StepEntry, Text
from reports.render.page import page_pieces
from reports.view import view

if TYPE_CHECKING:
    from checks.baseline.drift import Drift
    from checks.runbook.model import RunbookSet

_PAGES = {"drift": ("drift", "rows.js"), "runbook": ("plan",)}
"""Template, and a script where it is not of that name: a drift's rows are searched and filtered like a scan's."""
_KINDS = {"Line": Line, "StepEntry": StepEntry, "Text": Text}
"""Of entries, for a section that has several."""


def render(done: Drift | RunbookSet) -> str:
    """The page, to be written as UTF-8."""
    return "".join(pieces(done))


def pieces(done: Drift | RunbookSet) -> Iterator[str]:
    """The same, piece by piece."""
    document = view(done, Shown.PAGE)
    template, *scripts = _PAGES[document.kind]
    return page_pieces(template, {"doc": document, **_KINDS}, *scripts)
