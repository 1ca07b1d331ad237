"""A format that preflight does not have, in one file: every document as AsciiDoc."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, assert_never

from reports.document import (
    Change,
    ClusterLine,
    Commands,
    Entry,
    Finding,
    Line,
    Named,
    NodeFacts,
    Reason,
    Section,
    StepEntry,
    Table,
    Text,
    Trouble,
    Turn,
)
from reports.text import one_line
from reports.view import view


def render(done: Any) -> str:
    """The text, with a final newline."""
    document = view(done)
    lines = [f"= {_plain(document.title or f'preflight {document.kind}: {document.verdict}')}", ""]
    for text in (document.headline, document.alone, *document.about, document.inventory, document.coverage):
        lines += [_plain(text), ""] if text else []
    for section in document.sections:
        lines += _section(section)
    return "\n".join(lines) + "\n"


def _section(section: Section) -> Iterator[str]:
    if section.title:
        yield f"{'=' * section.level} {_plain(section.title + section.rest)}" if section.level else section.title
    for entry in section.entries:
        yield from _entry(entry)
    yield ""


def _entry(entry: Entry) -> Iterable[str]:
    match entry:
        case Section():
            return _section(entry)
        case Text() | Line():
            return [f"* {_plain(entry.text)}" if isinstance(entry, Line) else f"{_plain(entry.text)}\n"]
        case Table():
            rows = ([cell.text for cell in row] for row in (entry.columns, *entry.rows))
            return ["|===", *("|".join(["", *map(_plain, row)]) for row in rows), "|==="]
        case Finding():
            fields = [value.text for values in entry.fields.values() for value in values]
            told = [f"{entry.label} {entry.check}: {entry.message} ({entry.where(None)})", *fields]
            return [*_listed(told), *_blocks(entry.commands)]
        case Reason():
            return _listed([f"{entry.text}: {entry.where(None)} {entry.checks}", *entry.names])
        case Change():
            return _listed([f"{entry.name} {entry.word} on {entry.where(None)}", entry.old, entry.new])
        case Turn():
            return _listed([f"{entry.check} {entry.old} to {entry.new} on {entry.where(None)}", entry.message])
        case StepEntry():
            told = [f"{entry.number} {entry.title}", *entry.notes, entry.shows]
            return [*_listed(told), *_typed(entry.commands), *_typed(entry.proof)]
        case Trouble():
            return [*_listed([entry.sign, *entry.help]), *_typed(entry.look), *_typed(entry.cure)]
        case Named() | ClusterLine() | NodeFacts():
            return []
        case _:
            assert_never(entry)


def _listed(texts: Iterable[str]) -> list[str]:
    first, *others = texts
    return [f"* {_plain(first)}", *(f"** {_plain(text)}" for text in others if text)]


def _typed(groups: Iterable[Commands]) -> list[str]:
    return [line for each in groups for line in (f"** {_plain(each.told)}", *_blocks(each.lines))]


def _blocks(commands: Iterable[str]) -> list[str]:
    return [line for command in commands for line in ("----", one_line(command, 4_000), "----")]


def _plain(text: str) -> str:
    return f"+++{one_line(text, 4_000)}+++" if text else ""
