"""Drift as JUnit XML: one case per fact and check, with names that stay as they are from night to night."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from junit_xml import TestCase, TestSuite

from checks.baseline.comparison import natural
from checks.baseline.drift import DRIFTED, CheckRow, Difference, Drift, DriftVerdict, FactRow, by_node
from checks.engine.wording import count
from reports.drift.wording import WORDS, approved, headline, node_line, sides
from reports.render.junit_xml import dotless, unused
from reports.render.junit_xml import pieces as xml_pieces
from reports.text import one_line, truncate

_VALUE_CHARS = 5_000
_LISTED = 30


def render(drift: Drift) -> str:
    """The XML document: the suite `preflight` with the verdict, then one suite per node and one per cluster.

    What was not compared is skipped, and the case `compared` of its node or cluster is one error that says why: a node
    that is down is one error, not hundreds.
    """
    return "".join(pieces(drift))


def pieces(drift: Drift) -> Iterator[str]:
    """The same, suite by suite."""
    return xml_pieces(_suites(drift), drift.started)


def _suites(drift: Drift) -> Iterable[Any]:
    yield _verdict_suite(drift)
    used: set[str] = set()
    facts = by_node(drift.facts)
    checks: dict[tuple[str, str], list[CheckRow]] = {}
    for check in drift.checks:
        checks.setdefault((check.subject.cluster, check.subject.node), []).append(check)
    gaps: dict[tuple[str, str], list[str]] = {}
    for gap in drift.gaps:
        gaps.setdefault((gap.place.cluster, gap.place.node), []).append(gap.reason)
    # Sorted, so that of names that look alike here ("a.b" and "a_b") each stays as it is whatever was read tonight.
    keys = {*facts, *gaps, *checks, *((row.cluster, "") for row in drift.nodes)}
    for cluster, node in sorted(keys, key=lambda key: natural(*key)):
        class_name = unused(f"{dotless(cluster)}.{dotless(node) if node else 'cluster'}", used)
        name = node or cluster
        names: set[str] = set()
        cases = [_fact_case(row, class_name, name, names) for row in facts.get((cluster, node), ())]
        cases += [_check_case(row, class_name, name, names) for row in checks.get((cluster, node), ())]
        if not node:
            cases += [
                _node_case(node_line(row), row.node, class_name, names) for row in drift.nodes if row.cluster == cluster
            ]
        missed = [row.note for row in facts.get((cluster, node), ()) if row.difference is Difference.NOT_COMPARED]
        missed += [row.message for row in checks.get((cluster, node), ()) if row.difference is Difference.NOT_COMPARED]
        cases.append(_compared_case([*gaps.get((cluster, node), ()), *missed], class_name, name, names))
        yield TestSuite(class_name, cases, hostname="localhost", package=dotless(cluster))


def _fact_case(row: FactRow, class_name: str, name: str, used: set[str]) -> Any:
    case = TestCase(unused(f"{one_line(row.place.path, 500)} [{one_line(name, 200)}]", used), class_name, 0.0)
    if row.difference in DRIFTED:
        old, new = sides(row)
        word = WORDS[row.difference]
        if row.difference is Difference.CHANGED:
            told = f"{word}{f' ({row.note})' if row.note else ''}: {old} -> {new}"
        else:
            told = f"{word}: {new or old}"
        text = f"approved: {truncate(old, _VALUE_CHARS)}\nnow: {truncate(new, _VALUE_CHARS)}"
        case.add_failure_info(one_line(told), text, f"preflight.drift.{row.difference}")
    elif row.difference is Difference.NOT_COMPARED:
        case.add_skipped_info(one_line(f"not compared: {row.note}"), one_line(f"not compared: {row.note}"))
    return case


def _check_case(row: CheckRow, class_name: str, name: str, used: set[str]) -> Any:
    label = f"check {one_line(row.subject.check, 100)} [{one_line(name, 200)}]"
    case = TestCase(unused(label, used), class_name, 0.0)
    told = one_line(f"{row.old or 'new'} -> {row.new or 'gone'}: {row.message}")
    if row.difference is Difference.CHANGED:
        case.add_failure_info(told, told, "preflight.drift.check")
    elif row.difference is Difference.NOT_COMPARED:
        case.add_skipped_info(told, told)
    return case


def _node_case(told: str, node: str, class_name: str, used: set[str]) -> Any:
    case = TestCase(unused(f"node [{one_line(node, 200)}]", used), class_name, 0.0)
    case.add_failure_info(one_line(told), told, "preflight.drift.node")
    return case


def _compared_case(reasons: Sequence[str], class_name: str, name: str, used: set[str]) -> Any:
    case = TestCase(unused(f"compared [{one_line(name, 200)}]", used), class_name, 0.0)
    distinct = list(dict.fromkeys(one_line(reason, 500) for reason in reasons))
    if distinct:
        more = [f"and {count(len(distinct) - _LISTED, 'more reason')}"] if len(distinct) > _LISTED else []
        lines = [*distinct[:_LISTED], *more]
        case.add_error_info(one_line(f"not compared: {'; '.join(lines)}"), "\n".join(lines), "preflight.drift.unread")
    return case


def _verdict_suite(drift: Drift) -> Any:
    """The one suite that speaks of the whole.

    A comparison that was cut short, or of nothing, may have neither failures nor errors and yet is no all-clear: then,
    and only then, the case is an error. Where other cases carry the bad news, it is skipped.
    """
    case = TestCase("drift", "preflight.drift", 0.0)
    told = one_line(f"{drift.verdict}: {headline(drift)}")
    missed = (
        drift.gaps
        or drift.counts[Difference.NOT_COMPARED]
        or any(row.difference is Difference.NOT_COMPARED for row in drift.checks)
    )
    if drift.partial or (drift.verdict is DriftVerdict.UNKNOWN and not missed):
        case.add_error_info(told, told, "preflight.drift.verdict")
    elif drift.verdict is not DriftVerdict.NO_DRIFT:
        case.add_skipped_info(told, f"{told}\ntold by the failures and errors in this report")
    properties = {
        "tool": f"preflight {one_line(drift.tool_version, 100)}",
        "inventory": one_line(drift.inventory),
        "baseline": one_line(drift.baseline),
        "verdict": str(drift.verdict),
        "exit_code": str(drift.exit_code),
        "partial": str(drift.partial).lower(),
    }
    said_lines = [*approved(drift), *(f"notice: {one_line(notice)}" for notice in drift.notices)]
    return TestSuite(
        "preflight",
        [case],
        hostname="localhost",
        package="preflight",
        properties=properties,
        stdout="\n".join(said_lines),
    )
