"""`preflight baseline`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from checks.exit_codes import ExitCode
from scanner.cli.machines import Source, beside, files_of, inventory_of, takes_machines
from scanner.cli.options import (
    EngineOption,
    FromOption,
    ParallelOption,
    SchedulerOption,
    TimeoutOption,
    WaiversOption,
    refuse_idle_options,
    resolve_options,
    run_option,
)
from scanner.cli.output.ending import leave
from scanner.cli.output.streams import print_error, print_out
from scanner.errors import UsageError
from scanner.inventory.reading.looking import exists

if TYPE_CHECKING:
    from checks.baseline.approval import Baseline, Part
    from checks.baseline.drift_rules import DriftRules
    from checks.baseline.snapshot import FactKey

_approval_option = partial(typer.Option, rich_help_panel="Approval")
_LISTED = 20

OutputOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Instead of INVENTORY's name with .baseline.json."),
]
ByOption = Annotated[str, _approval_option("--by", metavar="NAME", help="Who approves (git's user).")]
ReasonOption = Annotated[
    str, _approval_option("--reason", metavar="TEXT", help="Why. Needed where there is a baseline already.")
]
UpdateOption = Annotated[
    list[str] | None,
    _approval_option(
        "--update",
        metavar="CHECK-OR-FACT",
        help="Approve only this anew: a check with its facts, or a fact. Repeatable.",
    ),
]
NodeOption = Annotated[
    list[str] | None,
    _approval_option(
        "--node",
        metavar="NAME",
        help="Approve only this node anew; one that left the inventory is taken out. Repeatable.",
    ),
]
IncompleteOption = Annotated[
    bool,
    _approval_option(
        "--allow-incomplete",
        help="Write it although something could not be read; drift says UNKNOWN for that every time.",
    ),
]
QuietOption = Annotated[bool, run_option("-q", "--quiet", help="Print nothing but problems.")]


@takes_machines
def baseline(
    inventory: Source,
    output: OutputOption = None,
    by: ByOption = "",
    reason: ReasonOption = "",
    update: UpdateOption = None,
    node: NodeOption = None,
    allow_incomplete: IncompleteOption = False,
    waivers: WaiversOption = None,
    parallel: ParallelOption = None,
    timeout: TimeoutOption = None,
    engine: EngineOption = None,
    scheduler: SchedulerOption = None,
    from_: FromOption = None,
    quiet: QuietOption = False,
) -> None:
    """Write today's facts as the approved baseline, for `preflight drift` to compare with.

    One fact a line, sorted, without anything that changes by itself: made to be committed and reviewed. With
    `--update` or `--node` only that part is replaced, and the rest stays as it is. Where something could not be read,
    nothing is written, and the exit code is 3.
    """
    from checks.baseline.approval import EVERYTHING
    from checks.baseline.snapshot import Snapshot
    from scanner.cli.answers import hand_over
    from scanner.clock import today
    from scanner.files.atomic import ensure_writable
    from scanner.files.baseline import document, reader, writer
    from scanner.run.drift.approve import partly, whole
    from scanner.run.drift.approver import approver
    from scanner.run.drift.compare import Measuring, approval, part_of, rules_of, split_nodes

    refuse_idle_options(from_, parallel=parallel, timeout=timeout, engine=engine, scheduler=scheduler)
    path = beside(inventory, output, "--output", document.default_path)
    _refuse_overwriting(path, [*files_of(inventory), *([waivers] if waivers else []), *(from_ or ())])
    some = bool(update or node)
    old = reader.read_baseline(path) if some or exists(path) else None
    why = " ".join(reason.split())
    if old and not why:
        raise UsageError(f"{path} is there already: say with --reason why it is approved anew")
    who = approver(by, (files_of(inventory) or [path])[0].absolute().parent)
    ensure_writable(path)
    loaded = inventory_of(inventory)
    rules = rules_of(loaded)
    here, gone = split_nodes(node or (), loaded, old) if old else (list(node or ()), set())
    anybody = bool(here or not gone)
    selection, job = resolve_options(
        inventory, node=here, waivers=waivers, parallel=parallel, timeout=timeout, engine=engine, scheduler=scheduler
    )
    chosen = job.chosen if anybody else frozenset()
    clusters = frozenset() if node else frozenset(cluster for cluster, _ in chosen)
    then = old.snapshot if old else Snapshot()
    part = part_of(update or (), chosen | gone, clusters, rules, then, loaded.own)
    now = Snapshot()
    if anybody:
        measuring = Measuring(job, rules)
        asking = hand_over(job, selection, [measuring], quiet=quiet, sources=from_)
        if not asking.complete:
            print_error("interrupted: no baseline was written")
            leave(ExitCode.INTERRUPTED, interrupted=True)
        now = measuring.snapshot(today())
    if some and old:
        scope = "; ".join([*(update or ()), *(f"on {name}" for name in node or ())])
        proposal = partly(old, now, part, approval(who, why, scope), rules)
    else:
        proposal = whole(loaded.path.name, now, approval(who, why or "first baseline", EVERYTHING), rules)
    if proposal.holes and not allow_incomplete:
        _told_holes(f"no baseline was written to {path}: this could not be read", proposal.holes)
        leave(ExitCode.UNKNOWN)
    writer.write_baseline(path, proposal.baseline)
    if proposal.holes:
        _told_holes(f"{path} has holes; nobody approved these, and every drift run says so", proposal.holes)
    if not quiet:
        print_out(_told(path, old, proposal.baseline, rules, part if some else None))


def _refuse_overwriting(path: Path, reads: Sequence[Path]) -> None:
    from scanner.files.atomic import same_file

    if str(path) == "-":
        raise UsageError("the baseline goes to a file, to be committed: name one")
    if any(same_file(path, source) for source in reads):
        raise UsageError(f"the baseline cannot go to {path}: that file is read; choose another name")


def _told_holes(head: str, holes: Mapping[FactKey, str]) -> None:
    by_reason: dict[str, list[str]] = {}
    for gap, reason in holes.items():
        by_reason.setdefault(reason, []).append(str(gap))
    lines = [f"{', '.join(gaps)}: {reason}" for reason, gaps in by_reason.items()]
    more = [f"and {len(lines) - _LISTED} more"] if len(lines) > _LISTED else []
    print_error("\n".join([head, *lines[:_LISTED], *more]))


def _told(path: Path, old: Baseline | None, new: Baseline, rules: DriftRules, part: Part | None) -> str:
    from checks.baseline.comparison import compare, differing_of
    from checks.outcome import Status
    from reports.drift.view import changed
    from reports.render.console import render_sections
    from reports.text import count
    from scanner.cli.output.reporting import color_wanted, width

    known = new.snapshot
    facts, nodes = count(len(known.facts), "fact"), count(len(known.nodes), "node")
    otherwise = changed(compare(old.snapshot, known, rules, keep=differing_of)) if old else ()
    text = render_sections(otherwise, color=color_wanted(), width=width())
    odd = (Status.FAIL, Status.WARN, Status.ERROR)
    bad = [
        f"  {subject}  {ended.status}"
        for subject, ended in sorted(known.checks.items())
        if ended.status in odd and (part is None or part.has_check(subject))
    ]
    if bad:
        more = [f"  and {len(bad) - _LISTED} more"] if len(bad) > _LISTED else []
        text += "\n".join(["approved although they do not pass:", *bad[:_LISTED], *more]) + "\n"
    latest = new.approvals[-1]
    return f"{text}wrote {path}: {facts} on {nodes}, {latest.scope} approved by {latest.by}: {latest.reason}\n"
