"""A scan as JUnit XML, for the CI job that gates on it. `reports.render.junit_xml` brings it into the strict shape."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from junit_xml import TestCase, TestSuite

from checks.outcome import Result, Status
from checks.scan import CONNECTIVITY, ClusterVerdict, NodeRecord, Scan, Verdict, blocks
from reports.findings.grouping import attested_line, digest, waiver_line
from reports.findings.headline import coverage_line, headline, subject_line, told_clusters
from reports.render.junit_xml import dotless, unused
from reports.render.junit_xml import pieces as xml_pieces
from reports.text import link_line, one_line, truncate

_FIELD_CHARS = 10_000


def render(scan: Scan) -> str:
    """The XML document: the suite `preflight` with the verdict, then one suite per node and one per cluster."""
    return "".join(pieces(scan))


def pieces(scan: Scan) -> Iterator[str]:
    """The same, suite by suite."""
    return xml_pieces(_suites(scan), scan.started)


def _suites(scan: Scan) -> Iterable[Any]:
    yield _verdict_suite(scan)
    records: dict[str, dict[str, NodeRecord]] = {}
    rows: dict[str, list[Result]] = {}
    for node in scan.nodes:
        records.setdefault(node.cluster, {})[node.node] = node
    for row in scan.results:
        rows.setdefault(row.cluster, []).append(row)
    verdicts = {judged.record.name: judged for judged in told_clusters(scan)}
    used: set[str] = set()
    for cluster in dict.fromkeys([*records, *rows]):
        known = records.get(cluster, {})
        by_node: dict[str | None, list[Result]] = {name: [] for name in known}
        for row in rows.get(cluster, ()):
            by_node.setdefault(row.node, []).append(row)
        whole = by_node.pop(None, [])
        for name, mine in by_node.items():
            class_name = unused(f"{dotless(cluster)}.{dotless(str(name))}", used)
            yield _suite(class_name, (cluster, str(name)), mine, scan, known.get(str(name)))
        class_name = unused(f"{dotless(cluster)}.cluster", used)
        yield _suite(class_name, (cluster, ""), whole, scan, None, verdicts.get(cluster))


def _suite(
    class_name: str,
    about: tuple[str, str],
    rows: Sequence[Result],
    scan: Scan,
    record: NodeRecord | None,
    judged: ClusterVerdict | None = None,
) -> Any:
    cluster, node = about
    name, where = node or cluster, _place(scan, about)
    timed = next((row for row in rows if row.check == CONNECTIVITY), rows[0] if rows else None)
    cases, said, used = [], [], set[str]()
    if judged:
        cases.append(_cluster_case(judged, class_name, scan.phase))
        used.add(cases[0].name)
    for row in rows:
        # All of a node is asked at once, so its time is on one case, and the suite's sum is right.
        elapsed_s = max(0.0, record.seconds) if record is not None and row is timed else 0.0
        case = TestCase(unused(_label(row.check, name), used), class_name, elapsed_s)
        _judge(case, row, strict=scan.strict, where=":".join(where.values()))
        cases.append(case)
        if row.status is Status.WARN and not scan.strict:
            said.append(f"warning: {case.name}: {one_line(row.message)}\n{_details(row)}".rstrip())
    return TestSuite(
        class_name,
        cases,
        hostname=(one_line(record.host, 255) if record else "") or "localhost",
        package=dotless(cluster),
        properties=where | (_cluster_properties(judged, scan) if judged else _node_properties(record)),
        stdout="\n".join(said),
    )


def _judge(case: Any, row: Result, *, strict: bool, where: str) -> None:
    waived = waiver_line(row)
    message = one_line(f"{waived}: {row.message}" if waived else row.message) or str(row.status)
    text = "\n".join(filter(None, (message, _details(row), f"inventory: {where}" if where else "")))
    if blocks(row, strict=strict):
        case.add_failure_info(message, text, f"preflight.{row.status}")
    elif row.status is Status.ERROR and row.follows:
        # The cause has a red case of its own, or the cluster's verdict has: nothing is counted once more.
        why = one_line(f"not told, for {', '.join(row.follows)}: {message}")
        case.add_skipped_info(why, f"{why}\n{_details(row)}".rstrip())
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
        *(("link", link_line(link)) for link in row.remediation.links),
    )
    return "\n".join(f"{name}: {truncate(value, _FIELD_CHARS)}" for name, value in fields if value)


def _verdict_suite(scan: Scan) -> Any:
    """The one suite that speaks of the whole.

    Its case `verdict` is red where the verdict is bad and nothing else says so: where the run was cut short, judged
    nothing, or what is wrong belongs to no cluster. Else it is skipped, so that nothing is counted once more.
    """
    case = TestCase("verdict", "preflight.scan", 0.0)
    said = one_line(f"{scan.verdict}: {headline(scan, digest(scan))}")
    red = any(judged.verdict is not Verdict.GO for judged in told_clusters(scan))
    red = red or any(
        (row.status is Status.ERROR and not row.follows) or blocks(row, strict=scan.strict) for row in scan.results
    )
    if scan.partial or not red:
        _redden(case, Verdict.UNKNOWN if scan.partial else scan.verdict, said, coverage_line(scan))
    elif scan.verdict is not Verdict.GO:
        case.add_skipped_info(said, f"{said}\ntold by the other cases of this report\n{coverage_line(scan)}")
    cover = scan.coverage
    properties = {
        "tool": f"preflight {one_line(scan.tool_version, 100)}",
        "inventory": one_line(scan.inventory),
        "verdict": str(scan.verdict),
        "exit_code": str(scan.exit_code),
        "strict": str(scan.strict).lower(),
        "partial": str(scan.partial).lower(),
        "phase": scan.phase,
        **({"inventory_digest": scan.inventory_digest} if scan.inventory_digest else {}),
        **({"run_by": one_line(f"{scan.run_by.user}@{scan.run_by.host}", 300)} if scan.run_by else {}),
        "planned": str(cover.planned),
        "evaluated": str(cover.evaluated),
        "not_applicable": str(cover.not_applicable),
        "waived": str(cover.waived),
        "not_evaluated": str(cover.not_evaluated),
        "left_out": str(cover.left_out),
        "not_declared": str(cover.not_declared),
    }
    notices = [f"notice: {one_line(notice)}" for notice in scan.notices]
    notices += [f"attested, not checked: {attested_line(heard)}" for heard in scan.attestations]
    return TestSuite(
        "preflight", [case], hostname="localhost", package="preflight", properties=properties, stdout="\n".join(notices)
    )


def _cluster_case(judged: ClusterVerdict, class_name: str, phase: str) -> Any:
    case = TestCase(_label("verdict", judged.record.name), class_name, 0.0)
    counts = ", ".join(f"{judged.counts[status]} {status}" for status in Status if judged.counts[status])
    _redden(case, judged.verdict, one_line(f"{judged.verdict}: {subject_line(judged, phase)}"), counts)
    return case


def _redden(case: Any, verdict: Verdict, said: str, rest: str) -> None:
    """A verdict's own case, so that a gate that reads only this one is right, too."""
    if verdict is Verdict.NO_GO:
        case.add_failure_info(said, f"{said}\n{rest}", "preflight.verdict")
    elif verdict is not Verdict.GO:
        case.add_error_info(said, f"{said}\n{rest}", "preflight.verdict")


def _place(scan: Scan, about: tuple[str, str]) -> dict[str, str]:
    """File and line that a CI system may annotate: properties, since the schemas know no such attributes."""
    line = scan.lines.get(about)
    return {"file": one_line(scan.inventory, 1_000), "line": str(line)} if line else {}


def _cluster_properties(judged: ClusterVerdict, scan: Scan) -> dict[str, str]:
    record = judged.record
    told = {
        "cluster_verdict": str(judged.verdict),
        "product": record.product,
        "installed": record.installed,
        "target": record.target,
        "target_from": record.target_from,
        "phase": scan.phase,
        "owner": record.owner,
        "contact": record.contact,
        "nodes": str(record.nodes),
        "reached": str(record.reached),
    }
    return {name: one_line(value, 500) for name, value in told.items() if value}


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


def _label(check: str, name: str) -> str:
    return f"{one_line(check, 100)} [{one_line(name, 200)}]"
