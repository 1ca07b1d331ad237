"""JUnit XML in the strict shape that CI systems hold it to.

A document is valid against the Jenkins schema (xunit plugin, junit-10.xsd) and against the Ant schema (windyroad
JUnit.xsd), which Azure DevOps names as its own. junit-xml builds the suites; it writes attributes that neither schema
knows, puts a suite's output before its cases, leaves out a time of zero, and gives others six decimals. So its elements
are brought into the strict shape before they are written.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET  # only written, never parsed
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from reports.text import one_line

_SUITE_ATTRIBUTES = ("id", "name", "package", "timestamp", "hostname", "tests", "failures", "errors", "skipped", "time")


def document(suites: Iterable[Any], started: datetime) -> str:
    """The XML document of junit-xml's suites, numbered, all with the same time stamp."""
    return "".join(pieces(suites, started))


def pieces(suites: Iterable[Any], started: datetime) -> Iterator[str]:
    """The same, suite by suite; there is at least one."""
    stamp = started.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    yield '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n'
    for index, suite in enumerate(suites):
        suite.id, suite.timestamp = str(index), stamp
        element = _strict(suite.build_xml_doc())
        ET.indent(element, level=1)
        yield f"  {ET.tostring(element, encoding='unicode')}\n"
    yield "</testsuites>\n"


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


def dotless(name: str) -> str:
    """A name as one part of a class name, where dots part packages."""
    return one_line(name, 200).replace(".", "_") or "scan"


def unused(name: str, used: set[str]) -> str:
    """The name, numbered where an earlier one reads the same (`a.b` and `a_b`): names must be unique."""
    found, number = name, 2
    while found in used:
        found, number = f"{name} ({number})", number + 1
    used.add(found)
    return found
