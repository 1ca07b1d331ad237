"""From what was found to the document that formats show. A new document is a view, and a line here."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from reports.document import Document, Shown

if TYPE_CHECKING:
    from checks.baseline.drift import Drift
    from checks.runbook.model import RunbookSet
    from checks.scan import Scan

_VIEWS = {"Scan": "reports.scan.view", "Drift": "reports.drift.view", "RunbookSet": "reports.runbook.view"}
"""By the name of its class: who shows one document loads no other."""


def view(done: Scan | Drift | RunbookSet, shown: Shown = Shown.FILE) -> Document:
    """The document, with the sections that are for `shown`."""
    document: Document = import_module(_VIEWS[type(done).__name__]).view(done, shown)
    return document
