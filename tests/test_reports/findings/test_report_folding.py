"""One cause, one red line: what only follows from it is folded under it, in every format."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from lxml import html as lxml_html

from checks.outcome import Result
from checks.scan import ClusterRecord, Scan
from reports.findings.grouping import digest
from reports.findings.headline import headline
from reports.render import console, markdown
from reports.scan import html, junit
from reports.scan import json as json_report

MakeResult = Callable[..., Result]
MakeScan = Callable[..., Scan]
RECORD = ClusterRecord(name="vault-prod", product="secret-server", title="Secret Server", nodes=2, asked=2, reached=1)


def build(make_result: MakeResult, make_scan: MakeScan, kind: str) -> Scan:
    cause = f"{kind}:web2"
    rows = [
        make_result("connectivity", "pass", "reached", node="web1"),
        make_result("windows-version", "pass", "fine", node="web1"),
        make_result("clock-skew", "error", "cannot tell without web2", node=None, follows=(cause,)),
        make_result("app-files-match", "error", "cannot compare web2", node=None, follows=(cause,)),
    ]
    if kind == "connectivity":
        skip = make_result(
            "windows-version", "skip", "not evaluated", node="web2", not_evaluated=True, follows=(cause,)
        )
        rows += [make_result("connectivity", "error", "port 5986 refuses connections", node="web2"), skip]
    return replace(make_scan(tuple(rows)), clusters=(RECORD,))


@pytest.fixture
def silent(make_result: MakeResult, make_scan: MakeScan) -> Scan:
    """web2 does not answer, and two checks of the cluster lack it."""
    return build(make_result, make_scan, "connectivity")


@pytest.fixture
def unselected(make_result: MakeResult, make_scan: MakeScan) -> Scan:
    """web1 alone was asked."""
    return build(make_result, make_scan, "selection")


def elements(root: lxml_html.HtmlElement, path: str) -> list[lxml_html.HtmlElement]:
    found: list[lxml_html.HtmlElement] = root.xpath(path)
    return found


def printed(scan: Scan) -> str:
    return console.render(scan, color=False, width=200)


def ends(scan: Scan) -> dict[str, str]:
    root = ET.fromstring(junit.render(scan).encode())  # noqa: S314  our own document
    return {case.get("name", ""): next((child.tag for child in case), "green") for case in root.iter("testcase")}


def test_one_node_that_is_down_is_one_cause(silent: Scan) -> None:
    parts = digest(silent)
    assert [group.check for group in parts.undetermined] == ["connectivity"]
    assert headline(silent, digest(silent)).startswith(
        "1 result could not be determined on 1 node, and 2 of whole clusters for that reason"
    )
    assert (str(silent.verdict), silent.coverage.not_evaluated) == ("UNKNOWN", 4), "the verdict does not change"


def test_readers_see_the_cause_with_what_follows(silent: Scan) -> None:
    told = "1 result there; of the whole cluster clock-skew, app-files-match"
    text = " ".join(console.render(silent, color=False, width=200).split())
    assert "COULD NOT BE DETERMINED (1)" in text
    assert told in text
    assert told in markdown.render(silent)
    assert "### Could not be determined (1)" in markdown.render(silent)
    root: lxml_html.HtmlElement = lxml_html.document_fromstring(html.render(silent))
    (card,) = elements(root, "//article")
    assert told in card.text_content()
    # Every consequence leads to its cause.
    for name in ("vault-prod.cluster.clock-skew", "vault-prod.web2.windows-version"):
        (row,) = elements(root, f"//details[@id='{name}']")
        assert row.xpath(".//dl//a/@href") == [f"#{card.get('id')}"]


def test_in_ci_the_cause_alone_is_an_error(silent: Scan) -> None:
    assert ends(silent) == {
        "verdict": "skipped",
        "connectivity [web1]": "green",
        "windows-version [web1]": "green",
        "connectivity [web2]": "error",
        "windows-version [web2]": "skipped",
        "verdict [vault-prod]": "error",
        "clock-skew [vault-prod]": "skipped",
        "app-files-match [vault-prod]": "skipped",
    }


def test_without_a_clusters_verdict_something_is_red_all_the_same(unselected: Scan) -> None:
    assert ends(replace(unselected, clusters=()))["verdict"] == "error"


def test_a_selected_node_is_answered_for(unselected: Scan) -> None:
    alone = "vault-prod/web1 alone: nothing stands in the way (2 results); the whole cluster was not asked"
    assert str(unselected.verdict) == "UNKNOWN"
    for text in (
        console.render(unselected, color=False, width=200),
        markdown.render(unselected),
        html.render(unselected),
    ):
        assert alone in text
        assert "vault-prod/web2 was not selected" in text
    (group,) = digest(unselected).undetermined
    assert {row.check for row in group.results} == {"clock-skew", "app-files-match"}
    assert json.loads(json_report.render(unselected))["results"][2]["follows"] == ["selection:web2"]


def test_a_selected_node_that_may_not_go_is_not_whitewashed(unselected: Scan, make_result: MakeResult) -> None:
    bad = make_result("disk-space", "fail", "full", node="web1")
    dark = make_result("disk-space", "error", "no answer", node="web1")
    for row in (bad, dark):
        assert "alone" not in console.render(
            replace(unselected, results=(*unselected.results, row)), color=False, width=200
        )
