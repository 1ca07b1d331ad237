"""The rules of the two schemas that CI systems hold JUnit files to, written out: order, attributes, formats."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace

import pytest

from checks.outcome import Result, Status
from checks.scan import Scan
from reports.scan.junit import render

MakeResult = Callable[..., Result]
MakeScan = Callable[..., Scan]


def parsed(scan: Scan) -> ET.Element:
    return ET.fromstring(render(scan).encode("utf-8"))  # noqa: S314  our own document


def case(root: ET.Element, name: str) -> ET.Element:
    (found,) = (item for item in root.iter("testcase") if item.get("name") == name)
    return found


def total(root: ET.Element, attribute: str) -> int:
    return sum(int(suite.get(attribute, "")) for suite in root)


def assert_strict(root: ET.Element) -> None:
    assert root.tag == "testsuites"
    assert not root.attrib
    seen = set()
    for index, suite in enumerate(root):
        assert suite.tag == "testsuite"
        wanted = {"id", "name", "package", "timestamp", "hostname", "tests", "failures", "errors", "skipped", "time"}
        assert set(suite.attrib) == wanted
        assert suite.get("id") == str(index)
        assert suite.get("name")
        assert suite.get("hostname", "").strip()
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.get("timestamp", ""))
        assert re.fullmatch(r"\d+\.\d{1,3}", suite.get("time", ""))
        cases = suite.findall("testcase")
        assert [child.tag for child in suite] == ["properties"] + ["testcase"] * len(cases) + [
            "system-out",
            "system-err",
        ]
        for found in suite.iter("property"):
            assert set(found.attrib) == {"name", "value"}
            assert found.get("name")
        for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.get(attribute, "")) == sum(1 for item in cases if item.find(tag) is not None)
        assert int(suite.get("tests", "")) == len(cases)
        for item in cases:
            assert set(item.attrib) == {"classname", "name", "time"}
            assert re.fullmatch(r"\d+\.\d{1,3}", item.get("time", ""))
            assert len(item) <= 1
            key = (item.get("classname"), item.get("name"))
            assert key not in seen
            seen.add(key)
            for child in item:
                assert set(child.attrib) == ({"message"} if child.tag == "skipped" else {"message", "type"})
                message = child.get("message", "")
                assert 0 < len(message) <= 1000
                assert "\n" not in message
                assert child.text


def test_it_is_what_the_schemas_demand(rich_scan: Scan, make_scan: MakeScan) -> None:
    assert_strict(parsed(rich_scan))
    assert_strict(parsed(replace(rich_scan, strict=True, partial=True)))
    assert_strict(parsed(make_scan(())))


def test_it_is_so_with_hostile_targets(hostile_scan: Scan) -> None:
    text = render(hostile_scan)
    assert_strict(parsed(hostile_scan))
    assert "<![CDATA[" not in text
    assert "]]>" not in text
    assert "\\x1b[2J" in text
    assert "\\ud800" in text


def test_one_suite_per_node_and_per_cluster_with_stable_names(rich_scan: Scan) -> None:
    root = parsed(rich_scan)
    assert [suite.get("name") for suite in root] == [
        "preflight",
        *(f"vault-prod.{name}" for name in ("web1", "web2", "web3", "sql1", "cluster")),
        *(f"chef-prod.{name}" for name in ("backend-1", "backend-2", "backend-3", "cluster")),
    ]
    assert case(root, "windows-version [web1]").get("classname") == "vault-prod.web1"
    assert case(root, "encryption-config-match [vault-prod]").get("classname") == "vault-prod.cluster"


def test_dots_in_names_do_not_become_packages(make_result: MakeResult, make_scan: MakeScan) -> None:
    rows = [make_result("windows-version", "pass", "", node="10.0.0.1", cluster=name) for name in ("a.b", "a_b")]
    cases = list(parsed(make_scan(tuple(rows))).iter("testcase"))[1:]
    assert [item.get("name") for item in cases] == ["windows-version [10.0.0.1]"] * 2
    assert [item.get("classname") for item in cases] == ["a_b.10_0_0_1", "a_b.10_0_0_1 (2)"]


def test_each_status_has_its_child(rich_scan: Scan) -> None:
    root = parsed(rich_scan)
    assert len(case(root, "windows-version [web1]")) == 0
    assert len(case(root, "windows-version [web2]")) == 0
    (failure,) = case(root, "sql-server-version [sql1]")
    assert failure.tag == "failure"
    assert failure.get("message") == "SQL Server 2008 R2 is older than SQL Server 2012"
    assert [line.partition(":")[0] for line in (failure.text or "").splitlines()[1:]] == [
        "expected",
        "observed",
        "remediation",
        "command",
        "link",
    ]
    (error,) = case(root, "connectivity [web3]")
    assert error.tag == "error"
    for name in ("dotnet-framework [web3]", "app-version-match [vault-prod]", "stepping-stone [chef-prod]"):
        (skipped,) = case(root, name)
        assert skipped.tag == "skipped"
        assert skipped.get("message", "?") in (skipped.text or "")


def test_a_warning_passes_and_is_told_in_the_suite(rich_scan: Scan) -> None:
    (suite,) = (item for item in parsed(rich_scan) if item.get("name") == "vault-prod.web2")
    assert "windows-version [web2]: the machine is a domain controller" in (suite.findtext("system-out") or "")


def test_a_warning_fails_where_the_scan_is_strict(rich_scan: Scan) -> None:
    root = parsed(replace(rich_scan, strict=True))
    assert case(root, "windows-version [web2]")[0].tag == "failure"
    assert total(root, "failures") == 4


def test_a_nodes_time_is_counted_once(rich_scan: Scan) -> None:
    suite = parsed(rich_scan)[1]
    assert suite.get("time") == "1.235"
    assert [item.get("time") for item in suite.iter("testcase")] == ["1.235", "0.000", "0.000", "0.000"]


def test_the_verdict_adds_nothing_to_what_the_cases_say(rich_scan: Scan) -> None:
    root = parsed(rich_scan)
    assert case(root, "verdict")[0].tag == "skipped"
    assert total(root, "failures") == 3
    assert total(root, "errors") == 2


def test_a_go_is_green(make_result: MakeResult, make_scan: MakeScan) -> None:
    root = parsed(make_scan((make_result("windows-version", "pass", "fine"),)))
    assert total(root, "failures") + total(root, "errors") + total(root, "skipped") == 0


@pytest.mark.parametrize("partial", [False, True])
def test_what_is_no_go_and_no_failure_is_never_green(
    make_result: MakeResult, make_scan: MakeScan, partial: bool
) -> None:
    """A gate that counts failures and errors must stop at a scan that judged nothing, or was cut short."""
    row = make_result("windows-version", "pass" if partial else "skip", "not for this one")
    for scan in (make_scan((row,), partial=partial), make_scan((), partial=partial)):
        root = parsed(scan)
        assert total(root, "errors") == 1
        assert (case(root, "verdict")[0].get("message") or "").startswith("UNKNOWN: ")


def test_no_status_is_left_out(make_result: MakeResult, make_scan: MakeScan) -> None:
    for status in Status:
        assert len(list(parsed(make_scan((make_result("windows-version", status, "x"),))).iter("testcase"))) == 2
