"""A scan as JUnit XML, for the CI job that gates on it.

The document is valid against the Jenkins schema (xunit plugin, junit-10.xsd) and against the Ant schema (windyroad
JUnit.xsd), which Azure DevOps names as its own. junit-xml builds the suites; it writes attributes that neither schema
knows, puts a suite's output before its cases, leaves out a time of zero, and gives others six decimals. So its elements
are brought into the strict shape before they are written.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET  # only written, never parsed
from collections.abc import Iterable, Sequence
from datetime import UTC
from typing import Any

from junit_xml import TestCase, TestSuite

from checks.outcome import Result, Status
from checks.scan import CONNECTIVITY, NodeRecord, Scan, Verdict
from reports.grouping import attested_line, blocks, coverage_line, headline, waiver_line
from reports.text import clipped, one_line

_FIELD_CHARS = 10_000
_SUITE_ATTRIBUTES = ("id", "name", "package", "timestamp", "hostname", "tests", "failures", "errors", "skipped", "time")


def render(scan: Scan) -> str:
    """The XML document: the suite `preflight` with the verdict, then one suite per node and one per cluster."""
    stamp = scan.started.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    root = ET.Element("testsuites")
    for index, suite in enumerate(_suites(scan)):
        suite.id, suite.timestamp = str(index), stamp
        root.append(_strict(suite.build_xml_doc()))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _suites(scan: Scan) -> Iterable[Any]:
    yield _verdict_suite(scan)
    clusters = list(dict.fromkeys([node.cluster for node in scan.nodes] + [row.cluster for row in scan.results]))
    records = {(node.cluster, node.node): node for node in scan.nodes}
    used: set[str] = set()
    for cluster in clusters:
        rows = [row for row in scan.results if row.cluster == cluster]
        names = [name for owner, name in records if owner == cluster] + [
            row.node for row in rows if row.node is not None
        ]
        for name in dict.fromkeys(names):
            class_name = _unused(f"{_dotless(cluster)}.{_dotless(name)}", used)
            mine = [row for row in rows if row.node == name]
            yield _suite(class_name, _dotless(cluster), name, mine, scan, records.get((cluster, name)))
        class_name = _unused(f"{_dotless(cluster)}.cluster", used)
        yield _suite(class_name, _dotless(cluster), cluster, [row for row in rows if row.node is None], scan, None)


def _suite(
    class_name: str, package: str, name: str, rows: Sequence[Result], scan: Scan, record: NodeRecord | None
) -> Any:
    timed = next((row for row in rows if row.check == CONNECTIVITY), rows[0] if rows else None)
    cases, said, used = [], [], set[str]()
    for row in rows:
        # All of a node is asked at once, so its time is on one case, and the suite's sum is right.
        elapsed_s = max(0.0, record.seconds) if record is not None and row is timed else 0.0
        case = TestCase(_unused(_label(row.check, name), used), class_name, elapsed_s)
        _judge(case, row, strict=scan.strict)
        cases.append(case)
        if row.status is Status.WARN and not scan.strict:
            said.append(f"warning: {case.name}: {one_line(row.message)}\n{_details(row)}".rstrip())
    return TestSuite(
        class_name,
        cases,
        hostname=(one_line(record.host, 255) if record else "") or "localhost",
        package=package,
        properties=_node_properties(record),
        stdout="\n".join(said),
    )


def _judge(case: Any, row: Result, *, strict: bool) -> None:
    waived = waiver_line(row)
    message = one_line(f"{waived}: {row.message}" if waived else row.message) or str(row.status)
    text = f"{message}\n{_details(row)}".rstrip()
    if blocks(row, strict=strict):
        case.add_failure_info(message, text, f"preflight.{row.status}")
    elif row.status is Status.ERROR:
        case.add_error_info(message, text, "preflight.error")
    elif row.status in (Status.SKIP, Status.WAIVED):
        case.add_skipped_info(message, text)


def _details(row: Result) -> str:
    fields = (
        ("expected", row.expected),
        ("observed", row.observed),
        ("waived because", row.waiver.reason if row.waiver else ""),
        ("remediation", row.remediation.summary),
        ("command", row.remediation.command),
        ("link", row.remediation.url),
    )
    return "\n".join(f"{name}: {clipped(value, _FIELD_CHARS)}" for name, value in fields if value)


def _verdict_suite(scan: Scan) -> Any:
    """The one suite that speaks of the whole.

    Many gates count failures and errors only. A scan that was cut short, or that judged nothing, may have neither and
    yet is no GO: then, and only then, the case `verdict` is an error. Otherwise it passes with GO, and is skipped where
    other cases carry the bad news already, so that no failure is counted twice.
    """
    case = TestCase("verdict", "preflight.scan", 0.0)
    said = one_line(f"{scan.verdict}: {headline(scan)}")
    errors = sum(1 for row in scan.results if row.status is Status.ERROR)
    if scan.partial or (scan.verdict is Verdict.UNKNOWN and not errors):
        case.add_error_info(said, f"{said}\n{coverage_line(scan)}", "preflight.verdict")
    elif scan.verdict is not Verdict.GO:
        where = "told by the failures in this report" if scan.verdict is Verdict.NO_GO else "told by its errors"
        case.add_skipped_info(said, f"{said}\n{where}\n{coverage_line(scan)}")
    cover = scan.coverage
    properties = {
        "tool": f"preflight {one_line(scan.tool_version, 100)}",
        "inventory": one_line(scan.inventory),
        "verdict": str(scan.verdict),
        "exit_code": str(scan.exit_code),
        "strict": str(scan.strict).lower(),
        "partial": str(scan.partial).lower(),
        "planned": str(cover.planned),
        "evaluated": str(cover.evaluated),
        "not_applicable": str(cover.not_applicable),
        "waived": str(cover.waived),
        "not_evaluated": str(cover.not_evaluated),
    }
    notices = [f"notice: {one_line(notice)}" for notice in scan.notices]
    notices += [f"attested, not checked: {attested_line(heard)}" for heard in scan.attestations]
    return TestSuite(
        "preflight", [case], hostname="localhost", package="preflight", properties=properties, stdout="\n".join(notices)
    )


def _node_properties(record: NodeRecord | None) -> dict[str, str]:
    if record is None:
        return {}
    return {
        "transport": one_line(record.transport, 100),
        "reachable": str(record.reachable).lower(),
        "connections": str(record.connections),
        "commands": str(record.commands),
        "requests": str(record.requests),
    }


def _strict(suite: ET.Element) -> ET.Element:
    """The library's element in the form and order that both schemas demand."""
    shaped = ET.Element("testsuite")
    for name in _SUITE_ATTRIBUTES:
        shaped.set(name, suite.get(name, ""))
    shaped.set("time", _time(suite.get("time")))
    properties = suite.find("properties")
    shaped.append(ET.Element("properties") if properties is None else properties)
    for case in suite.findall("testcase"):
        shaped.append(_strict_case(case))
    for name in ("system-out", "system-err"):
        ET.SubElement(shaped, name).text = suite.findtext(name, "")
    return shaped


def _strict_case(case: ET.Element) -> ET.Element:
    shaped = ET.Element("testcase")
    shaped.set("classname", case.get("classname", ""))
    shaped.set("name", case.get("name", ""))
    shaped.set("time", _time(case.get("time")))
    for child in case:
        if child.tag == "skipped":
            child.attrib.pop("type", None)
        shaped.append(child)
    return shaped


def _time(value: str | None) -> str:
    return f"{float(value or 0):.3f}"


def _label(check: str, name: str) -> str:
    return f"{one_line(check, 100)} [{one_line(name, 200)}]"


def _dotless(name: str) -> str:
    """A name as one part of a class name, where dots part packages."""
    return one_line(name, 200).replace(".", "_") or "scan"


def _unused(name: str, used: set[str]) -> str:
    """The name, numbered where an earlier one reads the same (`a.b` and `a_b`): names must be unique."""
    found, number = name, 2
    while found in used:
        found, number = f"{name} ({number})", number + 1
    used.add(found)
    return found
