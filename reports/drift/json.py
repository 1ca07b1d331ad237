"""Drift as JSON, `preflight.drift/1`: for programs, and kept stable for them. `drift.schema.json` holds its shape."""

from __future__ import annotations

from typing import Any

from checks.baseline.drift import CheckRow, Difference, Drift, FactRow
from checks.baseline.fact_paths import Value
from checks.history.model import ClosedFinding, FindingKey, ScanHistory
from checks.outcome import Status
from reports.render.json_text import json_safe, pretty, schema_named, utc_text

SCHEMA = "preflight.drift/1"


def render(drift: Drift) -> str:
    """The document, pretty-printed, with the keys always in the same order."""
    return pretty(document(drift))


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of the document."""
    return schema_named("drift")


def document(drift: Drift) -> dict[str, Any]:
    """The document as JSON values. Facts that are as approved are counted, not listed."""
    content = {
        "schema": SCHEMA,
        "tool": {"name": "preflight", "version": drift.tool_version},
        "started": utc_text(drift.started),
        "finished": utc_text(drift.finished),
        "partial": drift.partial,
        "inventory": drift.inventory,
        "baseline": {
            "file": drift.baseline,
            "approvals": [
                {"at": row.at, "by": row.by, "reason": row.reason, "scope": row.scope, "tool": row.tool}
                for row in drift.approvals
            ],
        },
        "verdict": str(drift.verdict),
        "exit_code": drift.exit_code,
        "counts": {
            str(kind): sum(row.difference is kind for row in drift.facts)
            for kind in Difference
            if kind is not Difference.BETTER
        },
        "notices": list(drift.notices),
        "facts": [_fact(row) for row in drift.facts if row.difference is not Difference.SAME],
        "unread": [
            {
                "cluster": row.place.cluster,
                "node": row.place.node,
                "fact": row.place.path or None,
                "reason": row.reason,
            }
            for row in drift.gaps
        ],
        "nodes": [{"cluster": row.cluster, "node": row.node, "difference": str(row.difference)} for row in drift.nodes],
        "checks": [_check(row) for row in drift.checks if row.difference is not Difference.SAME],
    }
    if drift.history is not None:
        content["history"] = _history(drift.history)
    safe: dict[str, Any] = json_safe(content)
    return safe


def _fact(row: FactRow) -> dict[str, Any]:
    return {
        "cluster": row.place.cluster,
        "node": row.place.node,
        "fact": row.place.path,
        "difference": str(row.difference),
        "old": _value(row.old),
        "new": _value(row.new),
        "note": row.note,
    }


def _history(history: ScanHistory) -> dict[str, Any]:
    return {
        "last_run": history.last and utc_text(history.last),
        "findings": [
            {
                **_subject(item.subject),
                "compared": item.status is not Status.ERROR,
                "since": utc_text(item.since),
                "since_or_before": item.open_start,
                "runs": item.runs,
                "new": item.new,
            }
            for item in history.standings
        ],
        "resolved": [_ended(item) for item in history.resolved],
        "not_looked_at": [_ended(item) for item in history.gone],
        "flapping": [
            {**_subject(item.subject), "changes": item.changes, "runs": item.runs} for item in history.flapping
        ],
    }


def _subject(subject: FindingKey) -> dict[str, Any]:
    return {"cluster": subject.cluster, "node": subject.node, "name": subject.check}


def _ended(item: ClosedFinding) -> dict[str, Any]:
    return {
        **_subject(item.subject),
        "was": item.message,
        "since": utc_text(item.since),
        "since_or_before": item.open_start,
        "runs": item.runs,
    }


def _value(value: Value) -> object:
    return list(value) if isinstance(value, tuple) else value


def _check(row: CheckRow) -> dict[str, Any]:
    return {
        "check": row.subject.check,
        "cluster": row.subject.cluster,
        "node": row.subject.node or None,
        "difference": str(row.difference),
        "old": row.old or None,
        "new": row.new or None,
        "message": row.message,
    }
