"""What the HTML page shows, as plain values: all text made visible and cut to length, nothing left for the template
to decide but where it goes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC

from checks.common.dataclass import dataclass
from checks.outcome import Severity, Status
from checks.scan import Scan
from reports.findings.grouping import Digest, Group, affected_nodes, attested_line, by_reason, checks_named, digest
from reports.findings.headline import alone_line, cost_line, coverage_line, elapsed_s, exit_line, headline, seconds
from reports.findings.history_text import changes, history_line, trend_line
from reports.render.svg_trend import trend_svg
from reports.scan.page.anchors import Anchors
from reports.scan.page.boards import boards, gravest_first
from reports.scan.page.cards import CHIPS, Cards
from reports.scan.page.rows import Budget, bundles, is_quiet, rows
from reports.text import count, one_line

FULL_ROWS = 1_500
"""More results than these are no longer all shown in full: those that say the same good thing share a row."""


@dataclass(frozen=True, slots=True)
class _Reason:
    message: str
    where: str
    checks: str


def view(scan: Scan, index: str = "") -> dict[str, object]:
    """The template's variables. `index` is the address of the page that this one is a part of."""
    parts = digest(scan)
    anchors = Anchors(scan.results)
    compact = len(scan.results) > FULL_ROWS
    cards = Cards(scan, (*parts.blockers, *parts.undetermined, *parts.warnings, *parts.waived), anchors, parts.folded)
    shown = [row for row in scan.results if not (compact and is_quiet(row))]
    whole = boards(scan, anchors, compact=compact)
    names = CHIPS if compact else None
    return {
        **header(scan, parts),
        "index": index,
        "subject": whole[0].about if len(whole) == 1 else "",
        "findings": [
            ("blockers", "Blockers", cards.of(parts.blockers)),
            ("undetermined", "Could not be determined", cards.of(parts.undetermined)),
            ("warnings", "Warnings", cards.of(parts.warnings)),
            ("waived", "Waived", cards.of(parts.waived)),
        ],
        "attestations": [(str(heard.standing), attested_line(heard)) for heard in scan.attestations],
        "skipped": [
            ("Not evaluated", _reasons(parts.not_evaluated, names)),
            ("Not declared in the inventory", _reasons(parts.not_declared, names)),
            ("Left out by the inventory", _reasons(parts.left_out, names)),
            ("Not applicable", _reasons(parts.not_applicable, names)),
        ],
        "history": history_line(scan),
        "changes": changes(scan),
        "trend": trend_svg(scan.history.trend) if scan.history else None,
        "trend_told": trend_line(scan),
        "boards": whole,
        "verdicts": gravest_first([board for board in whole if board.verdict], lambda board: board)
        if len(whole) > 1
        else [],
        "aged": bool(scan.history and scan.history.last),
        "clusters": [board.name for board in whole],
        "owners": list(dict.fromkeys(board.owner for board in whole if board.owner)),
        "severities": [str(severity) for severity in Severity],
        "statuses": [
            (str(status), number) for status in Status if (number := sum(row.status is status for row in scan.results))
        ],
        "results": len(scan.results),
        "rows": rows(scan, shown, anchors, cards, Budget.of(len(shown))),
        "bundles": bundles(row for row in scan.results if compact and is_quiet(row)),
        "nodes": [
            (
                one_line(f"{node.cluster}/{node.node}", 300),
                one_line(node.host, 300),
                one_line(node.transport, 100),
                node,
                f"{node.seconds:.2f} s",
            )
            for node in scan.nodes
        ],
    }


def header(scan: Scan, parts: Digest) -> dict[str, object]:
    """What stands at the top and at the foot of every page of a scan, whose digest is `parts`."""
    cover = scan.coverage
    started, finished = (moment.astimezone(UTC) for moment in (scan.started, scan.finished))
    return {
        "verdict": str(scan.verdict),
        "tone": str(scan.verdict).lower(),
        "headline": headline(scan, parts),
        "fresh": _fresh(scan),
        "alone": alone_line(scan, parts),
        "partial": scan.partial,
        "strict": scan.strict,
        "exit_code": f"{scan.exit_code:d}",
        "exit_line": exit_line(scan),
        "inventory": one_line(scan.inventory, 300),
        "version": one_line(scan.tool_version, 100),
        "started": started.strftime("%Y-%m-%d %H:%M:%S UTC"),
        "finished": finished.strftime("%H:%M:%S UTC"),
        "elapsed": seconds(elapsed_s(scan)),
        "run_by": one_line(f"{scan.run_by.user}@{scan.run_by.host}", 300) if scan.run_by else "",
        "digest": scan.inventory_digest[:12],
        "notices": [one_line(notice) for notice in scan.notices],
        "coverage": coverage_line(scan),
        "planned": cover.planned,
        "segments": _segments(
            ("evaluated", cover.evaluated),
            ("not applicable", cover.not_applicable),
            ("waived", cover.waived),
            ("not evaluated", cover.not_evaluated),
            *((("not declared", cover.not_declared),) if cover.not_declared else ()),
            *((("left out", cover.left_out),) if cover.left_out else ()),
        ),
        "cost": cost_line(scan),
    }


def _fresh(scan: Scan) -> str:
    """How many findings the last run did not have; empty where that is not known."""
    if scan.history is None or scan.history.last is None:
        return ""
    number = sum(item.new for item in scan.history.standings)
    day = scan.history.last.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"{count(number, 'finding')} new since the run of {day}" if number else f"Nothing new since the run of {day}"


def _segments(*counts: tuple[str, int]) -> list[tuple[str, int, int]]:
    """Name, count and start of each part of the coverage bar."""
    start, segments = 0, []
    for name, number in counts:
        segments.append((name, number, start))
        start += number
    return segments


def _reasons(groups: Sequence[Group], names: int | None) -> list[_Reason]:
    return [_Reason(one_line(text), affected_nodes(hit, names), checks_named(hit)) for text, hit in by_reason(groups)]
