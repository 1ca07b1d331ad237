"""`preflight scan`."""

from __future__ import annotations

import enum
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from checks.scan import EXIT_USAGE
from scanner.cli.streams import complain
from scanner.errors import UsageError

if TYPE_CHECKING:
    from checks.scan import Scan
    from scanner.cli.reporting import Destinations
    from scanner.inventory.select import Selection
    from scanner.run import Job


class Phase(enum.StrEnum):
    """When a scan is made; the same words as checks.check.PHASES."""

    BEFORE = "before"
    WINDOW = "window"
    AFTER = "after"


REPORTS = "Reports"
SELECTION = "Selection"
RUN = "Run"

InventoryArgument = Annotated[Path, typer.Argument(metavar="INVENTORY", help="The TOML inventory.", show_default=False)]
ClusterOption = Annotated[
    list[str] | None,
    typer.Option("--cluster", metavar="NAME", help="Only this cluster. Repeatable.", rich_help_panel=SELECTION),
]
NodeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--node", metavar="NAME", help="Only this node, as NAME or CLUSTER.NAME. Repeatable.", rich_help_panel=SELECTION
    ),
]
CheckOption = Annotated[
    list[str] | None,
    typer.Option("--check", metavar="ID", help="Only this check. Repeatable.", rich_help_panel=SELECTION),
]
SkipCheckOption = Annotated[
    list[str] | None,
    typer.Option("--skip-check", metavar="ID", help="All checks but this. Repeatable.", rich_help_panel=SELECTION),
]
TargetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        metavar="CLUSTER=VERSION",
        help="Upgrade to VERSION instead of the inventory's target. Repeatable.",
        rich_help_panel=SELECTION,
    ),
]


def scan(
    inventory: InventoryArgument,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write the HTML page.", rich_help_panel=REPORTS),
    ] = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write JUnit XML.", rich_help_panel=REPORTS)
    ] = None,
    json: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write the results as JSON.", rich_help_panel=REPORTS),
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", metavar="FILE", help="Write Markdown.", rich_help_panel=REPORTS)
    ] = None,
    cluster: ClusterOption = None,
    node: NodeOption = None,
    check: CheckOption = None,
    skip_check: SkipCheckOption = None,
    target: TargetOption = None,
    phase: Annotated[
        Phase,
        typer.Option(
            "--phase",
            help="What is expected differs before, in and after the window.",
            rich_help_panel=RUN,
        ),
    ] = Phase.BEFORE,
    strict: Annotated[
        bool | None, typer.Option("--strict/--no-strict", help="Count a warning as a failure.", rich_help_panel=RUN)
    ] = None,
    parallel: Annotated[
        int | None,
        typer.Option("--parallel", metavar="N", min=1, max=512, help="Nodes at a time (32).", rich_help_panel=RUN),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option("--timeout", metavar="SECONDS", min=1, max=3600, help="For one node (60).", rich_help_panel=RUN),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", help="Print only what is wrong: nothing for a GO.", rich_help_panel=RUN)
    ] = False,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Print every result, and what each node cost.", rich_help_panel=RUN)
    ] = False,
) -> None:
    """Ask every node once and say whether the window may open.

    Prints a summary, and writes the reports that are asked for here or in the inventory's `[reports]`. With `-` for a
    FILE, that report is printed in place of the summary.
    """
    from scanner.cli.reporting import Destinations
    from scanner.inventory.load import load_inventory
    from scanner.inventory.select import parse_targets, select
    from scanner.prepare import prepare

    if quiet and verbose:
        raise UsageError("-q and -v contradict each other: choose one")
    loaded = load_inventory(inventory)
    selection = select(loaded, cluster or (), node or (), parse_targets(target or ()))
    destinations = Destinations.chosen(
        {"html": html, "junit": junit, "json": json, "markdown": markdown}, loaded.reports
    )
    destinations.refuse_impossible()
    job = prepare(
        selection,
        only=check or (),
        without=skip_check or (),
        parallel=parallel,
        timeout_s=timeout,
        strict=strict,
        phase=phase.value,
    )
    finish(run_job(with_credentials(job, selection), quiet=quiet), destinations, quiet=quiet, verbose=verbose)


def with_credentials(job: Job, selection: Selection) -> Job:
    """The same job with every secret that the chosen nodes need fetched. Raises InventoryError."""
    from dataclasses import replace

    from scanner.credentials import resolve

    resolved = {cluster.name: cluster for cluster in resolve(selection.inventory, only=selection.chosen).clusters}
    return replace(job, clusters=tuple((resolved[cluster.name], info) for cluster, info in job.clusters))


def run_job(job: Job, *, quiet: bool) -> Scan:
    """Run it, with progress on standard error unless `quiet`."""
    from scanner.cli.progress import showing
    from scanner.run import scan as run

    with showing(quiet=quiet) as progress:
        return run(job, progress)


def finish(done: Scan, destinations: Destinations, *, quiet: bool, verbose: bool) -> None:
    """Print and write what was found, then leave with the scan's exit code."""
    problems = destinations.deliver(done, quiet=quiet, verbose=verbose)
    if problems:
        complain("\n".join(problems))
    if done.partial:
        # Threads may still wait for nodes; the interpreter would wait for them, up to each node's own deadline.
        sys.stderr.flush()
        os._exit(done.exit_code)
    raise typer.Exit(EXIT_USAGE if problems else done.exit_code)
