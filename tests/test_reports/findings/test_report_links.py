"""Every format names the page that a remedy points to by its title: the page of today, and beside it the one read."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from xml.etree import ElementTree as ET

import pytest
from lxml import html as lxml_html
from markdown_it import MarkdownIt

from checks.outcome import Remediation, Result
from checks.scan import Scan
from checks.secret_server.urls import CLUSTERING_URL
from reports.render import console, markdown
from reports.scan import csv as csv_report
from reports.scan import html, junit
from reports.scan import json as json_report

TODAY = "https://docs.delinea.com/online-help/secret-server/setup/upgrading/index.htm"
TITLES = ("Upgrading Secret Server", "Upgrading Secret Server with Web Clustering (as of 2021-05-25)")


@pytest.fixture
def scan(make_result: Callable[..., Result], make_scan: Callable[..., Scan]) -> Scan:
    fix = Remediation("Start it.", url=CLUSTERING_URL)
    return make_scan((make_result("windows-version", "fail", "x", remediation=fix),))


def test_the_console_has_a_line_for_each(scan: Scan) -> None:
    lines = [line.strip() for line in console.render(scan, color=False, width=80).splitlines()]
    first = next(place for place, line in enumerate(lines) if line.startswith("link "))
    assert lines[first].removeprefix("link").strip() == f"{TITLES[0]}: {TODAY}"
    assert lines[first + 1] == f"{TITLES[1]}: {CLUSTERING_URL}"


def test_the_page_links_the_titles(scan: Scan) -> None:
    found = [link for link in lxml_html.fromstring(html.render(scan)).iter("a") if link.get("rel")]
    assert [(link.text, link.get("href")) for link in found] == [(TITLES[0], TODAY), (TITLES[1], CLUSTERING_URL)]


def test_markdown_links_the_titles(scan: Scan) -> None:
    assert f"see [{TITLES[0]}]({TODAY}), [{TITLES[1]}]({CLUSTERING_URL})" in markdown.render(scan)


def test_junit_names_both(scan: Scan) -> None:
    (failure,) = ET.fromstring(junit.render(scan)).iter("failure")  # noqa: S314  written by ourselves
    assert f"\nlink: {TITLES[0]}: {TODAY}\nlink: {TITLES[1]}: {CLUSTERING_URL}" in (failure.text or "")


def test_json_has_them_beside_the_address_of_today(scan: Scan) -> None:
    fix = json.loads(json_report.render(scan))["results"][0]["remediation"]
    assert fix["url"] == TODAY
    assert fix["links"] == [{"title": TITLES[0], "url": TODAY}, {"title": TITLES[1], "url": CLUSTERING_URL}]


def test_csv_has_the_address_of_today(scan: Scan) -> None:
    (row,) = csv.DictReader(io.StringIO(csv_report.render(scan)))
    assert row["link"] == TODAY


@pytest.mark.parametrize("title", ["[x](javascript:alert(1))", "<img src=x>", "`x` | y\n\n# z", "\x1b[31mred", "@all"])
def test_a_title_is_text_and_nothing_else(
    title: str, make_result: Callable[..., Result], make_scan: Callable[..., Scan]
) -> None:
    fix = Remediation("x", url="https://a.example/b_(c)", title=title)
    found = make_scan((make_result("windows-version", "fail", "x", remediation=fix),))
    page = [link for link in lxml_html.fromstring(html.render(found)).iter("a") if link.get("rel")]
    assert [link.get("href") for link in page] == ["https://a.example/b_(c)"]
    inline = [part for token in MarkdownIt().parse(markdown.render(found)) for part in token.children or ()]
    assert [part.attrs["href"] for part in inline if part.type == "link_open"] == ["https://a.example/b_%28c%29"]
    assert {part.content for part in inline if part.type in ("html_inline", "image")} == {"<sub>", "</sub>"}
    assert "\x1b" not in console.render(found, color=False, width=80)
    ET.fromstring(junit.render(found))  # noqa: S314
