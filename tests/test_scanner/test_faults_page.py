"""The page of faults says what the scanner says today: every fault of it is made to happen again."""

from __future__ import annotations

import os
import re

import pytest

from checks.engine.connectivity import CHECK
from tests.faults_page import PAGE, Row, page, rows

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def found() -> list[Row]:
    return rows()


@pytest.mark.skipif(os.name == "nt", reason="the page is made with POSIX processes")
def test_the_page_is_what_happens(found: list[Row]) -> None:
    assert PAGE.read_text(encoding="utf-8") == page(found), "run `make readme`, and read what has changed"


@pytest.mark.skipif(os.name == "nt", reason="the page is made with POSIX processes")
def test_no_fault_lets_anybody_go_or_leaves_its_reader_alone(found: list[Row]) -> None:
    assert {row.verdict for row in found} == {"UNKNOWN"}
    assert not [row.fault for row in found if not row.said.strip() or not row.cure.strip()]
    assert len({row.way for row in found}) == 6
    # Each row has a cure of its own, none that fits every fault, and no name of a Python class as its cause.
    general = CHECK.remediation.summary
    assert not [row.fault for row in found if row.cure == general]
    assert not [row.said for row in found if re.search(r"\b[A-Z]\w+(?:Error|Exception)\b", row.said)]
    # A time limit alone is no cause: what was under way when it ran out is told with it.
    limits = [row.said for row in found if re.search(r"within [\d.]+ s", row.said)]
    assert limits
    assert not [said for said in limits if re.fullmatch(r"no full answer within [\d.]+ s", said)]
    # What waits says so, and nothing else does.
    assert not [row.said for row in found if "CREATE LOGIN" in row.cure]
