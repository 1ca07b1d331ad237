"""Reports that come piece by piece are, byte for byte, what they were as a whole."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from checks.outcome import Result, Status
from checks.scan import Scan
from reports.format import FORMATS, SCAN
from reports.render.json_text import json_safe, pretty, pretty_pieces
from reports.scan import html, junit
from reports.scan import json as scan_json
from reports.scan.page.folder import page_by_page, pages
from reports.text import escape_json

ODD: dict[str, Any] = {
    "empty": [{}, [], "", (), set()],
    "numbers": [0, -1, 1.5, 1e300, float("nan"), float("inf"), 2**80, True, False, None],
    "texts": ["a\nb", "\u202e", "\ud800", "\x1b[31m", 'quo"te', "back\\slash", "é", "🙂", "\u2028", "x" * 40_000],
    "keys": {"": 1, "\ud800": {"a": []}, 3: {None: [[[]]]}, "\x00": [{"b": {}}]},
    "bytes": b"\xff\x00",
    "set": {"b", "a"},
    "object": object,
}


def nested(depth: int) -> Any:
    return [nested(depth - 1), {"k": nested(depth - 1)}] if depth else "end"


@pytest.mark.parametrize(
    "document", [{}, ODD, {"deep": nested(6)}, {"a": {"b": [ODD, {"c": [ODD]}]}}], ids=["nothing", "odd", "deep", "in"]
)
def test_json_is_laid_out_as_the_library_does(document: dict[str, Any]) -> None:
    said = json.dumps(json_safe(document), indent=2, ensure_ascii=False, allow_nan=False)
    assert "".join(pretty_pieces(document)) == pretty(json_safe(document)) == escape_json(said) + "\n"


@pytest.mark.parametrize("items", [[], [ODD], [1, {"a": []}, ODD]], ids=["none", "one", "three"])
def test_an_iterator_is_a_list_that_is_never_there_as_a_whole(items: list[Any]) -> None:
    listed = "".join(pretty_pieces({"before": 1, "items": items, "after": {}}))
    assert "".join(pretty_pieces({"before": 1, "items": iter(items), "after": {}})) == listed


def test_what_nests_too_deeply_is_cut_off_at_the_same_depth() -> None:
    deep: Any = "end"
    for _ in range(30):
        deep = [deep]
    listed = json.dumps(json_safe({"items": [deep]}), indent=2) + "\n"
    assert "".join(pretty_pieces({"items": iter([deep])})) == listed


def test_every_format_gives_the_same_in_pieces(rich_scan: Scan) -> None:
    streamed = [each for each in FORMATS if SCAN in each.pieces]
    assert {each.name for each in streamed} >= {"json", "junit", "html"}
    for each in FORMATS:
        assert "".join(each.written(SCAN, rich_scan)) == each.render[SCAN](rich_scan)


def test_the_json_report_is_its_document(rich_scan: Scan) -> None:
    said = json.dumps(scan_json.document(rich_scan), indent=2, ensure_ascii=False, allow_nan=False)
    assert scan_json.render(rich_scan) == escape_json(said) + "\n"


def test_junit_is_one_indented_tree(rich_scan: Scan) -> None:
    text = junit.render(rich_scan)
    root = ET.fromstring(text)  # noqa: S314  our own
    for element in root.iter():
        if element.tag in ("testsuites", "testsuite", "testcase", "properties") and len(element):
            element.text = None
            for child in element:
                child.tail = None
    ET.indent(root)
    again = f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'
    assert again == text


@pytest.mark.parametrize(("report", "most"), [(scan_json, 1), (html, 200)], ids=["json", "html"])
def test_a_report_is_made_result_by_result(
    make_result: Callable[..., Result], make_scan: Callable[..., Scan], report: Any, most: int
) -> None:
    """Writing can stop after any piece: no later result has been touched by then, but for those of the same piece."""
    touched: list[int] = []

    class Watched(dict[str, object]):
        def __init__(self, number: int) -> None:
            super().__init__(number=number)
            self._number = number

        def items(self) -> Any:
            touched.append(self._number)
            return super().items()

    row = make_result("disk-space", Status.PASS, "there is room")
    rows = [replace(row, node=f"web{number}", evidence=Watched(number)) for number in range(500)]
    scan = make_scan(tuple(rows))
    pieces = report.pieces(scan)
    while not touched:
        next(pieces)
    assert touched == list(range(len(touched)))
    assert len(touched) <= most
    assert "".join(pieces)
    assert len(touched) == len(rows)


def test_pages_come_one_by_one_and_the_index_last(rich_scan: Scan) -> None:
    coming = page_by_page(rich_scan)
    first = next(coming)
    rest = list(coming)
    assert dict([first, *rest]) == pages(rich_scan)
    assert rest[-1][0] == "index.html"
