"""Drift for the terminal, and for the mail that cron makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC

from checks.baseline.comparison import Compared
from checks.baseline.drift import Difference, Drift, DriftVerdict
from checks.history.drift_comparison import NODE
from reports.drift.wording import (
    WORDS,
    CheckGroup,
    Group,
    advice,
    approved,
    causes,
    check_groups,
    fact_groups,
    headline,
    node_line,
    past,
    past_of_cause,
    places,
    said,
)
from reports.findings.history_text import changes as changes_since
from reports.findings.history_text import history_line
from reports.render.terminal import BOLD, DIM, GREEN, TextPage
from reports.text import count, one_line, truncate

_CODES = {DriftVerdict.NO_DRIFT: "1;30;42", DriftVerdict.DRIFT: "1;97;41", DriftVerdict.UNKNOWN: "1;30;43"}
_MOST = 60
"""Differences that are shown before the rest is only counted, unless the report is to be verbose."""
_APPROVALS = 5
_NAMES = 12
_VALUE_CHARS = 600


def render(drift: Drift, *, color: bool, width: int, verbose: bool = False, quiet: bool = False) -> str:
    """The report as text with a final newline. `quiet` leaves out what is no news; `verbose` adds every fact."""
    page = _Page(color=color, width=max(40, width))
    page.verdict(drift)
    page.differences(fact_groups(drift.facts), None if verbose else _MOST, drift)
    page.nodes(drift)
    page.checks("CHECKS THAT ARE WORSE THAN APPROVED", check_groups(drift.checks, Difference.CHANGED), drift)
    page.uncompared(drift, None if verbose else _MOST)
    if not quiet:
        page.checks("CHECKS THAT PASS NOW", check_groups(drift.checks, Difference.BETTER))
        if verbose:
            page.unchanged(drift)
        for change in changes_since(drift):
            page.listed(f"{change.title.upper()} ({len(change.lines)})", list(change.lines))
        page.listed("NOTICES", [one_line(notice) for notice in drift.notices])
        page.listed("BASELINE", _latest(approved(drift), None if verbose else _APPROVALS))
    page.history(drift)
    page.next_step(drift)
    return page.text()


def changes(found: Compared, *, color: bool, width: int) -> str:
    """What a baseline holds otherwise than the one before, as text; empty where nothing does."""
    page = _Page(color=color, width=max(40, width))
    page.differences(fact_groups(found.facts), None)
    page.listed("NODES", [node_line(row) for row in found.nodes])
    page.checks("CHECKS", check_groups(found.checks, Difference.CHANGED))
    page.checks("CHECKS THAT PASS NOW", check_groups(found.checks, Difference.BETTER))
    return page.text().lstrip("\n") + "\n" if page.text().strip() else ""


def _latest(approvals: list[str], most: int | None) -> list[str]:
    """The latest approvals and the first one, which was of everything; -v names those between."""
    if most is None or len(approvals) <= most:
        return approvals
    between = count(len(approvals) - most, "approval")
    return [*approvals[: most - 1], f"{between} between", approvals[-1]]


class _Page(TextPage):
    def verdict(self, drift: Drift) -> None:
        name = f" {drift.verdict} " if self._color else str(drift.verdict)
        self._put(f"{name}  ", headline(drift), shown=f"{self._paint(name, _CODES[drift.verdict])}  ")
        started = drift.started.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        facts = f"{one_line(drift.inventory)} against {one_line(drift.baseline)}, {started}"
        self._put(" " * (len(name) + 2), f"{facts}, preflight {one_line(drift.tool_version, 100)}", code=DIM)

    def differences(self, groups: list[Group], most: int | None, drift: Drift | None = None) -> None:
        if groups:
            self._title(f"DIFFERENCES ({len(groups)})")
        for group in groups[:most]:
            path = one_line(group.path, 300)
            rest = f"{WORDS[group.difference]}{f', {group.note}' if group.note else ''}"
            self._put(f"  {path}  ", rest, shown=f"  {self._paint(path, BOLD)}  ", indent=4, code=DIM)
            for sign, text in (("-", group.old), ("+", group.new)):
                for line in truncate(text, _VALUE_CHARS).splitlines():
                    self._put(f"    {sign} ", one_line(line, _VALUE_CHARS))
            self._put("    on ", places(group.where, _NAMES), code=DIM)
            self._past(past(drift, [group.path], group.where) if drift else [])
        self._more(groups[most:] if most else [])

    def nodes(self, drift: Drift) -> None:
        told = ((node_line(row), past(drift, [NODE], [(row.cluster, row.node)])) for row in drift.nodes)
        self.listed("NODES", ["; ".join([line, *more]) for line, more in told])

    def checks(self, title: str, groups: list[CheckGroup], drift: Drift | None = None) -> None:
        if groups:
            self._title(f"{title} ({len(groups)})")
        for group in groups:
            check = one_line(group.check, 100)
            head = f"  {check}  {group.old} -> {group.new}  "
            shown = f"  {self._paint(check, BOLD)}  {group.old} -> {group.new}  "
            self._put(head, f"({places(group.where, _NAMES)})", shown=shown, indent=4)
            self._put("    ", one_line(group.message, _VALUE_CHARS))
            self._past(past(drift, [group.check], group.where) if drift else [])

    def uncompared(self, drift: Drift, most: int | None) -> None:
        found = causes(drift)
        if found:
            self._title(f"NOT COMPARED ({len(found)})")
        for cause in found[:most]:
            self._put("  ", one_line(cause.reason, _VALUE_CHARS))
            what = ", ".join(one_line(path, 200) for path in cause.what[:_NAMES])
            more = f" and {len(cause.what) - _NAMES} more" if len(cause.what) > _NAMES else ""
            about = f" - {what}{more}" if what else ""
            self._put("    ", f"{places(cause.where, _NAMES)}{about}", code=DIM)
            self._past(past_of_cause(drift, cause))
        self._more(found[most:] if most else [])

    def unchanged(self, drift: Drift) -> None:
        same = [row for row in drift.facts if row.difference is Difference.SAME]
        if same:
            self._title(f"AS APPROVED ({len(same)})")
        for row in same:
            value = one_line(said(row.new).replace("\n", "; "), 200)
            self._put(f"  {one_line(str(row.place), 400)}  ", value, indent=4, code=GREEN)

    def listed(self, title: str, lines: list[str]) -> None:
        """A section of one line each."""
        if lines:
            self._title(title)
        for line in lines:
            self._put("  - ", line)

    def history(self, drift: Drift) -> None:
        if line := history_line(drift):
            self._lines.append("")
            self._put("history  ", line, code=DIM)

    def next_step(self, drift: Drift) -> None:
        text = advice(drift)
        if text:
            self._lines.append("")
            self._put("", text, code=DIM)

    def _past(self, told: Sequence[str]) -> None:
        for line in told:
            self._put("    history  ", line, code=DIM)

    def _more(self, rest: Sequence[object]) -> None:
        if rest:
            self._put("  ", f"... and {count(len(rest), 'more', 'more')}; -v and the reports in files name them all")
