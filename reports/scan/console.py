"""A scan for the terminal: the verdict, then what stands in the way, then the rest. ASCII, but for what targets say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC

from checks.outcome import Result, Status
from checks.scan import Scan, Verdict
from reports.findings.folding import consequences, fold
from reports.findings.grouping import (
    GRAVEST_FIRST,
    Digest,
    Group,
    affected_nodes,
    attested_line,
    by_reason,
    checks_named,
    digest,
    waiver_text,
)
from reports.findings.headline import (
    alone_line,
    cost_line,
    coverage_line,
    exit_line,
    headline,
    seconds,
    subject_line,
    told_clusters,
)
from reports.findings.history_text import changes, history_formatter, history_line
from reports.render.terminal import BOLD, CYAN, DIM, GREEN, STATUS_COLUMNS, TEXT_COLUMN, YELLOW, TextPage
from reports.text import count, link_line, one_line, truncate

_FIELD_CHARS = 600
_PLACES = 30
"""Nodes of a cluster, and clusters, that a finding names before it only counts."""
_NAMES = 12
"""Nodes that a compact entry names before it only counts."""

_TOLD: tuple[tuple[str, Callable[[Result], str]], ...] = (
    ("expected", lambda row: row.expected),
    ("observed", lambda row: row.observed),
    ("waived", waiver_text),
    ("fix", lambda row: row.remediation.summary),
)
_COPIED: tuple[tuple[str, Callable[[Result], str]], ...] = (
    ("command", lambda row: row.remediation.command),
    ("link", lambda row: "\n".join(link_line(link) for link in row.remediation.links)),
)

_VERDICT_CODES = {Verdict.GO: "1;30;42", Verdict.NO_GO: "1;97;41", Verdict.UNKNOWN: "1;30;43"}
_VERDICT_TEXT = {Verdict.GO: "1;32", Verdict.NO_GO: "1;31", Verdict.UNKNOWN: "1;33"}
_CLUSTERS = 20
"""Clusters that are listed before they are only counted."""
_STATUS_CODES = {
    Status.PASS: GREEN,
    Status.WARN: YELLOW,
    Status.FAIL: "1;31",
    Status.ERROR: "1;33",
    Status.SKIP: DIM,
    Status.WAIVED: CYAN,
}


def render(scan: Scan, *, color: bool, width: int, verbose: bool = False, quiet: bool = False) -> str:
    """The summary as text with a final newline, wrapped at `width` columns, except for commands and links to copy.

    `quiet` keeps the verdict, what stands in its way, and what somebody has to act on in time; `verbose` adds what
    passed and all that is known of what is waived, names every node, and says what each one cost.
    """
    parts = digest(scan)
    page = _Page(color=color, width=max(40, width), history=history_formatter(scan), names=None if verbose else _PLACES)
    page.folded = parts.folded
    page.verdict(scan, parts)
    page.clusters(scan)
    page.section("BLOCKERS", parts.blockers, page.finding)
    if quiet:
        page.section("COULD NOT BE DETERMINED", parts.undetermined, page.short)
        page.notices(scan.notices if scan.partial else scan.reminders)
        return page.text()
    page.section("COULD NOT BE DETERMINED", parts.undetermined, page.finding)
    page.section("WARNINGS", parts.warnings, page.finding)
    if verbose:
        page.section("WAIVED", parts.waived, page.finding)
    page.reasons(parts, verbose=verbose)
    if verbose:
        page.section("PASSED", parts.passed, page.short)
    page.changes(scan)
    page.attestations(scan)
    page.notices(scan.notices)
    if verbose:
        page.nodes(scan)
    page.totals(scan)
    return page.text()


class _Page(TextPage):
    def __init__(self, *, color: bool, width: int, history: Callable[[Result], str], names: int | None) -> None:
        super().__init__(color=color, width=width)
        self._history, self._names = history, names
        self.folded = fold(())

    def verdict(self, scan: Scan, parts: Digest) -> None:
        name = f" {scan.verdict} " if self._color else str(scan.verdict)
        self._put(f"{name}  ", headline(scan, parts), shown=f"{self._paint(name, _VERDICT_CODES[scan.verdict])}  ")
        started = scan.started.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        facts = [one_line(scan.inventory), started, f"preflight {one_line(scan.tool_version, 100)}"]
        if scan.strict:
            facts.append("strict: warnings count as failures")
        self._put(" " * (len(name) + 2), ", ".join(facts), code=DIM)

        if alone := alone_line(scan, parts):
            self._put(" " * (len(name) + 2), alone)

    def clusters(self, scan: Scan) -> None:
        """A line for each cluster: its verdict, and what it is for."""
        judged = sorted(told_clusters(scan), key=lambda one: GRAVEST_FIRST.index(one.verdict))
        shown = [one for one in judged if one.verdict is not Verdict.GO][:_CLUSTERS]
        shown += [one for one in judged if one.verdict is Verdict.GO][: _CLUSTERS - len(shown)]
        names = max((len(one_line(one.record.name, 60)) for one in shown), default=0)
        for one in shown:
            name = one_line(one.record.name, 60)
            verdict = self._paint(f"{one.verdict:<7}", _VERDICT_TEXT[one.verdict])
            head = f"  {'':<7}  {name:<{names}}  "
            self._put(
                head,
                subject_line(one, scan.phase),
                shown=f"  {verdict}  {self._paint(name, BOLD)}{' ' * (names - len(name) + 2)}",
            )
        if len(judged) > len(shown):
            self._put("  ", f"and {count(len(judged) - len(shown), 'more cluster')}: the reports name all", code=DIM)

    def section(self, title: str, groups: Sequence[Group], show: Callable[[Group], None]) -> None:
        if groups:
            self._title(f"{title} ({len(groups)})")
            for index, group in enumerate(groups):
                if index and show == self.finding:
                    self._lines.append("")
                show(group)

    def finding(self, group: Group) -> None:
        """A cause with all that is known of it."""
        check = one_line(group.check, 100)
        rest = f"[{group.severity}] {one_line(group.title, 120)}"
        shown = f"  {self._status(group)}{self._paint(check, BOLD)}  "
        self._put(f"  {'':<{STATUS_COLUMNS}}{check}  ", rest, shown=shown, indent=TEXT_COLUMN, code=DIM)
        self._put(" " * TEXT_COLUMN, one_line(group.message))
        self._field("on", affected_nodes(group.results, self._names))
        if follow := consequences(self.folded, group.results):
            self._field("with it", follow)
        for name, read in (*_TOLD, ("history", self._history)):
            found = group.variants(read)
            for index, (value, rows) in enumerate(found):
                text = one_line(value, _FIELD_CHARS)
                whose = "" if len(rows) == len(group.results) else f"  ({affected_nodes(rows, self._names)})"
                self._field("" if index else name, text + whose)
        for name, read in _COPIED:
            lines = [
                line for value, _ in group.variants(read) for line in truncate(value, 2_000).expandtabs(4).splitlines()
            ]
            for index, line in enumerate(lines):
                # Never wrapped, so that it can be copied.
                self._lines.append(f"{' ' * TEXT_COLUMN}{self._name('' if index else name)}{self._paint(line, CYAN)}")

    def short(self, group: Group) -> None:
        """A cause in one paragraph."""
        check = one_line(group.check, 100)
        text = f"{one_line(group.message, 300)} ({affected_nodes(group.results, _NAMES)})"
        shown = f"  {self._status(group)}{check}  "
        self._put(f"  {'':<{STATUS_COLUMNS}}{check}  ", text, shown=shown, indent=TEXT_COLUMN)

    def reasons(self, parts: Digest, *, verbose: bool) -> None:
        """What was not judged, one entry per reason; in full, what is waived has been shown before."""
        names = None if verbose else _NAMES
        kinds = (
            ("SKIPPED: not evaluated", parts.not_evaluated),
            ("WAIVED", () if verbose else parts.waived),
            ("NOT DECLARED in the inventory", parts.not_declared),
            ("LEFT OUT by the inventory", parts.left_out),
            ("SKIPPED: not applicable", parts.not_applicable),
        )
        for title, groups in kinds:
            if not groups or (title.startswith("SKIPPED") and not verbose):
                continue
            self._title(f"{title} ({sum(len(group.results) for group in groups)})")
            for message, rows in by_reason(groups):
                self._put("  ", one_line(message, 400))
                self._put("    ", f"{affected_nodes(rows, names)} - {checks_named(rows)}", code=DIM)
        if not verbose:
            self._counts(parts)

    def changes(self, scan: Scan) -> None:
        """What earlier runs found and this one does not, and what comes and goes."""
        for change in changes(scan):
            self._title(f"{change.title.upper()} ({len(change.lines)})")
            for line in change.lines:
                self._put("  - ", line)

    def attestations(self, scan: Scan) -> None:
        if scan.attestations:
            self._title(f"ATTESTED, not checked ({len(scan.attestations)})")
            for heard in scan.attestations:
                self._put("  - ", attested_line(heard))

    def notices(self, notices: Sequence[str]) -> None:
        if notices:
            self._title("NOTICES")
            for notice in notices:
                self._put("  - ", one_line(notice))

    def nodes(self, scan: Scan) -> None:
        rows = [(one_line(f"{node.cluster}/{node.node}", 60), node) for node in scan.nodes]
        if rows:
            self._title("NODES")
        for name, node in rows:
            used = [
                one_line(node.transport, 20),
                count(node.connections, "connection"),
                count(node.commands, "command"),
                *([count(node.requests, "HTTP request")] if node.requests else []),
                seconds(node.seconds),
                *([] if node.reachable else ["not reached"]),
            ]
            self._put(f"  {name:<{max(len(name) for name, _ in rows)}}  ", ", ".join(used))

    def totals(self, scan: Scan) -> None:
        self._lines.append("")
        for name, value in (
            ("history", history_line(scan)),
            ("coverage", coverage_line(scan)),
            ("exit", exit_line(scan)),
            ("cost", cost_line(scan)),
        ):
            if value:
                self._put(f"{name:<10}", value, code=DIM)

    def _counts(self, parts: Digest) -> None:
        """What was skipped, in numbers: most of it is of no interest at two in the morning."""
        kinds = (("not evaluated", parts.not_evaluated), ("not applicable", parts.not_applicable))
        told = [
            f"{sum(len(group.results) for group in groups)} {word} ({count(len(by_reason(groups)), 'reason')})"
            for word, groups in kinds
            if groups
        ]
        if told:
            self._title("SKIPPED")
            self._put("  ", f"{', '.join(told)}; -v names them")

    def _status(self, group: Group) -> str:
        return self._paint(f"{str(group.status).upper():<{STATUS_COLUMNS}}", _STATUS_CODES[group.status])
