"""A plan as one HTML page that needs nothing else, with boxes to tick on the screen or on paper."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from checks.common.pages import Link, links_of
from checks.outcome import Result
from checks.runbook.model import Command, Plan, Refusal, RunbookSet, Step, Troubleshooting, steps_back
from reports.findings.grouping import attested_line, waiver_line
from reports.render.page import render_page
from reports.runbook import wording
from reports.text import one_line, truncate, web_url

Row = Mapping[str, object]
_COMMAND_CHARS = 2_000


def render(book: RunbookSet) -> str:
    """The page, to be written as UTF-8."""
    return render_page(
        "plan",
        {
            "title": one_line(wording.title(book)),
            "subtitle": one_line(wording.subtitle(book)),
            "never_run": wording.NEVER_RUN,
            "asked_title": wording.ASKED,
            "no_return": wording.NO_RETURN,
            "sides": wording.SIDES,
            "unknown_title": wording.UNKNOWN,
            "clear_first": wording.CLEAR_FIRST,
            "only_then": wording.ONLY_THEN,
            "attested": [attested_line(heard) for heard in book.attestations],
            "verdict": str(book.verdict),
            "tone": str(book.verdict).lower(),
            "version": one_line(book.tool_version, 100),
            "partial": book.partial,
            "notices": [one_line(notice) for notice in book.notices],
            "plans": [_plan(number, plan) for number, plan in enumerate(book.plans, 1)],
        },
    )


def _plan(number: int, plan: Plan) -> Row:
    values: dict[str, object] = {
        "number": number,
        "heading": one_line(wording.heading(plan)),
        "verdict": str(plan.verdict),
        "tone": str(plan.verdict).lower(),
        "line": one_line(wording.verdict_line(plan)),
        "findings": [
            (title, [_finding(number, label, row) for label, row in rows]) for title, rows in wording.findings(plan)
        ],
        "instead": "",
        "url": None,
        "way": [],
        "unknown": [],
        "schedule": [],
        "late": False,
        "parts": [],
        "back": [],
        "steps_back": [],
        "troubles": [],
    }
    if isinstance(plan, Refusal):
        return {**values, "instead": one_line(plan.instead), "links": _links(links_of(plan.url))}
    timed = plan.schedule is not None
    return {
        **values,
        "schedule": [one_line(line) for line in wording.schedule_lines(plan.schedule)] if plan.schedule else [],
        "late": plan.schedule is not None and plan.schedule.fits is False,
        "way": [tuple(one_line(cell) for cell in row) for row in wording.way_lines(plan)],
        "unknown": [one_line(sentence) for sentence in plan.unknown],
        "parts": [
            {
                "to_clear": [(_anchor(number, label), label, one_line(what)) for label, what in wording.to_clear(plan)]
                if chapter == 1
                else [],
                "number": chapter,
                "title": one_line(part.title),
                "asked": [one_line(text) for text in part.asked],
                "intro": [one_line(sentence, 4_000) for sentence in part.intro],
                "steps": [
                    _step(f"{chapter}.{place}", step, timed=timed and chapter > 1)
                    for place, step in enumerate(part.steps, 1)
                ],
            }
            for chapter, part in enumerate(plan.parts, 1)
        ],
        "back": [one_line(sentence) for sentence in plan.way_back],
        "steps_back": [_step(number, step, timed=timed) for number, step in steps_back(plan)],
        "troubles": [_trouble(trouble) for trouble in plan.troubles],
    }


def _anchor(plan: int, label: str) -> str:
    return f"p{plan}-{label}"


def _finding(plan: int, label: str, row: Result) -> Row:
    return {
        "id": _anchor(plan, label),
        "label": label,
        "accepted": one_line(waiver_line(row)),
        "explained": one_line(wording.explained(row)),
        "status": str(row.status),
        "check": one_line(row.check, 100),
        "place": one_line(wording.place(row)),
        "message": one_line(row.message),
        "fix": one_line(row.remediation.summary),
        "command": truncate(row.remediation.command, _COMMAND_CHARS),
        "links": _links(row.remediation.links),
    }


def _step(number: str, step: Step, *, timed: bool) -> Row:
    return {
        "number": number,
        "title": one_line(step.title),
        "commands": _commands(step.commands),
        "notes": [one_line(note) for note in step.notes],
        "sides": [(one_line(side.says), one_line(side.source)) for side in step.sides],
        "shows": one_line(step.proof.shows) if step.proof else "",
        "proof": _commands(step.proof.commands) if step.proof else [],
        "links": _links(links_of(step.url)),
        "no_return": step.no_return,
        "takes": one_line(wording.takes(step.takes)) if timed else "",
        "documented": one_line(wording.origin(step)),
    }


def _trouble(trouble: Troubleshooting) -> Row:
    return {
        "sign": one_line(trouble.sign),
        "help": [one_line(sentence) for sentence in trouble.help],
        "links": _links(links_of(trouble.url)),
        "look": _commands(trouble.look),
        "cure": [row for command in trouble.cure for row in _commands((command,))],
    }


def _links(links: Iterable[Link]) -> list[tuple[str, str]]:
    """Title and address of those that a browser can open."""
    return [(one_line(link.title, 500), url) for link in links if (url := web_url(link.url))]


def _commands(commands: Iterable[Command]) -> list[Row]:
    return [
        {
            "told": one_line(wording.where_line(where, language) or wording.ANYWHERE),
            "text": truncate("\n".join(line.replace("\n", " ") for line in lines), 8_000),
        }
        for where, language, lines in wording.grouped(commands)
    ]
