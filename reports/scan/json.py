"""A scan as JSON, `preflight.result/1`: for programs, and kept stable for them. `result.schema.json` holds its shape.

Beside the fields that every version of the format has, it says what each cluster's verdict is and what it is for
(`clusters`, `phase`), who made the scan where, whether warnings counted as failures (`strict`), what a reader must know
about how the scan was made (`notices`), who accepts a finding (`waiver`, where somebody does), what a result only
follows from (`follows`, where it does), why the inventory leaves a check out (`left_out`, where it does), which key of
it a check lacks (`not_declared`; both in numbers in `coverage`), what people vouch for (`attestations`, where there are
any), and what earlier runs say of this one (`history`, where one is kept).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from checks.common.pages import current
from checks.engine.acceptance.model import Attested, Waiver
from checks.history.model import ClosedFinding, FindingKey, ScanHistory
from checks.outcome import Remediation, Result, Status
from checks.runbook.quoting import JOINS
from checks.scan import ClusterVerdict, Coverage, FailOn, Scan
from reports.render.json_text import json_safe, pretty_pieces, schema_named, utc_text

SCHEMA = "preflight.result/1"


def render(scan: Scan) -> str:
    """The document, pretty-printed, with the keys always in the same order."""
    return "".join(pieces(scan))


def pieces(scan: Scan) -> Iterator[str]:
    """The same, result by result."""
    return pretty_pieces(_content(scan))


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of the document."""
    return schema_named("result")


def document(scan: Scan) -> dict[str, Any]:
    """The document as JSON values."""
    content = _content(scan)
    safe: dict[str, Any] = json_safe(
        {key: list(value) if isinstance(value, Iterator) else value for key, value in content.items()}
    )
    return safe


def _content(scan: Scan) -> dict[str, object]:
    content: dict[str, object] = {
        "schema": SCHEMA,
        "tool": {"name": "preflight", "version": scan.tool_version},
        "started": utc_text(scan.started),
        "finished": utc_text(scan.finished),
        "partial": scan.partial,
        "strict": scan.strict,
        "inventory": scan.inventory,
        **({"inventory_digest": scan.inventory_digest} if scan.inventory_digest else {}),
        **({"run_by": {"user": scan.run_by.user, "host": scan.run_by.host}} if scan.run_by else {}),
        "phase": scan.phase,
        "verdict": str(scan.verdict),
        "exit_code": scan.exit_code,
        **({"fail_on": str(scan.fail_on)} if scan.fail_on is not FailOn.ANY else {}),
        "clusters": [_cluster(judged) for judged in scan.cluster_verdicts],
        "coverage": _coverage(scan.coverage),
        "notices": list(scan.notices),
        **({"attestations": [_attested(heard) for heard in scan.attestations]} if scan.attestations else {}),
        "nodes": (
            {
                "cluster": node.cluster,
                "node": node.node,
                "host": node.host,
                "transport": node.transport,
                "reachable": node.reachable,
                "connections": node.connections,
                "commands": node.commands,
                "requests": node.requests,
                "seconds": round(node.seconds, 3),
                **({"owner": node.owner} if node.owner else {}),
                **({"contact": node.contact} if node.contact else {}),
            }
            for node in scan.nodes
        ),
        "results": (_result(row) for row in scan.results),
    }
    if scan.history is not None:
        content["history"] = _history(scan.history)
    return content


def _cluster(judged: ClusterVerdict) -> dict[str, Any]:
    record = judged.record
    return {
        "name": record.name,
        "product": record.product or None,
        "installed": record.installed or None,
        "target": record.target or None,
        "target_from": record.target_from or None,
        "verdict": str(judged.verdict),
        "counts": {str(status): judged.counts[status] for status in Status},
        "coverage": _coverage(judged.coverage),
        "nodes": {"inventory": record.nodes, "asked": record.asked, "reached": record.reached},
        "owner": record.owner or None,
        "contact": record.contact or None,
    }


def _coverage(cover: Coverage) -> dict[str, int]:
    return {
        "planned": cover.planned,
        "evaluated": cover.evaluated,
        "not_applicable": cover.not_applicable,
        "not_declared": cover.not_declared,
        "waived": cover.waived,
        "not_evaluated": cover.not_evaluated,
        "left_out": cover.left_out,
    }


def _result(row: Result) -> dict[str, Any]:
    return {
        "check": row.check,
        "title": row.title,
        "severity": str(row.severity),
        "cluster": row.cluster,
        "node": row.node,
        "status": str(row.status),
        "message": row.message,
        "expected": row.expected,
        "observed": row.observed,
        "remediation": remediation(row.remediation),
        "evidence": row.evidence,
        **({"waiver": _waiver(row.waiver)} if row.waiver else {}),
        **({"not_evaluated": True} if row.not_evaluated else {}),
        **({"follows": list(row.follows)} if row.follows else {}),
        **({"not_declared": row.not_declared} if row.not_declared else {}),
        **({"left_out": row.left_out} if row.left_out else {}),
    }


def remediation(fix: Remediation) -> dict[str, Any]:
    """What to do, as every JSON report tells it; `url` is the first of the links."""
    return {
        "summary": fix.summary,
        "command": fix.command,
        "url": current(fix.url),
        **({"language": fix.language} if fix.command and fix.language in JOINS else {}),
        "links": [{"title": link.title, "url": link.url} for link in fix.links],
    }


def _waiver(waiver: Waiver) -> dict[str, Any]:
    return {
        "owner": waiver.owner,
        "reason": waiver.reason,
        "expires": waiver.expires.isoformat(),
        "value": waiver.value or None,
    }


def _attested(heard: Attested) -> dict[str, Any]:
    word = heard.attestation
    return {
        "statement": word.statement,
        "by": word.by,
        "date": word.date.isoformat(),
        "expires": word.expires.isoformat(),
        "standing": str(heard.standing),
        "check": word.check or None,
        "cluster": word.cluster or None,
        "node": word.node,
    }


def _history(history: ScanHistory) -> dict[str, Any]:
    return {
        "last_run": history.last and utc_text(history.last),
        "findings": [
            {
                **_subject(item.subject),
                "status": str(item.status),
                "since": utc_text(item.since),
                "since_or_before": item.open_start,
                "runs": item.runs,
                "new": item.new,
                "before": item.before and str(item.before),
            }
            for item in history.standings
        ],
        "resolved": [_ended(item) for item in history.resolved],
        "not_looked_at": [_ended(item) for item in history.gone],
        "flapping": [
            {**_subject(item.subject), "changes": item.changes, "runs": item.runs} for item in history.flapping
        ],
        "trend": [
            {
                "started": utc_text(point.started),
                "verdict": point.verdict,
                "fail": point.fail,
                "error": point.error,
                "warn": point.warn,
                "waived": point.waived,
                "pass": point.passed,
                "not_evaluated": point.not_evaluated,
            }
            for point in history.trend
        ],
    }


def _ended(item: ClosedFinding) -> dict[str, Any]:
    return {
        **_subject(item.subject),
        "was": str(item.was),
        "message": item.message,
        "since": utc_text(item.since),
        "since_or_before": item.open_start,
        "runs": item.runs,
        "now": item.now and str(item.now),
    }


def _subject(subject: FindingKey) -> dict[str, str | None]:
    return {"check": subject.check, "cluster": subject.cluster, "node": subject.node}
