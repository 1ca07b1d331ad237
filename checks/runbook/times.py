"""How long the steps of a plan take: the vendor's figure, a size that was read, or "not known"; and their sum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from checks.check import NodeView
from checks.engine.wording import count
from checks.runbook.model import (
    NO_FIGURE,
    Command,
    Estimate,
    Runbook,
    Schedule,
    Step,
    Stretch,
    numbered_steps,
    steps_back,
)
from checks.runbook.writer import RunbookWriter, Sizes
from checks.scan import Verdict

ASSUMED_MB_S = 100
"""The speed at which databases and folders are taken to be read and written; each estimate that rests on it says so."""

_MB = 1_000_000
_AT = f"at {ASSUMED_MB_S} MB/s, which is assumed: time the rehearsal"


def with_times(runbook: Runbook, views: Sequence[NodeView], writer: RunbookWriter) -> Runbook:
    """The runbook with how long each step takes, as far as `views`, the cluster's nodes, tell it."""
    sizes = writer.sizes(views)

    def timed(step: Step) -> Step:
        found = writer.estimates.get(step.id) or _of_commands(step, sizes)
        return replace(step, takes=found)

    parts = tuple(replace(part, steps=tuple(timed(step) for step in part.steps)) for part in runbook.parts)
    return replace(runbook, parts=parts, steps_back=tuple(timed(step) for step in runbook.steps_back))


def _of_commands(step: Step, sizes: Sizes) -> Estimate:
    moved, missing = [], []
    for command in (*step.commands, *(step.proof.commands if step.proof else ())):
        what, size = _moves(command, sizes)
        if size is not None:
            moved.append((what, size))
        elif what:
            missing.append(what)
    if missing:
        return Estimate(None, f"not known: no size of {missing[0]} was read")
    if not moved:
        return NO_FIGURE
    total = sum(size for _, size in moved)
    seconds = -(-total // (ASSUMED_MB_S * _MB))
    told = ", ".join(dict.fromkeys(f"{what} ({_size(size)})" for what, size in moved))
    return Estimate(max(1, seconds), f"{told}, {_size(total)} in all {_AT}", "measured")


def _moves(command: Command, sizes: Sizes) -> tuple[str, int | None]:
    """What a command reads or writes as a whole, and its size; an empty text where it moves nothing of note."""
    text = command.text
    if command.language == "sql" and text.startswith(("BACKUP DATABASE", "RESTORE DATABASE", "RESTORE VERIFYONLY")):
        return "the database", sizes.database
    tms = '-TMS" ' in text or "connectionStrings.config" in text
    if text.startswith("robocopy ") and " /E " in f"{text} " and " /L " not in text and not tms:
        return "the application's folder", sizes.folders.get(command.where)
    return "", None


def _size(size: int) -> str:
    for unit, name in ((10**9, "GB"), (10**6, "MB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return count(size, "byte")


def with_own(runbook: Runbook, own: Mapping[str, int]) -> Runbook:
    """The runbook with somebody's own figures, in seconds, by a step's number ("2.8", "R3") or id ("upgrade-first")."""
    if not own:
        return runbook

    def timed(number: str, step: Step) -> Step:
        for name in (f"{runbook.cluster}.{number}", number, step.id):
            if name in own:
                return replace(step, takes=Estimate(own[name], "your own figure", "yours"))
        return step

    parts = tuple(
        replace(part, steps=tuple(timed(f"{chapter}.{place}", step) for place, step in enumerate(part.steps, 1)))
        for chapter, part in enumerate(runbook.parts, 1)
    )
    back = tuple(timed(number, step) for number, step in steps_back(runbook))
    return replace(runbook, parts=parts, steps_back=back)


def names_of(runbook: Runbook) -> list[str]:
    """Every word by which `with_own` knows a step."""
    rows = [*((number, step) for number, _, step in numbered_steps(runbook)), *steps_back(runbook)]
    words = [word for number, step in rows for word in (number, f"{runbook.cluster}.{number}", step.id)]
    return list(dict.fromkeys(words))


def scheduled(runbook: Runbook, window_s: int | None, *, strict: bool = False) -> Runbook:
    """The runbook with its times summed up against a window; with `strict` one that does not fit is a NO-GO."""
    stretches, so_far, no_return, before = [], 0, "", 0
    for chapter, part in enumerate(runbook.parts, 1):
        if chapter == 1:
            continue
        known, unknown = 0, []
        for place, step in enumerate(part.steps, 1):
            number = f"{chapter}.{place}"
            if step.no_return and not no_return:
                no_return, before = number, so_far + known
            if step.takes.seconds is None:
                unknown.append(number)
            known += step.takes.seconds or 0
        so_far += known
        stretches.append(
            Stretch(chapter=chapter, title=part.title, known_s=known, unknown=tuple(unknown), steps=len(part.steps))
        )
    back = _longest_way_back(runbook)
    schedule = Schedule(
        window_s=window_s,
        stretches=tuple(stretches),
        back_s=sum(step.takes.seconds or 0 for _, step in back),
        back_unknown=tuple(number for number, step in back if step.takes.seconds is None),
        no_return=no_return,
        no_return_s=before,
    )
    verdict = Verdict.NO_GO if strict and schedule.fits is False else runbook.verdict
    return replace(runbook, schedule=schedule, verdict=verdict)


def _longest_way_back(runbook: Runbook) -> list[tuple[str, Step]]:
    """Of a way back that undoes one hop of several, the hop whose steps take the longest; else all of it."""
    groups: dict[str, list[tuple[str, Step]]] = {}
    for number, step in steps_back(runbook):
        lead, colon, _ = step.title.partition(": ")
        groups.setdefault(lead if colon and lead.startswith("Back to ") else "", []).append((number, step))
    always = groups.pop("", [])
    longest = max(groups.values(), key=lambda rows: sum(step.takes.seconds or 0 for _, step in rows), default=[])
    return [*longest, *always]
