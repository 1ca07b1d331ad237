"""`preflight plan`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reports.format import RUNBOOK, format_named, formats_of
from scanner.cli.options import (
    ClusterOption,
    EngineOption,
    FromOption,
    InventoryArgument,
    ParallelOption,
    SchedulerOption,
    StrictOption,
    TargetOption,
    TimeoutOption,
    WaiversOption,
    refuse_idle_options,
    reports_option,
    resolve_options,
    run_option,
)
from scanner.errors import UsageError

if TYPE_CHECKING:
    from checks.runbook.model import RunbookSet

_following_option = partial(typer.Option, rich_help_panel="Following a plan")
_PRINTED = "markdown"
"""The format of a plan that goes to standard output."""

OutOption = Annotated[
    Path | None,
    reports_option(
        "-o", "--output", metavar="FILE", help="Write the plan there instead of printing it (-): .md or .html."
    ),
]

JsonOption = Annotated[
    Path | None,
    reports_option(
        "--json", metavar="FILE", help="Write the plan as JSON, for change systems and for --check; - prints it."
    ),
]
WindowOption = Annotated[
    str | None, reports_option("--window", metavar="LENGTH", help="How long the window is: 2h, 90m, 2h30m.")
]
TakesOption = Annotated[
    list[str] | None,
    reports_option(
        "--takes", metavar="STEP=TIME", help="Your own figure for a step, as in upgrade-first=25m. Repeatable."
    ),
]
FollowOption = Annotated[
    str | None,
    _following_option("--check", metavar="STEP", help="Say whether STEP is done: a number (2.7), all, or next."),
]
PlanOption = Annotated[
    Path | None,
    _following_option(
        "--plan", metavar="FILE", help="The plan that is followed, as --json wrote it (INVENTORY's .plan.json)."
    ),
]

SilentOption = Annotated[bool, run_option("-q", "--quiet", help="No progress; with -o, nothing for a GO.")]


def plan(
    inventory: InventoryArgument,
    output: OutOption = None,
    json: JsonOption = None,
    window: WindowOption = None,
    takes: TakesOption = None,
    check: FollowOption = None,
    kept: PlanOption = None,
    cluster: ClusterOption = None,
    target: TargetOption = None,
    sources: FromOption = None,
    parallel: ParallelOption = None,
    timeout: TimeoutOption = None,
    engine: EngineOption = None,
    scheduler: SchedulerOption = None,
    waivers: WaiversOption = None,
    strict: StrictOption = None,
    quiet: SilentOption = False,
) -> None:
    """Lay out the upgrade of each cluster: the path, and an ordered runbook with its own names. Nothing is carried out.

    The plan begins with what stands in its way. A cluster whose way is unknown or unsupported gets no plan but the
    reason, and what to do instead. Prints Markdown, or writes Markdown or HTML with -o, and JSON with --json.

    With --window the known times of the steps are held against it: a plan that does not fit is a warning, and a
    failure with --strict. With --check nothing is planned: a step's own verification is run, read-only, with
    questions of a scan.

    Exit codes: 0 the first step may be taken, 1 something stands in the way, 2 the command line or the inventory cannot
    be used, 3 it cannot be told, 130 interrupted. Of --check: 0 done, 1 not done, 3 cannot tell.
    """
    from dataclasses import replace

    from checks.registry import plan_facts
    from scanner.cli.answers import collect_or_load
    from scanner.cli.commands.plan_check import follow_plan
    from scanner.cli.output.ending import leave
    from scanner.clock import today
    from scanner.inventory.select import parse_targets
    from scanner.run.plans import build_runbooks, timed

    refuse_idle_options(sources, parallel=parallel, timeout=timeout, engine=engine, scheduler=scheduler)
    reads = [path for path in (inventory, waivers, *(sources or ()), kept) if path]
    written = {} if check is not None else _destinations(output, json, reads)
    length, own = _times(window, takes)
    _refuse_contradictions(check, kept, {"-o": output, "--json": json, "--window": window, "--takes": takes})
    selection, job = resolve_options(
        inventory,
        cluster=cluster,
        target=target,
        waivers=waivers,
        strict=strict,
        parallel=parallel,
        timeout=timeout,
        engine=engine,
        scheduler=scheduler,
    )
    if check is not None:
        follow_plan(
            check,
            kept,
            selection,
            job,
            clusters=cluster or (),
            sources=sources,
            quiet=quiet,
            parallel=parallel,
            timeout_s=timeout,
            strict=strict,
            engine=engine,
            scheduler=scheduler,
        )
    job = replace(job, also=plan_facts(info.definition for _, info in job.clusters))
    collected = collect_or_load(job, selection, quiet=quiet, sources=sources)
    book = build_runbooks(job, collected, today(), parse_targets(target or ()), str(waivers or ""))
    if length or own:
        book = timed(book, length, own, strict=job.strict)
    _deliver(book, written, quiet=quiet)
    leave(book.exit_code, interrupted=book.partial)


def _destinations(output: Path | None, json: Path | None, reads: Sequence[Path]) -> dict[str, Path | None]:
    """Kind of report to its file, None for standard output. Raises UsageError for files that cannot be written."""
    from scanner.cli.output.reporting import STDOUT
    from scanner.files.atomic import ensure_writable, same_file

    if output is not None and json is not None and _same(output, json):
        raise UsageError("-o and --json go to the same place; choose another name for one of them")
    for path in (output, json):
        if path is not None and path != STDOUT:
            ensure_writable(path)
    places: dict[str, Path | None] = {}
    if output is not None or json is None:
        plain = None if output == STDOUT else output
        places[_kind(plain)] = plain
    if json is not None:
        places["json"] = None if json == STDOUT else json
    for path in places.values():
        if path is not None and any(same_file(path, source) for source in reads):
            raise UsageError(f"the plan cannot go to {path}: that file is read; choose another name")
    return places


def _same(one: Path, other: Path) -> bool:
    from scanner.cli.output.reporting import STDOUT
    from scanner.files.atomic import same_file

    return one == other if STDOUT in (one, other) else same_file(one, other)


def _times(window: str | None, takes: Sequence[str] | None) -> tuple[timedelta | None, dict[str, timedelta]]:
    from scanner.run.durations import parse_duration

    own: dict[str, timedelta] = {}
    for text in takes or ():
        step, equals, length = text.rpartition("=")
        if not equals or not step.strip():
            raise UsageError(f"--takes {text}: expected STEP=TIME, as in upgrade-first=25m")
        own[step.strip()] = parse_duration(length, f"--takes {step.strip()}=")
    return (None if window is None else parse_duration(window, "--window")), own


def _refuse_contradictions(check: str | None, kept: Path | None, given: Mapping[str, object]) -> None:
    idle = [name for name, value in given.items() if value]
    if check is not None and idle:
        raise UsageError(f"--check follows a plan, and {' and '.join(idle)} would make one: choose")
    if check is None and kept is not None:
        raise UsageError("--plan names the plan that --check follows: say which STEP, or --check all")


def _deliver(book: RunbookSet, written: Mapping[str, Path | None], *, quiet: bool) -> None:
    from scanner.cli.output.streams import print_out
    from scanner.files.atomic import write_atomically

    for kind, path in written.items():
        text = format_named(kind).render[RUNBOOK](book)
        if path is not None:
            write_atomically(path, text)
            if not quiet:
                print(f"wrote {path}", file=sys.stderr)
        elif problem := print_out(text):
            raise UsageError(f"{problem}; make room, or name a file with -o")
    if None not in written.values() and (not quiet or book.exit_code):
        print_out("\n".join(_summary(book)) + "\n")


def _kind(output: Path | None) -> str:
    if output is None:
        return _PRINTED
    formats = sorted(formats_of(RUNBOOK), key=lambda each: each.name != _PRINTED)
    found = next((each.name for each in formats if output.suffix.lower() in each.suffixes), None)
    if found is None:
        ends = " or ".join(each.suffixes[0] for each in formats if each.suffixes)
        raise UsageError(f"-o {output}: the name has to end in {ends}, which says what is written")
    return found


def _summary(book: RunbookSet) -> list[str]:
    from checks.runbook.model import Runbook
    from reports.runbook import wording
    from reports.text import one_line

    lines = []
    for plan in book.plans:
        lines.append(f"{one_line(wording.heading(plan))}\n  {one_line(wording.verdict_line(plan))}")
        if isinstance(plan, Runbook) and plan.schedule:
            sign = "warning: " if plan.schedule.fits is False else ""
            lines += [f"  {sign}{one_line(wording.schedule_lines(plan.schedule)[0])}"]
    return lines
