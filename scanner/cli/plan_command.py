"""`preflight plan`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scanner.cli.options import (
    REPORTS,
    RUN,
    ClusterOption,
    FromOption,
    InventoryArgument,
    ParallelOption,
    StrictOption,
    TargetOption,
    TimeoutOption,
    WaiversOption,
    refuse_idle_options,
    settle,
)
from scanner.errors import UsageError

if TYPE_CHECKING:
    from checks.plan.model import PlanBook

_KINDS = {".md": "plan_markdown", ".markdown": "plan_markdown", ".html": "plan_html", ".htm": "plan_html"}

OutOption = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        help="Write the plan there instead of printing it (-): .md or .html.",
        rich_help_panel=REPORTS,
    ),
]

SilentOption = Annotated[
    bool, typer.Option("-q", "--quiet", help="No progress; with -o, nothing for a GO.", rich_help_panel=RUN)
]


def plan(
    inventory: InventoryArgument,
    output: OutOption = None,
    cluster: ClusterOption = None,
    target: TargetOption = None,
    sources: FromOption = None,
    parallel: ParallelOption = None,
    timeout: TimeoutOption = None,
    waivers: WaiversOption = None,
    strict: StrictOption = None,
    quiet: SilentOption = False,
) -> None:
    """Lay out the upgrade of each cluster: the path, and an ordered runbook with its own names. Nothing is carried out.

    The plan begins with what stands in its way. A cluster whose way is unknown or unsupported gets no plan but the
    reason, and what to do instead. Prints Markdown, or writes Markdown or HTML with -o.

    Exit codes: 0 the first step may be taken, 1 something stands in the way, 2 the command line or the inventory cannot
    be used, 3 it cannot be told, 130 interrupted.
    """
    from dataclasses import replace

    from checks.exit_codes import ExitCode
    from checks.plan.build import NEEDS
    from scanner.cli.obtain import obtain
    from scanner.cli.reporting import STDOUT
    from scanner.cli.streams import leave, say
    from scanner.clock import today
    from scanner.files import ensure_writable, same_file, write_atomically
    from scanner.inventory.select import parse_targets
    from scanner.plan_book import plan_book

    refuse_idle_options(sources, parallel=parallel, timeout=timeout)
    if output == STDOUT:
        output = None
    if output is not None:
        ensure_writable(output)
        reads = [path for path in (inventory, waivers, *(sources or ())) if path]
        if any(same_file(output, source) for source in reads):
            raise UsageError(f"the plan cannot go to {output}: that file is read; choose another name")
    kind = _kind(output)
    selection, job = settle(
        inventory,
        cluster=cluster,
        target=target,
        waivers=waivers,
        strict=strict,
        parallel=parallel,
        timeout=timeout,
    )
    job = replace(job, also=NEEDS)
    collected = obtain(job, selection, quiet=quiet, sources=sources)
    book = plan_book(job, collected, today(), parse_targets(target or ()), str(waivers or ""))
    text = _render(kind, book)
    if output is None:
        if problem := say(text):
            raise UsageError(f"{problem}; make room, or name a file with -o")
    else:
        write_atomically(output, text)
        if not quiet:
            print(f"wrote {output}", file=sys.stderr)
        if not quiet or book.exit_code:
            say("\n".join(_summary(book)) + "\n")
    if book.partial:
        leave(ExitCode.INTERRUPTED)
    raise typer.Exit(book.exit_code)


def _kind(output: Path | None) -> str:
    if output is None:
        return "plan_markdown"
    found = _KINDS.get(output.suffix.lower())
    if found is None:
        raise UsageError(f"-o {output}: the name has to end in .md or .html, which says what is written")
    return found


def _render(kind: str, book: PlanBook) -> str:
    from importlib import import_module

    text: str = import_module(f"reports.{kind}").render(book)
    return text


def _summary(book: PlanBook) -> list[str]:
    from reports import plan_text
    from reports.text import one_line

    return [f"{one_line(plan_text.heading(plan))}\n  {one_line(plan_text.verdict_line(plan))}" for plan in book.plans]
