"""What earlier runs say, in every format; and nothing of it where no history is kept."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema
import pytest
from lxml import html as lxml_html

from checks.history.model import ClosedFinding, FindingAge, FindingKey, Flapping, ScanHistory, TrendPoint
from checks.outcome import Status
from checks.scan import Scan
from reports.findings.history_text import history_formatter, history_line, trend_line
from reports.render import console, markdown
from reports.render.svg_trend import FOOT, HEIGHT, trend_svg
from reports.scan import html, junit
from reports.scan import json as json_report

FIRST = datetime(2026, 11, 2, 2, 15, tzinfo=UTC)
YESTERDAY = datetime(2026, 11, 20, 2, 15, tzinfo=UTC)
POOL = FindingKey("iis-integrated-pipeline", "vault-prod", "web1")
POOL_2 = FindingKey("iis-integrated-pipeline", "vault-prod", "web2")
SQL = FindingKey("sql-server-version", "vault-prod", "sql1")
KEYS = FindingKey("encryption-config-match", "vault-prod", None)


def standing(subject: FindingKey, status: Status = Status.FAIL, **more: object) -> FindingAge:
    found = FindingAge(subject=subject, status=status, since=FIRST, open_start=False, runs=19, new=False, before=status)
    return replace(found, **more)  # type: ignore[arg-type]


def point(day: int, verdict: str = "NO-GO", **more: int) -> TrendPoint:
    counts = {"fail": 0, "error": 0, "warn": 0, "waived": 0, "passed": 9, "not_evaluated": 0} | more
    return TrendPoint(started=FIRST + timedelta(days=day), verdict=verdict, **counts)


def ended(subject: FindingKey, now: Status | None, message: str = "3 GiB are free") -> ClosedFinding:
    return ClosedFinding(
        subject=subject, was=Status.WARN, message=message, since=FIRST, open_start=True, runs=1, now=now
    )


HISTORY = ScanHistory(
    last=YESTERDAY,
    standings=(
        standing(POOL),
        standing(POOL_2, new=True, before=Status.PASS, runs=1),
        standing(SQL, open_start=True, before=Status.WARN),
        standing(KEYS, Status.ERROR, before=Status.FAIL, runs=2),
    ),
    resolved=(
        ended(FindingKey("disk-space", "vault-prod", "web1"), Status.PASS),
        ended(FindingKey("disk-space", "vault-prod", "web2"), Status.PASS),
        ended(FindingKey("stepping-stone", "chef-prod", None), Status.SKIP),
    ),
    gone=(ended(FindingKey("disk-space", "vault-prod", "web9"), None),),
    flapping=(Flapping(SQL, 4, 10),),
    trend=(point(0, "UNKNOWN", error=2), point(1, "GO", warn=1), point(2, fail=3, error=1)),
)


@pytest.fixture
def scan(rich_scan: Scan) -> Scan:
    return replace(rich_scan, history=HISTORY)


def page(scan: Scan) -> Any:
    return lxml_html.document_fromstring(html.render(scan))


def told(scan: Scan) -> dict[str, str]:
    tell = history_formatter(scan)
    return {f"{row.check} {row.node}": said for row in scan.results if (said := tell(row))}


def test_what_is_said_of_each_finding(scan: Scan) -> None:
    assert told(scan) == {
        "iis-integrated-pipeline web1": "since 2026-11-02 (19 runs)",
        "iis-integrated-pipeline web2": "new",
        "sql-server-version sql1": "since 2026-11-02 or before (19 runs), was warn, flapping: 4 changes in 10 runs",
        "encryption-config-match None": "since 2026-11-02 (2 runs), was fail when last seen",
    }
    assert history_line(scan) == (
        "since the run of 2026-11-20 02:15 UTC: 1 new, 3 resolved, 3 as before, 1 not looked at any more, 1 flapping"
    )


def test_the_first_run_has_nothing_to_compare_with(rich_scan: Scan) -> None:
    scan = replace(rich_scan, history=ScanHistory(last=None, trend=(point(0),)))
    assert told(scan) == {}
    assert history_line(scan) == "the first run in this history"
    assert trend_line(scan) == ""
    for text in (html.render(scan), markdown.render(scan), console.render(scan, color=False, width=100)):
        assert "first run in this history" in text
        assert "<figure" not in text
    jsonschema.validate(json.loads(json_report.render(scan)), json_report.schema())


def test_nothing_changed(rich_scan: Scan) -> None:
    scan = replace(rich_scan, history=replace(HISTORY, standings=(), resolved=(), gone=(), flapping=()))
    assert history_line(scan) == "since the run of 2026-11-20 02:15 UTC: nothing new, nothing resolved"


def test_the_console(scan: Scan) -> None:
    text = console.render(scan, color=False, width=120)
    assert "         history   since 2026-11-02 (19 runs)  (vault-prod: web1)\n" in text
    assert "                   new  (vault-prod: web2)\n" in text
    assert "RESOLVED (2)\n" in text
    where = "disk-space on vault-prod/web1, vault-prod/web2"
    assert f"  - {where}: was warn since 2026-11-02 or before (1 run): 3 GiB are free\n" in text
    assert "NOT LOOKED AT ANY MORE (1)\n" in text
    assert "FLAPPING (1)\n" in text
    assert "  - sql-server-version on vault-prod/sql1: 4 changes in 10 runs\n" in text


def test_the_quiet_console_says_what_is_wrong_and_no_more(scan: Scan) -> None:
    text = console.render(scan, color=False, width=120, quiet=True)
    assert "since 2026-11-02 (19 runs)" in text
    assert "RESOLVED" not in text
    assert "FLAPPING" not in text


def test_markdown(scan: Scan) -> None:
    text = markdown.render(scan)
    assert "\nHistory: since the run of 2026-11-20 02:15 UTC: 1 new, 3 resolved" in text
    assert "  - history: new (vault-prod: web2)\n" in text
    assert "### Resolved (2)\n\n- disk-space on vault-prod/web1, vault-prod/web2: was warn" in text


def test_json_keeps_to_its_schema(scan: Scan) -> None:
    document = json.loads(json_report.render(scan))
    jsonschema.validate(document, json_report.schema())
    found = document["history"]
    assert found["last_run"] == "2026-11-20T02:15:00.000Z"
    assert found["findings"][1] == {
        "check": "iis-integrated-pipeline",
        "cluster": "vault-prod",
        "node": "web2",
        "status": "fail",
        "since": "2026-11-02T02:15:00.000Z",
        "since_or_before": False,
        "runs": 1,
        "new": True,
        "before": "pass",
    }
    assert [item["now"] for item in (*found["resolved"], *found["not_looked_at"])] == ["pass", "pass", "skip", None]
    assert found["trend"][2] == {
        "started": "2026-11-04T02:15:00.000Z",
        "verdict": "NO-GO",
        "fail": 3,
        "error": 1,
        "warn": 0,
        "waived": 0,
        "pass": 9,
        "not_evaluated": 0,
    }
    document["history"]["findings"][0]["status"] = "pass"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, json_report.schema())


def test_the_page(scan: Scan) -> None:
    root = page(scan)
    (section,) = root.xpath("//section[@class='history']")
    (image,) = section.xpath(".//svg")
    assert image.get("role") == "img"
    assert image.get("aria-label") == trend_line(scan)
    assert trend_line(scan) == (
        "3 runs from 2026-11-02 02:15 UTC to 2026-11-04 02:15 UTC: "
        "fail from 0 to 3, error from 2 to 1, warn from 0 to 0"
    )
    cells = [[cell.text for cell in row.xpath("./*")] for row in section.xpath(".//tbody/tr")]
    assert cells[0] == ["2026-11-04 02:15 UTC", "NO-GO", "3", "1", "0", "0", "9", "0"]
    assert [row[1] for row in cells] == ["NO-GO", "GO", "UNKNOWN"]
    assert [item.text for item in section.xpath("./h3")] == ["Resolved", "Not looked at any more", "Flapping"]
    badges = {item.getparent().xpath("./code")[0].text: item.text for item in root.xpath("//strong[@class='new']")}
    assert badges == {"iis-integrated-pipeline": "1 new"}
    rows = root.xpath("//div[@id='results']/details")
    assert sum("History" in row.text_content() for row in rows) == len(HISTORY.standings)
    assert len(root.xpath("//@id")) == len(set(root.xpath("//@id")))


def test_the_picture_shows_each_run() -> None:
    found = trend_svg(HISTORY.trend)
    assert found is not None
    assert found.most == 4
    bars = [(shape.kind, shape.x, shape.height) for shape in found.shapes if shape.y + shape.height <= HEIGHT]
    assert bars == [("t-error", 0, 32), ("t-warn", 20, 16), ("t-fail", 40, 48), ("t-error", 40, 16)]
    assert [shape.kind for shape in found.shapes if shape.height == FOOT] == ["t-unknown", "t-go", "t-no-go"]
    assert all(0 <= shape.y <= found.height - shape.height for shape in found.shapes)
    flat = trend_svg((point(0, "GO"), point(1, "GO")))
    assert flat is not None
    assert [shape.kind for shape in flat.shapes] == ["t-go", "t-go"]
    assert trend_svg((point(0),)) is None


def test_junit_stays_as_it_is(scan: Scan, rich_scan: Scan) -> None:
    assert junit.render(scan) == junit.render(rich_scan)


@pytest.mark.parametrize("render", [html.render, markdown.render, json_report.render])
def test_without_a_history_nothing_is_said_of_one(rich_scan: Scan, render: Callable[[Scan], str]) -> None:
    text = render(rich_scan).split("</style>")[-1].split("<script>")[0].lower()
    assert "history" not in text
    assert "earlier runs" not in text


def test_nothing_that_was_said_then_is_markup_now(rich_scan: Scan) -> None:
    nasty = "<script>alert(1)</script> \x1b[31m `x` [a](javascript:b)"
    subject = FindingKey(nasty, nasty, nasty)
    history = replace(HISTORY, resolved=(ended(subject, Status.PASS, nasty),), flapping=(Flapping(subject, 3, 9),))
    scan = replace(rich_scan, history=history)
    assert len(page(scan).xpath("//script")) == 1
    text = console.render(scan, color=False, width=200) + html.render(scan) + markdown.render(scan)
    assert "\x1b" not in text
    assert "\\[a\\](javascript" in text
    assert not re.search(r"(?<!\\)\[a", markdown.render(scan))
    jsonschema.validate(json.loads(json_report.render(scan)), json_report.schema())
