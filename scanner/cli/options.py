"""Arguments and options that several commands have in common, and what they settle."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from checks.scan import FailOn
from scanner.cli import completion
from scanner.errors import UsageError

if TYPE_CHECKING:
    from scanner.cli.machines import Source
    from scanner.inventory.select import Selection
    from scanner.run.job import ScanRequest


class Phase(enum.StrEnum):
    """When a scan is made; the same words as checks.check.PHASES."""

    BEFORE = "before"
    WINDOW = "window"
    AFTER = "after"


reports_option = partial(typer.Option, rich_help_panel="Reports")
selection_option = partial(typer.Option, rich_help_panel="Selection")
run_option = partial(typer.Option, rich_help_panel="Run")
"""By the panel of the help that they stand in."""

InventoryArgument = Annotated[Path, typer.Argument(metavar="INVENTORY", help="The TOML inventory.", show_default=False)]
NagiosOption = Annotated[
    bool, reports_option("--nagios", help="Be a Nagios plugin: print one line, and end with 0, 1, 2 or 3.")
]
OnlyChangesOption = Annotated[
    bool,
    run_option("--only-changes", help="With a history: print nothing unless something is new, resolved or flapping."),
]
RemindOption = Annotated[
    str | None,
    run_option("--remind", metavar="TIME", help="With --only-changes: say again what still stands after so long (7d)."),
]
FailOnOption = Annotated[
    FailOn,
    run_option(
        "--fail-on",
        help="What the exit code follows: any cluster that may not go; that all may not; what is new in the history.",
    ),
]
HistoryOption = Annotated[
    Path | None,
    reports_option("--history", metavar="FILE", help="Record the run there, and say what is new since the last one."),
]
ClusterOption = Annotated[
    list[str] | None,
    selection_option(
        "--cluster", metavar="NAME", help="Only this cluster. Repeatable.", autocompletion=completion.cluster_names
    ),
]
NodeOption = Annotated[
    list[str] | None,
    selection_option(
        "--node",
        metavar="NAME",
        help="Only this node, as NAME or CLUSTER.NAME. Repeatable.",
        autocompletion=completion.node_names,
    ),
]
CheckOption = Annotated[
    list[str] | None,
    selection_option("--check", metavar="ID", help="Only this check. Repeatable.", autocompletion=completion.check_ids),
]
SkipCheckOption = Annotated[
    list[str] | None,
    selection_option(
        "--skip-check", metavar="ID", help="All checks but this. Repeatable.", autocompletion=completion.check_ids
    ),
]
TargetOption = Annotated[
    list[str] | None,
    selection_option(
        "--target",
        metavar="CLUSTER=VERSION",
        help="Upgrade to VERSION instead of the inventory's target. Repeatable.",
        autocompletion=completion.target_words,
    ),
]
PhaseOption = Annotated[Phase, run_option("--phase", help="What is expected differs before, in and after the window.")]
WaiversOption = Annotated[
    Path | None,
    run_option("--waivers", metavar="FILE", help="Waivers and attestations in TOML, beside the inventory's own."),
]
StrictOption = Annotated[bool | None, run_option("--strict/--no-strict", help="Count a warning as a failure.")]
ParallelOption = Annotated[
    int | None, run_option("--parallel", metavar="N", min=1, max=512, help="Nodes at a time (32).")
]
TimeoutOption = Annotated[
    float | None, run_option("--timeout", metavar="SECONDS", min=1, max=3600, help="For one node (60).")
]
EngineOption = Annotated[
    str | None,
    run_option(
        "--engine",
        metavar="NAME",
        help="What asks the nodes: threads, or dask for other processes.",
        autocompletion=completion.engine_names,
    ),
]
SchedulerOption = Annotated[
    str | None,
    run_option(
        "--scheduler", metavar="ADDRESS", help="Let the workers of this dask scheduler ask, as tls://HOST:PORT."
    ),
]
FromOption = Annotated[
    list[Path] | None,
    run_option(
        "--from",
        metavar="EVIDENCE",
        help="Judge what `preflight collect` has gathered, and contact nobody. Repeatable.",
    ),
]
EvidenceOption = Annotated[
    Path | None,
    reports_option(
        "--evidence",
        metavar="FILE",
        help="Keep everything that the nodes said; .gz packs it, .jsonl or .jsonl.gz: in lines.",
    ),
]
QuietOption = Annotated[bool, run_option("-q", "--quiet", help="Print only what is wrong: nothing for a GO.")]
VerboseOption = Annotated[bool, run_option("-v", "--verbose", help="Print every result, and what each node cost.")]


def refuse_idle_options(
    sources: Sequence[Path] | None,
    *,
    evidence: Path | None = None,
    parallel: int | None = None,
    timeout: float | None = None,
    engine: str | None = None,
    scheduler: str | None = None,
) -> None:
    """Raise UsageError for options of a conversation with nodes where `--from` says that there is none."""
    given = {
        "--evidence": evidence,
        "--parallel": parallel,
        "--timeout": timeout,
        "--engine": engine,
        "--scheduler": scheduler,
    }
    idle = [name for name, value in given.items() if value is not None]
    if sources and idle:
        raise UsageError(f"--from contacts nobody, so it leaves nothing to do for {' and '.join(idle)}: choose one")


def resolve_options(
    inventory: Source,
    *,
    cluster: Sequence[str] | None = None,
    node: Sequence[str] | None = None,
    check: Sequence[str] | None = None,
    skip_check: Sequence[str] | None = None,
    target: Sequence[str] | None = None,
    phase: str = "before",
    waivers: Path | None = None,
    strict: bool | None = None,
    parallel: int | None = None,
    timeout: float | None = None,
    engine: str | None = None,
    scheduler: str | None = None,
) -> tuple[Selection, ScanRequest]:
    """What a command is about: the part of the inventory that is selected, and the job to run over it.

    Nothing is contacted and no secret is read. Raises InventoryError and UsageError.
    """
    from dataclasses import replace

    from scanner.cli.machines import inventory_of
    from scanner.inventory.credentials import variables
    from scanner.inventory.select import parse_targets, select
    from scanner.loading.inventory import with_waivers
    from scanner.run.prepare import build_request
    from scanner.secrets import children

    loaded = inventory_of(inventory)
    children.withhold(variables(loaded))
    if waivers is not None:
        loaded = with_waivers(loaded, waivers)
    selection = select(loaded, cluster or (), node or (), parse_targets(target or ()))
    job = build_request(
        selection,
        only=check or (),
        without=skip_check or (),
        parallel=parallel,
        timeout_s=timeout,
        strict=strict,
        phase=phase,
        engine=engine,
        scheduler=scheduler,
    )
    # What a waiver is good for on the way to another version says nothing of the way that the inventory is about.
    return selection, replace(job, whole=job.whole and not target)
