"""Findings as CSV (RFC 4180), a row each, for a spreadsheet or a ticket system: with whoever answers for them."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

from checks.common.pages import current
from checks.outcome import Result, Status
from checks.scan import Scan
from reports.findings.history_text import history_formatter
from reports.render.json_text import utc_text
from reports.text import one_line

COLUMNS = (
    "cluster",
    "node",
    "host",
    "product",
    "owner",
    "contact",
    "check",
    "title",
    "severity",
    "status",
    "message",
    "expected",
    "observed",
    "fix",
    "command",
    "link",
    "history",
    "waived_by",
    "waived_until",
    "scanned",
)
"""In this order, always; later versions add columns at the end."""
_TOLD = (Status.FAIL, Status.ERROR, Status.WARN, Status.WAIVED)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_CHARS = 1_000


def render(scan: Scan) -> str:
    """The file, with a header. What passed or was skipped is no finding; a scan without any is a header alone."""
    owners = {record.name: record for record in scan.clusters}
    nodes = {(node.cluster, node.node): node for node in scan.nodes}
    history = history_formatter(scan)
    started = utc_text(scan.started)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in scan.results:
        if row.status in _TOLD:
            cluster, node = owners.get(row.cluster), nodes.get((row.cluster, row.node or ""))
            owner = (node and node.owner) or (cluster.owner if cluster else "")
            contact = (node and node.contact) or (cluster.contact if cluster else "")
            product = cluster.product if cluster else ""
            about = (row.cluster, row.node or "", node.host if node else "", product, owner, contact)
            writer.writerow([_cell(text) for text in (*about, *_said(row, history), started)])
    return out.getvalue()


def _said(row: Result, history: Callable[[Result], str]) -> tuple[str, ...]:
    waiver = row.waiver
    return (
        row.check,
        row.title,
        str(row.severity),
        str(row.status),
        row.message,
        row.expected,
        row.observed,
        row.remediation.summary,
        row.remediation.command,
        current(row.remediation.url),
        history(row),
        waiver.owner if waiver else "",
        waiver.expires.isoformat() if waiver else "",
    )


def _cell(text: str) -> str:
    """The text on one line; a spreadsheet takes it for no formula, whatever a node says.

    Source: https://owasp.org/www-community/attacks/CSV_Injection
    """
    line = one_line(text, _CHARS)
    return f"'{line}" if line.startswith(_FORMULA) else line
