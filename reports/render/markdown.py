"""Any document as Markdown (GitHub's flavour): for a chat, a ticket, a CI job's step summary, or to print and tick.

Whatever a target may have said stands in code spans or is escaped, so that it formats nothing, links nowhere and
mentions nobody.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC
from itertools import groupby
from typing import TYPE_CHECKING, Any

from checks.common.pages import Link
from reports.document import (
    Cell,
    Change,
    Commands,
    Document,
    Finding,
    Line,
    Listing,
    Reason,
    Section,
    StepEntry,
    Table,
    Text,
    Trouble,
    Turn,
)
from reports.render.markdown_text import block, code, linked, prose
from reports.text import count, one_line, truncate
from reports.view import view

if TYPE_CHECKING:
    from checks.baseline.drift import Drift
    from checks.runbook.model import RunbookSet
    from checks.scan import Scan

_SIGNS = {"GO": "✅", "NO-GO": "⛔", "NO DRIFT": "✅", "DRIFT": "⚠️", "UNKNOWN": "❓", "late": "⚠"}
_LANGUAGES = {"cmd": "bat", "powershell": "powershell", "sh": "sh", "sql": "sql"}
_PLACES = 30
_NAMES = 12
_MOST_VALUES = 5
_COMMAND_CHARS = 2_000
_REASON_CHARS = 400


def render(done: Scan | Drift | RunbookSet) -> str:
    """The text, with a final newline."""
    document = view(done)
    lines = [*_top(document)]
    for section in document.sections:
        lines += _section(section)
    if document.advice:
        lines += [prose(document.advice), ""]
    lines += [f"<sub>{prose(document.small)}</sub>"] if document.small else []
    return "\n".join(lines).rstrip("\n") + "\n"


def _top(document: Document) -> Iterator[str]:
    if document.title:
        for text in (f"# {prose(document.title)}", *(prose(each) for each in document.about)):
            yield from (text, "")
        return
    what = "" if document.kind == "scan" else f" {document.kind}"
    yield from (f"## {_SIGNS[document.verdict]} preflight{what}: {document.verdict}", "")
    yield from (f"**{prose(document.headline)}**", "")
    if document.alone:
        yield from (prose(document.alone), "")
    started = document.started.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    against = f" against {code(document.against)}" if document.against else ""
    strict = f", {document.strict}" if document.strict else ""
    history = f"History: {prose(document.history)}" if document.history else ""
    about = f"{code(document.inventory)}{against}, {started}, preflight {code(document.version)}{strict}"
    yield "  \n".join(filter(None, (about, prose(document.coverage), history)))
    yield ""


def _section(section: Section) -> Iterator[str]:
    if section.title:
        number = "" if section.count is None else f" ({section.count})"
        head = f"{'#' * section.level} {f'{section.number}. ' if section.number else ''}" if section.level else ""
        yield from (f"{head}{prose(section.title + section.rest)}{number}", "")
    kept = section.entries[: section.most]
    for kind, entries in groupby(kept, key=type):
        for place, entry in enumerate(entries):
            if place and isinstance(entry, Finding) and not entry.label:
                yield ""
            yield from _WRITERS[kind](entry)
        if kind in _LISTED and not (len(kept) < len(section.entries) and kind is type(kept[-1])):
            yield ""
    if len(kept) < len(section.entries):
        yield from (f"- and {count(len(section.entries) - len(kept), 'more', 'more')}", "")


def _text(text: Text) -> Iterator[str]:
    if text.text:
        told = f"{text.lead}: {prose(text.text)}" if text.lead else prose(text.text)
        yield f"{f'{_SIGNS[text.mark]} ' if text.mark else ''}{f'**{told}**' if text.bold else told}"
        yield from _see(text.links)
    yield ""


def _line(line: Line) -> Iterator[str]:
    box, label = "[ ] " if line.box else "", f"**{line.label}** " if line.label else ""
    yield f"- {box}{label}{prose(line.text)}"
    yield from _past(line.history)


def _table(table: Table) -> Iterator[str]:
    numbers = any(column.kind == "number" for column in table.columns)
    space = "" if numbers else " "
    yield f"| {' | '.join(column.text for column in table.columns)} |"
    rules = ("---:" if column.kind == "number" else "---" for column in table.columns)
    yield f"|{'|'.join(f'{space}{rule}{space}' for rule in rules)}|"
    for row in table.rows:
        yield f"| {' | '.join(_cell(cell) for cell in row)} |"
    yield ""


def _cell(cell: Cell) -> str:
    if cell.kind == "verdict":
        return f"{_SIGNS[cell.text]} {cell.text}"
    return code(cell.text) if cell.kind == "code" else prose(cell.text)


def _finding(finding: Finding) -> Iterator[str]:
    status = finding.status.upper()
    check, message = code(finding.check), prose(one_line(finding.message))
    if finding.label:
        yield f"- **{finding.label}** **{status}** {check}, {prose(finding.where(None))}: {message}"
        yield from (f"  - waived {prose(value.text)}" for value in finding.fields.get("waived", ()))
        yield from (f"  - fix: {prose(one_line(value.text))}" for value in finding.fields.get("fix", ()))
        for command in finding.commands:
            yield from _block((command,), "", "  ")
        if finding.explained:
            yield f"  - more: {code(finding.explained)}"
    else:
        yield f"- **{status}** {check} ({finding.severity}): {message}"
        yield f"  - on {prose(finding.where(_PLACES))}"
        if finding.follow:
            yield f"  - {prose(finding.follow)}"
        for name, shown in (("expected", code), ("observed", code), ("history", prose)):
            for value in finding.fields.get(name, ()):
                yield f"  - {name}: {shown(value.text)}{_whose(value.whose)}"
        yield from (f"  - fix: {prose(one_line(value.text))}" for value in finding.fields.get("fix", ()))
        for command in finding.commands:
            yield from block(command)
    yield from (f"  - see {_linked(links)}" for links in finding.links)


def _whose(whose: Listing | None) -> str:
    return f" ({prose(whose(_NAMES))})" if whose else ""


def _reason(reason: Reason) -> Iterator[str]:
    what = ", ".join(code(name) for name in reason.names[:_MOST_VALUES])
    more = f" and {len(reason.names) - _MOST_VALUES} more" if len(reason.names) > _MOST_VALUES else ""
    about = f"{prose(reason.checks)}{what}{more}"
    text, where = prose(one_line(reason.text, _REASON_CHARS)), prose(reason.where(_NAMES))
    yield f"- {text}: {where}{f' ({about})' if about else ''}"
    yield from _past(reason.history)


def _change(change: Change) -> Iterator[str]:
    note = f", {prose(change.note)}" if change.note else ""
    yield f"- {code(change.name)} {change.word}{note} on {prose(change.where(_NAMES))}"
    for word, text in (("was", change.old), ("is", change.new)):
        lines = text.splitlines()
        yield from (f"  - {word} {code(line)}" for line in lines[:_MOST_VALUES])
        if len(lines) > _MOST_VALUES:
            yield f"  - {word} {len(lines) - _MOST_VALUES} more"
    yield from _past(change.history)


def _turn(turn: Turn) -> Iterator[str]:
    message = prose(one_line(turn.message, _REASON_CHARS))
    yield f"- {code(turn.check)} {turn.old} → {turn.new} on {prose(turn.where(_NAMES))}: {message}"
    yield from _past(turn.history)


def _step(step: StepEntry) -> Iterator[str]:
    yield f"- [ ] **{step.number}** {prose(step.title)}"
    if step.no_return:
        yield f"  - ⚠ **{step.no_return}**"
    yield from (f"  - {prose(note)}" for note in (*step.notes, *filter(None, (step.takes,))))
    if step.links:
        yield f"  - see {_linked(step.links)}"
    if step.sides:
        yield f"  - {step.sides_lead}"
        yield from (f"    - [ ] {prose(says)} ({prose(source)})" for says, source in step.sides)
    yield from _commands(step.commands)
    if step.shows:
        yield f"  - **Shows:** {prose(step.shows)}"
        yield from _commands(step.proof)
    if step.origin:
        yield f"  - <sub>{prose(step.origin)}</sub>"


def _trouble(trouble: Trouble) -> Iterator[str]:
    yield from (f"**{prose(trouble.sign)}**", "")
    yield from (f"{number}. {prose(sentence)}" for number, sentence in enumerate(trouble.help, 1))
    yield ""
    if trouble.links:
        yield from (*_see(trouble.links), "")
    for commands in trouble.look:
        yield from (f"{prose(commands.told)}, to see more:", "", *_block(commands.lines, commands.language, ""), "")
    for commands in trouble.cure:
        told = f"{trouble.cure_lead}, {prose(commands.told[:1].lower() + commands.told[1:])}:"
        yield from (told, "", *_block(commands.lines, commands.language, ""), "")


def _past(history: Iterable[str]) -> Iterator[str]:
    return (f"  - history: {prose(line)}" for line in history)


def _see(links: tuple[Link, ...]) -> Iterator[str]:
    if links:
        yield f"See {_linked(links)}"


def _linked(links: Iterable[Link]) -> str:
    return ", ".join(linked(link) for link in links)


def _commands(groups: Iterable[Commands]) -> Iterator[str]:
    for each in groups:
        if each.language == "url":
            yield from (f"  - {prose(each.told)}: {code(line, _COMMAND_CHARS)}" for line in each.lines)
            continue
        yield f"  - {prose(each.told)}:"
        yield from _block(each.lines, each.language, "    ")


def _block(lines: Iterable[str], language: str, indent: str) -> Iterator[str]:
    body = [truncate(line, _COMMAND_CHARS).replace("\n", " ") for line in lines]
    longest = max((len(run) for line in body for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    for line in (f"{fence}{_LANGUAGES.get(language, '')}", *body, fence):
        yield f"{indent}{line}"


_WRITERS: dict[type[Any], Callable[[Any], Iterator[str]]] = {
    Section: _section,
    Text: _text,
    Line: _line,
    Table: _table,
    Finding: _finding,
    Reason: _reason,
    Change: _change,
    Turn: _turn,
    StepEntry: _step,
    Trouble: _trouble,
}
_LISTED = (Line, Finding, Reason, Change, Turn, StepEntry)
"""Entries of a list, which ends with a blank line."""
