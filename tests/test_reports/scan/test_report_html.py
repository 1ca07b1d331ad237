from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from lxml import html as lxml_html

from checks.outcome import Remediation, Result
from checks.scan import Scan
from reports.scan.html import render

MakeResult = Callable[..., Result]
MakeScan = Callable[..., Scan]

VOID = {"meta", "input", "br", "img", "link", "hr"}


def page(scan: Scan) -> lxml_html.HtmlElement:
    return lxml_html.document_fromstring(render(scan))


def texts(root: lxml_html.HtmlElement, path: str) -> list[str]:
    return [" ".join(item.text_content().split()) for item in root.xpath(path)]


def test_verdict_and_coverage_come_first(rich_scan: Scan) -> None:
    root = page(rich_scan)
    assert texts(root, "//h1") == ["NO-GO"]
    assert texts(root, "//title") == ["NO-GO · inventory.toml · preflight"]
    assert "15 of 22 planned results evaluated" in root.xpath("//header")[0].text_content()
    assert texts(root, "//h2")[:5] == [
        "Clusters 2",
        "Good to know about this scan",
        "Blockers 2",
        "Could not be determined 2",
        "Warnings 1",
    ]


def test_a_blocker_says_what_it_hit_and_how_to_fix_it(rich_scan: Scan) -> None:
    root = page(rich_scan)
    (card,) = (item for item in root.xpath("//article") if "iis-integrated-pipeline" in item.text_content())
    assert [item.text for item in card.xpath(".//a[@class='chip']")] == ["web1", "web2"]
    assert [item.text for item in card.xpath(".//dt")] == ["On", "Expected", "Observed", "Fix", "Command", "Read"]
    assert texts(card, ".//pre/code")[0].endswith('"SecretServer" /managedPipelineMode:Integrated')
    assert card.xpath(".//a[starts-with(@href, 'http')]/@href") == ["https://docs.example/secret-server/iis"]
    for chip in card.xpath(".//a[@class='chip']"):
        (target,) = root.xpath(f"//*[@id='{chip.get('href')[1:]}']")
        assert f"vault-prod/{chip.text}" in target.text_content()


def test_the_matrix_says_each_status_in_words(rich_scan: Scan) -> None:
    root = page(rich_scan)
    first, second = root.xpath("//details[contains(@class, 'board')]")
    assert texts(first, ".//thead//th")[:4] == ["Node", "iis-integrated-pipeline", "sql-server-version", "connectivity"]
    (web3,) = first.xpath(".//tbody/tr[th/text()='web3']")
    cells = dict(zip(texts(first, ".//thead//th"), texts(web3, "./*"), strict=True))
    assert (cells["connectivity"], cells["windows-version"], cells["sql-server-version"]) == (
        "error",
        "not run",
        "not planned",
    )
    # What is about the whole cluster stands above its nodes, so that no table has to be scrolled to find it.
    assert texts(second, ".//p[@class='whole']/a/b") == ["pass", "n/a"]


def test_what_is_wrong_comes_first_and_what_may_go_is_folded(make_result: MakeResult, make_scan: MakeScan) -> None:
    rows = [
        make_result("windows-version", "pass", "fine", cluster=name, node=node)
        for name in ("good", "bad")
        for node in ("a", "b")
    ]
    rows += [
        make_result("disk-space", "fail", "full", cluster="bad", node="b"),
        make_result("disk-space", "pass", "fine", cluster="bad", node="a"),
    ]
    root = page(make_scan(tuple(rows)))
    assert texts(root, "//table[@class='clusters']/tbody/tr/th") == ["bad", "good"]
    good, bad = root.xpath("//details[contains(@class, 'board')]")
    assert ("open" in good.attrib, "open" in bad.attrib) == (False, True)
    assert texts(bad, ".//thead//th") == ["Node", "disk-space", "windows-version"]
    for href in root.xpath("//table[@class='clusters']//a/@href"):
        assert root.xpath(f"//details[@id='{href[1:]}']")


def test_a_result_has_the_same_address_in_every_run(make_result: MakeResult, make_scan: MakeScan) -> None:
    rows = [make_result("disk-space", "pass", "fine", cluster="c d", node=f"n{number}") for number in range(3)]
    rows.append(make_result("clock-skew", "fail", "late", cluster="c d", node=None))
    for found in (rows, rows[1:], rows[::-1]):
        ids = page(make_scan(tuple(found))).xpath("//details[contains(@class, 'row')]/@id")
        assert {"c_d.n1.disk-space", "c_d.cluster.clock-skew"} <= set(ids)
    twins = (
        make_result("x", "pass", "fine", cluster="a.b", node="c"),
        make_result("x", "fail", "bad", cluster="a", node="b.c"),
    )
    assert page(make_scan(twins)).xpath("//details[contains(@class, 'row')]/@id") == ["a.b.c.x", "a.b.c.x~2"]


def test_a_card_says_why_it_matters(make_result: MakeResult, make_scan: MakeScan) -> None:
    scan = replace(make_scan((make_result("disk-space", "fail", "full"),)), why={"disk-space": "Once.\nTwice."})
    (why,) = page(scan).xpath("//details[@class='why']")
    assert texts(why, "./p") == ["Once.", "Twice."]


def test_a_large_page_keeps_every_result_in_fewer_rows(make_result: MakeResult, make_scan: MakeScan) -> None:
    rows = [
        make_result(f"check-{check}", "pass", "it is as it should be", cluster=f"c{number}", node=f"n{number}")
        for number in range(100)
        for check in range(20)
    ]
    rows.append(make_result("check-7", "fail", "it is not", cluster="c7", node="other"))
    root = page(make_scan(tuple(rows)))
    (row,) = root.xpath("//details[@class='row']")
    assert row.get("id") == "c7.other.check-7"
    bundles = root.xpath("//details[@class='row bundle']")
    assert len(bundles) == 20
    kept = {
        (part.get("data-c"), part.text, bundle.get("data-k"))
        for bundle in bundles
        for part in bundle.xpath(".//p[@data-c]")
    }
    assert kept == {(row.cluster, row.node, row.check) for row in rows[:-1]}
    assert len(render(make_scan(tuple(rows)))) < 400_000


def test_every_result_is_there_with_its_evidence(rich_scan: Scan) -> None:
    root = page(rich_scan)
    rows = root.xpath("//details[contains(@class, 'row')]")
    assert len(rows) == len(rich_scan.results)
    for row, result in zip(rows, rich_scan.results, strict=True):
        assert result.message in row.text_content()
        assert result.check in row.text_content()
        assert row.get("data-s") == result.status
        for href in row.xpath(".//dl//a/@href"):
            assert result.message in root.xpath(f"//article[@id='{href[1:]}']")[0].text_content()
        assert row.get("id") == f"{result.cluster}.{result.node or 'cluster'}.{result.check}"
        assert bool(row.xpath(".//dl//a")) == (result.status in ("fail", "error", "warn", "waived"))
        for key in result.evidence:
            assert key in row.xpath(".//pre[@class='evidence']")[0].text_content()


def test_it_needs_nothing_from_anywhere(rich_scan: Scan, hostile_scan: Scan) -> None:
    for scan in (rich_scan, hostile_scan):
        root = page(scan)
        assert not root.xpath(
            "//@src | //link | //img | //iframe | //object | //@style | //@*[starts-with(name(), 'on')]"
        )
        assert "url(" not in root.xpath("//style")[0].text
        assert "@import" not in root.xpath("//style")[0].text


def test_the_policy_allows_its_own_style_and_script_only(rich_scan: Scan) -> None:
    root = page(rich_scan)
    (policy,) = root.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    for tag in ("style", "script"):
        (element,) = root.xpath(f"//{tag}")
        digest = base64.b64encode(hashlib.sha256(element.text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_it_can_be_read_without_script(rich_scan: Scan) -> None:
    """What only a script can serve is hidden until the script shows it."""
    root = page(rich_scan)
    for control in root.xpath("//form | //button"):
        assert control.xpath("ancestor-or-self::*[@hidden]")


def test_nothing_from_a_target_is_markup(hostile_scan: Scan) -> None:
    text = render(hostile_scan)
    text.encode("utf-8")
    root = page(hostile_scan)
    tags = {item.tag for item in root.iter() if isinstance(item.tag, str)}
    assert not tags & {"img", "iframe", "object", "embed", "base", "textarea", "b2"}
    assert len(root.xpath("//script")) == 1
    assert len(root.xpath("//style")) == 1
    assert all(re.fullmatch(r"#[\w.~%-]+", href, re.ASCII) for href in root.xpath("//a/@href"))
    assert "javascript:document.title" in root.text_content()
    assert "{{ 7*7 }}" in root.text_content()
    assert re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text) is None


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_web_addresses_are_linked(make_result: MakeResult, make_scan: MakeScan, scheme: str) -> None:
    fix = Remediation("x", url=f"{scheme}://docs.example/?a=1&b=2")
    root = page(make_scan((make_result("windows-version", "fail", "x", remediation=fix),)))
    assert set(root.xpath("//a[@rel]/@href")) == {fix.url}


def test_fifty_nodes_and_ten_checks_stay_under_a_megabyte(make_result: MakeResult, make_scan: MakeScan) -> None:
    fix = Remediation(
        "Upgrade it before the window. " * 6,
        "Get-ItemProperty HKLM:\\SOFTWARE\\Some\\Key" * 2,
        url="https://a.example/b",
    )
    rows = [
        make_result(
            f"check-number-{check}",
            ("pass", "fail", "warn", "error", "pass")[(node + check) % 5],
            f"the state of thing {check} is told in a sentence of about this length on this node",
            node=f"web-{node:02d}",
            expected="Windows Server 2008 R2 or later, because the target is 11.7.000049",
            observed=f"Windows Server 2019 Standard (10.0.17763.{node})",
            remediation=fix,
            evidence={"sha256": f"{node:064x}", "lines": [f"line {n} of what was read" for n in range(40)]},
        )
        for node in range(50)
        for check in range(10)
    ]
    assert len(render(make_scan(tuple(rows))).encode()) < 1_000_000


def test_partial_strict_and_empty_scans_are_said(rich_scan: Scan, make_scan: MakeScan) -> None:
    root = page(replace(rich_scan, strict=True, partial=True))
    header = root.xpath("//header")[0].text_content()
    assert "Interrupted." in header
    assert "strict: warnings count as failures" in header
    assert "exit code 130" in header
    assert "Blockers 3" in texts(root, "//h2")
    empty = page(make_scan(()))
    assert texts(empty, "//h1") == ["UNKNOWN"]
    assert "nothing was judged" in empty.text_content()


def test_ids_are_unique(rich_scan: Scan) -> None:
    ids = page(rich_scan).xpath("//@id")
    assert len(ids) == len(set(ids))
