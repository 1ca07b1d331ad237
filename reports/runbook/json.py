"""A plan as JSON, `preflight.plan/1`: for change systems, and for following it. `plan.schema.json` holds its shape.

Beside what the other formats show, each step says what facts show of it once it is done (`verification.signs`):
`preflight plan --check` reads them from the kept file, so that a number means the same all night.
"""

from __future__ import annotations

from typing import Any

from checks.common.pages import current
from checks.outcome import Result
from checks.runbook.following import told
from checks.runbook.model import (
    Command,
    DocumentedStep,
    Part,
    Plan,
    Refusal,
    Runbook,
    RunbookSet,
    Schedule,
    Step,
    Troubleshooting,
    steps_back,
)
from checks.runbook.signs import Sign
from reports.render.json_text import json_safe, pretty, schema_named, utc_text
from reports.runbook import wording
from reports.scan.json import remediation

SCHEMA = "preflight.plan/1"


def render(book: RunbookSet) -> str:
    """The document, pretty-printed, with the keys always in the same order."""
    return pretty(document(book))


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of the document."""
    return schema_named("plan")


def document(book: RunbookSet) -> dict[str, Any]:
    """The document as JSON values."""
    safe: dict[str, Any] = json_safe(
        {
            "schema": SCHEMA,
            "tool": {"name": "preflight", "version": book.tool_version},
            "inventory": book.inventory,
            "asked": utc_text(book.asked),
            "partial": book.partial,
            "verdict": str(book.verdict),
            "exit_code": book.exit_code,
            "notices": list(book.notices),
            "clusters": [_plan(plan) for plan in book.plans],
        }
    )
    return safe


def _plan(plan: Plan) -> dict[str, object]:
    about: dict[str, object] = {
        "name": plan.cluster,
        "product": plan.product,
        "verdict": str(plan.verdict),
        "summary": wording.verdict_line(plan),
        "findings": [_finding(kind, label, row) for kind, rows in wording.findings(plan) for label, row in rows],
    }
    if isinstance(plan, Refusal):
        return {**about, "refused": {"reason": plan.reason, "instead": plan.instead, "url": current(plan.url) or None}}
    return {**about, "refused": None, **_runbook(plan)}


def _runbook(plan: Runbook) -> dict[str, object]:
    hops = plan.path.hops
    return {
        "installed": str(plan.path.current),
        "target": plan.path.target,
        "stops": [hop.version for hop in hops[:-1]],
        "way": [{"from": source, "to": target, "why": why} for source, target, why in wording.way_lines(plan)],
        "placeholders": list(plan.unknown),
        "parts": [_part(plan, chapter, part) for chapter, part in enumerate(plan.parts, 1)],
        "way_back": {
            "text": list(plan.way_back),
            "steps": [_step(plan, number, step) for number, step in steps_back(plan)],
        },
        "troubles": [_trouble(plan, trouble) for trouble in plan.troubles],
        "schedule": _schedule(plan.schedule) if plan.schedule else None,
    }


def _finding(kind: str, label: str, row: Result) -> dict[str, object]:
    return {
        "label": label,
        "kind": kind.lower(),
        "check": row.check,
        "node": row.node,
        "status": str(row.status),
        "message": row.message,
        "remediation": remediation(row.remediation),
    }


def _part(plan: Runbook, chapter: int, part: Part) -> dict[str, object]:
    hops = plan.path.hops
    sources = [str(plan.path.current), *(hop.version for hop in hops[:-1])]
    hop = {"from": sources[chapter - 2], "to": hops[chapter - 2].version} if 2 <= chapter <= len(hops) + 1 else None
    return {
        "number": chapter,
        "title": part.title,
        "hop": hop,
        "intro": list(part.intro),
        "asked": list(part.asked),
        "steps": [_step(plan, f"{chapter}.{place}", step) for place, step in enumerate(part.steps, 1)],
    }


def _step(plan: Runbook, number: str, step: Step) -> dict[str, object]:
    proof = step.proof
    return {
        "id": f"{plan.cluster}.{number}",
        "number": number,
        "kind": step.id,
        "title": step.title,
        "why": list(step.notes),
        "point_of_no_return": step.no_return,
        "commands": [_command(plan, command) for command in step.commands],
        "verification": {
            "shows": proof.shows if proof else "",
            "commands": [_command(plan, command) for command in proof.commands] if proof else [],
            "signs": [_sign(sign) for sign in step.signs],
            "unseen": step.unseen or None,
        },
        "alternatives": [{"says": side.says, "source": side.source} for side in step.sides],
        "sources": [_source(each) for each in step.sources],
        "url": current(step.url) or None,
        "clears": step.answers or None,
        "estimate": {"seconds": step.takes.seconds, "basis": step.takes.basis, "origin": step.takes.origin},
    }


def _sign(sign: Sign) -> dict[str, object]:
    return {"kind": sign.kind, "nodes": list(sign.nodes), "want": sign.want, "told": told(sign)}


def _source(each: DocumentedStep) -> dict[str, object]:
    return {"step": each.step, "says": each.says, "document": each.document, "url": each.url}


def _command(plan: Runbook, command: Command) -> dict[str, object]:
    return {
        "text": command.text,
        "shell": command.language,
        "node": command.where if command.where in plan.nodes else None,
        "where": wording.where_line(command.where, command.language) or wording.ANYWHERE,
    }


def _trouble(plan: Runbook, trouble: Troubleshooting) -> dict[str, object]:
    return {
        "sign": trouble.sign,
        "help": list(trouble.help),
        "look": [_command(plan, command) for command in trouble.look],
        "cure": [_command(plan, command) for command in trouble.cure],
        "url": current(trouble.url) or None,
    }


def _schedule(schedule: Schedule) -> dict[str, object]:
    return {
        "window_seconds": schedule.window_s,
        "fits": schedule.fits,
        "known_seconds": schedule.known_s,
        "without_figure": list(schedule.unknown),
        "parts": [
            {
                "number": stretch.chapter,
                "title": stretch.title,
                "known_seconds": stretch.known_s,
                "without_figure": list(stretch.unknown),
                "steps": stretch.steps,
            }
            for stretch in schedule.stretches
        ],
        "way_back": {"known_seconds": schedule.back_s, "without_figure": list(schedule.back_unknown)},
        "turn_back_seconds": schedule.turn_back_s,
        "no_return": {"step": schedule.no_return, "known_seconds": schedule.no_return_s}
        if schedule.no_return
        else None,
        "text": wording.schedule_lines(schedule),
    }
