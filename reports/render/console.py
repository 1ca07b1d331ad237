"""Any document for the terminal, and for the mail that cron makes of it. ASCII, but for what targets say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC
from typing import TYPE_CHECKING, Any

from reports.document import (
    Change,
    ClusterLine,
    Document,
    Entry,
    Finding,
    Line,
    Listing,
    Named,
    Reason,
    Section,
    Shown,
    Text,
    Turn,
)
from reports.render.terminal import BOLD, CYAN, DIM, GREEN, STATUS_COLUMNS, TEXT_COLUMN, YELLOW, TextPage
from reports.text import count, link_line, one_line, truncate
from reports.view import view

if TYPE_CHECKING:
    from checks.baseline.drift import Drift
    from checks.scan import Scan

_FIELD_CHARS = 600
_PLACES = 30
"""Nodes of a cluster, and clusters, that a finding names before it only counts."""
_NAMES = 12
"""Nodes that a compact entry names before it only counts."""
_TONES = {"go": "1;30;42", "no-go": "1;97;41", "unknown": "1;30;43"}
_VERDICTS = {"GO": "1;32", "NO-GO": "1;31", "UNKNOWN": "1;33"}
_STATUS_CODES = {"pass": GREEN, "warn": YELLOW, "fail": "1;31", "error": "1;33", "skip": DIM, "waived": CYAN}


def render(done: Scan | Drift, *, color: bool, width: int, verbose: bool = False, quiet: bool = False) -> str:
    """The summary as text with a final newline, wrapped at `width` columns, except for commands and links to copy.

    `quiet` keeps the verdict, what stands in its way, and what somebody has to act on in time; `verbose` adds what
    is as it should be and names every node.
    """
    document = view(done, Shown.QUIET if quiet else Shown.VERBOSE if verbose else Shown.PLAIN)
    page = _Page(color=color, width=width, verbose=verbose, names_all=document.names_all)
    page.top(document)
    page.sections(document.sections)
    page.bottom(document)
    return page.text()


def render_sections(sections: Sequence[Section], *, color: bool, width: int) -> str:
    """Some sections by themselves, as text; empty where there are none."""
    page = _Page(color=color, width=width, verbose=False, names_all=False)
    page.sections(sections)
    return page.text().lstrip("\n") + "\n" if sections else ""


class _Page(TextPage):
    def __init__(self, *, color: bool, width: int, verbose: bool, names_all: bool) -> None:
        super().__init__(color=color, width=max(40, width))
        self._verbose = verbose
        self._places = None if verbose and names_all else _PLACES
        self._names = None if verbose and names_all else _NAMES
        self._ways: dict[type[Any], Callable[[Any], None]] = {
            Line: self._line,
            Finding: self._finding,
            Reason: self._reason,
            Change: self._change,
            Turn: self._turn,
        }

    def top(self, document: Document) -> None:
        name = f" {document.verdict} " if self._color else document.verdict
        self._put(f"{name}  ", document.headline, shown=f"{self._paint(name, _TONES[document.tone])}  ")
        started = document.started.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        against = f" against {one_line(document.against)}" if document.against else ""
        facts = [f"{one_line(document.inventory)}{against}", started, f"preflight {one_line(document.version, 100)}"]
        below = " " * (len(name) + 2)
        self._put(below, ", ".join([*facts, *([document.strict] if document.strict else [])]), code=DIM)
        if document.alone:
            self._put(below, document.alone)

    def sections(self, sections: Iterable[Section]) -> None:
        for section in sections:
            if section.title:
                number = "" if section.count is None else f" ({section.count})"
                self._title(f"{section.title.upper()}{section.rest}{number}")
            most = None if self._verbose else section.most_at_once
            self._entries(section, section.entries[:most])
            if rest := section.entries[len(section.entries[:most]) :]:
                more = count(len(rest), "more", "more")
                self._put("  ", f"... and {more}; -v and the reports in files name them all")

    def bottom(self, document: Document) -> None:
        for group in document.closing:
            told = [(name, line) for name, line in group if line]
            wide = max((len(name) + 2 for name, _ in group if name), default=0)
            self._lines += [""] if told else []
            for name, line in told:
                self._put(f"{name:<{wide}}", line, code=DIM)

    def _entries(self, section: Section, entries: Sequence[Entry]) -> None:
        wide = max((len(entry.name) for entry in entries if isinstance(entry, Named | ClusterLine)), default=0)
        for number, entry in enumerate(entries):
            if isinstance(entry, Named):
                self._named(entry, wide)
            elif isinstance(entry, ClusterLine):
                self._cluster(entry, wide)
            elif isinstance(entry, Finding) and section.brief:
                self._brief(entry)
            elif isinstance(entry, Text):
                self._put("  ", entry.text, code=DIM if section.brief else "")
            else:
                if number and isinstance(entry, Finding):
                    self._lines.append("")
                self._ways[type(entry)](entry)

    def _line(self, line: Line) -> None:
        self._put("  - ", "; ".join([line.text, *line.history]))

    def _named(self, named: Named, wide: int) -> None:
        if named.good:
            self._put(f"  {named.name}  ", named.text, indent=4, code=GREEN)
        else:
            self._put(f"  {named.name:<{wide}}  ", named.text)

    def _cluster(self, line: ClusterLine, wide: int) -> None:
        verdict = self._paint(f"{line.verdict:<7}", _VERDICTS[line.verdict])
        name = f"{self._paint(line.name, BOLD)}{' ' * (wide - len(line.name) + 2)}"
        self._put(f"  {'':<7}  {line.name:<{wide}}  ", line.about, shown=f"  {verdict}  {name}")

    def _finding(self, finding: Finding) -> None:
        """A cause with all that is known of it."""
        check = one_line(finding.check, 100)
        rest = f"[{finding.severity}] {one_line(finding.title, 120)}"
        shown = f"  {self._status(finding)}{self._paint(check, BOLD)}  "
        self._put(f"  {'':<{STATUS_COLUMNS}}{check}  ", rest, shown=shown, indent=TEXT_COLUMN, code=DIM)
        self._put(" " * TEXT_COLUMN, one_line(finding.message))
        self._field("on", finding.where(self._places))
        if finding.follow:
            self._field("with it", finding.follow)
        for name, values in finding.fields.items():
            for index, value in enumerate(values):
                whose = self._whose(value.whose)
                self._field("" if index else name, f"{one_line(value.text, _FIELD_CHARS)}{whose}")
        links = ["\n".join(link_line(link) for link in links) for links in finding.links]
        for name, texts in (("command", finding.commands), ("link", links)):
            lines = [line for text in texts for line in truncate(text, 2_000).expandtabs(4).splitlines()]
            for index, line in enumerate(lines):
                # Never wrapped, so that it can be copied.
                self._lines.append(f"{' ' * TEXT_COLUMN}{self._name('' if index else name)}{self._paint(line, CYAN)}")

    def _whose(self, whose: Listing | None) -> str:
        return f"  ({whose(self._places)})" if whose else ""

    def _brief(self, finding: Finding) -> None:
        check = one_line(finding.check, 100)
        text = f"{one_line(finding.message, 300)} ({finding.where(_NAMES)})"
        shown = f"  {self._status(finding)}{check}  "
        self._put(f"  {'':<{STATUS_COLUMNS}}{check}  ", text, shown=shown, indent=TEXT_COLUMN)

    def _reason(self, reason: Reason) -> None:
        self._put("  ", one_line(reason.text, _FIELD_CHARS))
        what = ", ".join(one_line(name, 200) for name in reason.names[:_NAMES])
        more = f" and {len(reason.names) - _NAMES} more" if len(reason.names) > _NAMES else ""
        about = f"{reason.checks}{what}{more}"
        self._put("    ", f"{reason.where(self._names)}{f' - {about}' if about else ''}", code=DIM)
        self._past(reason.history)

    def _change(self, change: Change) -> None:
        path = one_line(change.name, 300)
        rest = f"{change.word}{f', {change.note}' if change.note else ''}"
        self._put(f"  {path}  ", rest, shown=f"  {self._paint(path, BOLD)}  ", indent=4, code=DIM)
        for sign, text in (("-", change.old), ("+", change.new)):
            for line in truncate(text, _FIELD_CHARS).splitlines():
                self._put(f"    {sign} ", one_line(line, _FIELD_CHARS))
        self._put("    on ", change.where(_NAMES), code=DIM)
        self._past(change.history)

    def _turn(self, turn: Turn) -> None:
        check = one_line(turn.check, 100)
        head = f"  {turn.old} -> {turn.new}  "
        shown = f"  {self._paint(check, BOLD)}{head}"
        self._put(f"  {check}{head}", f"({turn.where(_NAMES)})", shown=shown, indent=4)
        self._put("    ", one_line(turn.message, _FIELD_CHARS))
        self._past(turn.history)

    def _past(self, history: Iterable[str]) -> None:
        for line in history:
            self._put("    history  ", line, code=DIM)

    def _status(self, finding: Finding) -> str:
        return self._paint(f"{finding.status.upper():<{STATUS_COLUMNS}}", _STATUS_CODES[finding.status])
