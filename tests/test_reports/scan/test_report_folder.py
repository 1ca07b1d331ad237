"""A fleet as a folder of pages: an index that decides, and a page for each cluster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import unquote

from lxml import html as lxml_html

from checks.history.model import ScanHistory, TrendPoint
from checks.outcome import Result
from checks.scan import ClusterRecord, Scan
from reports.scan.page.folder import INDEX, pages
from tests.test_reports.conftest import STARTED

MakeResult = Callable[..., Result]
MakeScan = Callable[..., Scan]


def parsed(text: str) -> lxml_html.HtmlElement:
    return lxml_html.document_fromstring(text)


def fleet(make_result: MakeResult, make_scan: MakeScan, names: tuple[str, ...]) -> Scan:
    rows = tuple(
        make_result("disk-space", "fail" if number % 2 else "pass", f"of {name}!", cluster=name, node="n")
        for number, name in enumerate(names)
    )
    records = (ClusterRecord(name=name, product="chef-backend", title="Chef Backend", owner="Ada") for name in names)
    return replace(make_scan(rows), clusters=tuple(records))


def test_the_index_leads_to_every_cluster_the_bad_ones_first(make_result: MakeResult, make_scan: MakeScan) -> None:
    names = ("good", "bad", "also good", "worse")
    made = pages(fleet(make_result, make_scan, names))
    assert list(made)[-1] == INDEX
    root = parsed(made[INDEX])
    links = root.xpath("//tbody[@id='clusters']//a")
    assert [link.text for link in links] == ["bad", "worse", "good", "also good"]
    for link in links:
        page = parsed(made[unquote(link.get("href"))])
        assert f"of {link.text}!" in page.text_content()
        assert not any(f"of {other}!" in page.text_content() for other in names if other != link.text)
        assert page.xpath(f"//a[@href='{INDEX}']")
        assert page.xpath("//h1/text()") == ["NO-GO" if link.text in ("bad", "worse") else "GO"]


def test_no_cluster_takes_the_page_of_another(make_result: MakeResult, make_scan: MakeScan) -> None:
    names = ("a/b", "a_b", "A_B", "index", "..", "...", "x" * 200, "x" * 201, "\u202e<b>", ".htaccess")
    made = pages(fleet(make_result, make_scan, names))
    assert len({name.lower() for name in made}) == len(made) == len(names) + 1
    for name in made:
        assert name.endswith(".html")
        assert not name.startswith(".")
        assert "/" not in name


def test_each_cluster_shows_its_own_trend(make_result: MakeResult, make_scan: MakeScan) -> None:
    def point(verdict: str) -> TrendPoint:
        return TrendPoint(
            started=STARTED, verdict=verdict, fail=1, error=0, warn=0, waived=0, passed=1, not_evaluated=0
        )

    scan = fleet(make_result, make_scan, ("good", "bad"))
    trend = {"good": (point("GO"),) * 3, "bad": (point("GO"), point("NO-GO"))}
    made = pages(replace(scan, history=ScanHistory(last=STARTED, by_cluster=trend)))
    root = parsed(made[INDEX])
    told = [svg.get("aria-label") for svg in root.xpath("//tbody//svg")]
    assert told == ["last 2 runs: 1 GO, 1 NO-GO", "last 3 runs: 3 GO"]
    assert parsed(made["good.html"]).xpath("//figure[@class='trend']")


def test_what_belongs_to_no_cluster_is_on_the_index(make_result: MakeResult, make_scan: MakeScan) -> None:
    scan = fleet(make_result, make_scan, ("good",))
    plugin = make_result("plugins", "error", "plugin x does not load", cluster="", node=None)
    made = pages(replace(scan, results=(plugin, *scan.results), notices=("good: a rule is off", "of all")))
    text = parsed(made[INDEX]).text_content()
    assert "plugin x does not load" in text
    assert "of all" in text
    assert "a rule is off" in parsed(made["good.html"]).text_content()
