"""A plan as Markdown (GitHub's flavour), with a box to tick for each step."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from checks.common.pages import Link, links_of
from checks.outcome import Result
from checks.runbook.model import Command, Part, Plan, Refusal, Runbook, RunbookSet, Step, Troubleshooting, steps_back
from checks.scan import Verdict
from reports.findings.grouping import attested_line, waiver_line
from reports.render.markdown_text import code, linked, prose
from reports.runbook import wording
from reports.text import one_line, truncate

_SIGNS = {Verdict.GO: "✅", Verdict.NO_GO: "⛔", Verdict.UNKNOWN: "❓"}
_COMMAND_CHARS = 2_000


def render(book: RunbookSet) -> str:
    """The text, with a final newline."""
    lines = [f"# {prose(wording.title(book))}", "", prose(wording.subtitle(book)), "", wording.NEVER_RUN, ""]
    if book.partial:
        lines += ["**Interrupted: not every node was asked.**", ""]
    if book.notices:
        lines += ["## Notices", "", *(f"- {prose(one_line(notice))}" for notice in book.notices), ""]
    if book.attestations:
        told = (f"- {prose(attested_line(heard))}" for heard in book.attestations)
        lines += [f"## Attested, not checked ({len(book.attestations)})", "", *told, ""]
    for plan in book.plans:
        lines += [*_plan(plan), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _plan(plan: Plan) -> Iterator[str]:
    yield f"## {prose(wording.heading(plan))}"
    yield ""
    yield f"{_SIGNS[plan.verdict]} **{prose(one_line(wording.verdict_line(plan)))}**"
    yield ""
    if isinstance(plan, Refusal):
        yield f"What to do instead: {prose(one_line(plan.instead))}"
        if plan.url:
            yield f"See {_linked(links_of(plan.url))}"
        yield ""
    else:
        yield from _way(plan)
    for title, rows in wording.findings(plan):
        yield from _findings(title, rows)
    if isinstance(plan, Runbook):
        yield from _runbook(plan)


def _way(plan: Runbook) -> Iterator[str]:
    yield "### The way"
    yield ""
    yield "| from | to | why |"
    yield "| --- | --- | --- |"
    for source, target, why in wording.way_lines(plan):
        yield f"| {code(source)} | {code(target)} | {prose(one_line(why))} |"
    yield ""
    if plan.unknown:
        yield wording.UNKNOWN
        yield ""
        yield from (f"- [ ] {prose(one_line(sentence))}" for sentence in plan.unknown)
        yield ""
    if plan.schedule:
        first, *others = wording.schedule_lines(plan.schedule)
        yield "### The window"
        yield ""
        yield f"{'⚠ ' if plan.schedule.fits is False else ''}**{prose(first)}**"
        yield ""
        yield from (f"- {prose(one_line(line))}" for line in others)
        yield ""


def _findings(title: str, rows: Sequence[tuple[str, Result]]) -> Iterator[str]:
    yield f"### {title} ({len(rows)})"
    yield ""
    for label, row in rows:
        status = str(row.status).upper()
        place = prose(wording.place(row))
        yield f"- **{label}** **{status}** {code(row.check)}, {place}: {prose(one_line(row.message))}"
        if accepted := waiver_line(row):
            yield f"  - {prose(accepted)}"
        if row.remediation.summary:
            yield f"  - fix: {prose(one_line(row.remediation.summary))}"
        if row.remediation.command:
            yield from _block((row.remediation.command,), "", "  ")
        if explained := wording.explained(row):
            yield f"  - more: {code(explained)}"
        if row.remediation.url:
            yield f"  - see {_linked(row.remediation.links)}"
    yield ""


def _runbook(plan: Runbook) -> Iterator[str]:
    timed = plan.schedule is not None
    for chapter, part in enumerate(plan.parts, 1):
        yield from _part(chapter, part, wording.to_clear(plan) if chapter == 1 else (), timed=timed and chapter > 1)
    yield "### The way back"
    yield ""
    yield from (f"- {prose(sentence)}" for sentence in plan.way_back)
    yield ""
    if plan.steps_back:
        for number, step in steps_back(plan):
            yield from _step(number, step, timed=timed)
        yield ""
    yield "### When something goes wrong"
    yield ""
    for trouble in plan.troubles:
        yield from _trouble(trouble)


def _part(chapter: int, part: Part, blockers: Sequence[tuple[str, str]] = (), *, timed: bool = False) -> Iterator[str]:
    yield f"### {chapter}. {prose(part.title)}"
    yield ""
    if blockers:
        yield wording.CLEAR_FIRST
        yield ""
        yield from (f"- [ ] **{label}** {prose(what)}" for label, what in blockers)
        yield ""
    for sentence in part.intro:
        yield prose(sentence)
        yield ""
    if part.asked:
        yield f"{wording.ASKED}"
        yield ""
        yield from (f"- {prose(text)}" for text in part.asked)
        yield ""
    for place, step in enumerate(part.steps, 1):
        yield from _step(f"{chapter}.{place}", step, timed=timed)
    yield ""


def _step(number: str, step: Step, *, timed: bool) -> Iterator[str]:
    yield f"- [ ] **{number}** {prose(step.title)}"
    if step.no_return:
        yield f"  - ⚠ **{wording.NO_RETURN}**"
    yield from (f"  - {prose(note)}" for note in step.notes)
    if timed:
        yield f"  - {prose(wording.takes(step.takes))}"
    if step.url:
        yield f"  - see {_linked(links_of(step.url))}"
    if step.sides:
        yield f"  - {wording.SIDES}"
        yield from (f"    - [ ] {prose(side.says)} ({prose(side.source)})" for side in step.sides)
    yield from _commands(step.commands)
    if step.proof:
        yield f"  - **Shows:** {prose(step.proof.shows)}"
        yield from _commands(step.proof.commands)
    if told := wording.origin(step):
        yield f"  - <sub>{prose(told)}</sub>"


def _trouble(trouble: Troubleshooting) -> Iterator[str]:
    yield f"**{prose(trouble.sign)}**"
    yield ""
    yield from (f"{number}. {prose(sentence)}" for number, sentence in enumerate(trouble.help, 1))
    yield ""
    if trouble.url:
        yield f"See {_linked(links_of(trouble.url))}"
        yield ""
    for where, language, lines in wording.grouped(trouble.look):
        yield f"{prose(wording.where_line(where, language) or wording.ANYWHERE)}, to see more:"
        yield ""
        yield from _block(lines, language, "")
        yield ""
    for command in trouble.cure:
        where = wording.where_line(command.where, command.language)
        yield f"{wording.ONLY_THEN}, {prose(where[:1].lower() + where[1:])}:"
        yield ""
        yield from _block((command.text,), command.language, "")
        yield ""


def _commands(commands: Iterable[Command]) -> Iterator[str]:
    for where, language, lines in wording.grouped(commands):
        told = wording.where_line(where, language) or wording.ANYWHERE
        if language == "url":
            yield from (f"  - {prose(told)}: {code(line, _COMMAND_CHARS)}" for line in lines)
            continue
        yield f"  - {prose(told)}:"
        yield from _block(lines, language, "    ")


def _linked(links: Iterable[Link]) -> str:
    return ", ".join(linked(link) for link in links)


def _block(lines: Iterable[str], language: str, indent: str) -> Iterator[str]:
    body = [truncate(line, _COMMAND_CHARS).replace("\n", " ") for line in lines]
    longest = max((len(run) for line in body for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    kind = {"cmd": "bat", "powershell": "powershell", "sh": "sh", "sql": "sql"}.get(language, "")
    for line in (f"{fence}{kind}", *body, fence):
        yield f"{indent}{line}"
