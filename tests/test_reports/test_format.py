"""Every format gives every document that it says it can be had in."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from checks.runbook.model import RunbookSet
from checks.scan import Scan
from reports.format import DRIFT, FORMATS, RUNBOOK, SCAN, format_named
from tests.test_reports.drift.test_drift_reports import drift

ASKED = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)
PAIRS = [(each.name, document) for each in FORMATS for document in each.render]


@pytest.mark.parametrize(("name", "document"), PAIRS, ids=str)
def test_the_document_is_rendered(name: str, document: str, rich_scan: Scan) -> None:
    documents: dict[str, Any] = {
        SCAN: rich_scan,
        DRIFT: drift(),
        RUNBOOK: RunbookSet(inventory="inventory.toml", tool_version="1.0", asked=ASKED, plans=(), notices=()),
    }
    text = format_named(name).render[document](documents[document])
    assert "inventory.toml" in text or "i.toml" in text or name == "csv"
    assert text.endswith("\n")


def test_a_folder_of_pages_ends_with_its_index(rich_scan: Scan) -> None:
    folders = [each for each in FORMATS if each.pages]
    assert folders
    for each in folders:
        assert each.pages
        assert [name for name, _ in each.pages(rich_scan)][-1] == each.index
