"""Plans as a document: for each cluster the way, what was found, the steps with their proofs, and the way back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from checks.common.pages import links_of
from checks.outcome import Result
from checks.runbook.model import (
    Command,
    Plan,
    Refusal,
    Runbook,
    RunbookSet,
    Schedule,
    Step,
    Troubleshooting,
    steps_back,
)
from checks.runbook.model import Part as PlanPart
from reports import lists
from reports.document import (
    Cell,
    Commands,
    Document,
    Entry,
    Finding,
    Line,
    Section,
    Shown,
    StepEntry,
    Table,
    Text,
    Trouble,
    Value,
)
from reports.findings.grouping import waiver_text
from reports.runbook import wording
from reports.text import one_line


def view(book: RunbookSet, _shown: Shown) -> Document:
    """The document; every format shows all of it."""
    partial = (Section(key="partial", entries=(Text(text="Interrupted: not every node was asked.", bold=True),)),)
    return Document(
        kind="runbook",
        title=wording.title(book),
        about=(wording.subtitle(book), wording.NEVER_RUN),
        verdict=str(book.verdict),
        tone=str(book.verdict).lower(),
        inventory=book.inventory,
        started=book.asked,
        version=book.tool_version,
        partial=book.partial,
        exit_code=book.exit_code,
        sections=(
            *(partial if book.partial else ()),
            *lists.notices(book.notices, level=2),
            *lists.attested(book.attestations, level=2),
            *(_plan(plan) for plan in book.plans),
        ),
    )


def _plan(plan: Plan) -> Section:
    verdict = Text(text=one_line(wording.verdict_line(plan)), bold=True, mark=str(plan.verdict))
    found = [
        Section(key="findings", title=title, count=len(rows), entries=tuple(_finding(*each) for each in rows))
        for title, rows in wording.findings(plan)
    ]
    way: Iterable[Entry]
    rest: Iterable[Entry] = ()
    if isinstance(plan, Refusal):
        way = (Text(lead="What to do instead", text=one_line(plan.instead), links=links_of(plan.url)),)
    else:
        way, rest = _way(plan), _runbook(plan)
    entries = (verdict, *way, *found, *rest, Text())
    return Section(key="plan", title=wording.heading(plan), level=2, entries=entries)


def _way(plan: Runbook) -> Iterator[Section]:
    rows = tuple(
        (Cell(text=source, kind="code"), Cell(text=target, kind="code"), Cell(text=one_line(why)))
        for source, target, why in wording.way_lines(plan)
    )
    columns = (Cell(text="from"), Cell(text="to"), Cell(text="why"))
    yield Section(key="way", title="The way", entries=(Table(columns=columns, rows=rows),))
    if plan.unknown:
        boxes = tuple(Line(text=one_line(sentence), box=True) for sentence in plan.unknown)
        yield Section(key="unknown", title=wording.UNKNOWN, level=0, entries=boxes)
    if plan.schedule:
        yield _window(plan.schedule)


def _window(schedule: Schedule) -> Section:
    first, *others = wording.schedule_lines(schedule)
    fit = Text(text=first, bold=True, mark="late" if schedule.fits is False else "")
    return Section(key="window", title="The window", entries=(fit, *(Line(text=one_line(line)) for line in others)))


def _finding(label: str, row: Result) -> Finding:
    fix = row.remediation
    told = {"waived": waiver_text(row), "fix": fix.summary}
    return Finding(
        label=label,
        check=row.check,
        title=row.title,
        severity=str(row.severity),
        status=str(row.status),
        message=row.message,
        where=lambda _: wording.place(row),
        fields={name: (Value(text=text),) for name, text in told.items() if text},
        commands=(fix.command,) if fix.command else (),
        links=(fix.links,) if fix.url else (),
        explained=wording.explained(row),
    )


def _runbook(plan: Runbook) -> Iterator[Section]:
    timed = plan.schedule is not None
    for chapter, part in enumerate(plan.parts, 1):
        yield _part(plan, chapter, part, timed=timed and chapter > 1)
    back: tuple[Entry, ...] = (
        *(Line(text=sentence) for sentence in plan.way_back),
        *(_step(number, step, timed=timed) for number, step in steps_back(plan)),
    )
    yield Section(key="back", title="The way back", entries=back)
    troubles = tuple(_trouble(trouble) for trouble in plan.troubles)
    yield Section(key="troubles", title="When something goes wrong", entries=troubles)


def _part(plan: Runbook, chapter: int, part: PlanPart, *, timed: bool) -> Section:
    entries: list[Entry] = []
    if chapter == 1 and (boxes := [Line(text=what, label=label, box=True) for label, what in wording.to_clear(plan)]):
        entries.append(Section(key="clear", title=wording.CLEAR_FIRST, level=0, entries=tuple(boxes)))
    entries += (Text(text=sentence) for sentence in part.intro)
    if part.asked:
        asked = tuple(Line(text=text) for text in part.asked)
        entries.append(Section(key="asked", title=wording.ASKED, level=0, entries=asked))
    entries += (_step(f"{chapter}.{place}", step, timed=timed) for place, step in enumerate(part.steps, 1))
    return Section(key="part", number=str(chapter), title=part.title, entries=tuple(entries))


def _step(number: str, step: Step, *, timed: bool) -> StepEntry:
    proof = step.proof
    return StepEntry(
        number=number,
        title=step.title,
        no_return=wording.NO_RETURN if step.no_return else "",
        notes=step.notes,
        takes=wording.takes(step.takes) if timed else "",
        links=links_of(step.url),
        sides=tuple((side.says, side.source) for side in step.sides),
        sides_lead=wording.SIDES,
        commands=_commands(step.commands),
        shows=proof.shows if proof else "",
        proof=_commands(proof.commands) if proof else (),
        origin=wording.origin(step),
    )


def _trouble(trouble: Troubleshooting) -> Trouble:
    return Trouble(
        sign=trouble.sign,
        help=trouble.help,
        links=links_of(trouble.url),
        look=_commands(trouble.look),
        cure=tuple(each for command in trouble.cure for each in _commands((command,))),
        cure_lead=wording.ONLY_THEN,
    )


def _commands(commands: Iterable[Command]) -> tuple[Commands, ...]:
    return tuple(
        Commands(told=wording.where_line(where, language) or wording.ANYWHERE, language=language, lines=lines)
        for where, language, lines in wording.grouped(commands)
    )
