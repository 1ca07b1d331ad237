"""`preflight scan`."""

from __future__ import annotations

from reports.format import SCAN
from scanner.cli.machines import Source, files_of, takes_machines
from scanner.cli.report_options import Asked, takes_reports
from scanner.cli.run_options import Run, RunOptions, takes_run


@takes_machines
@takes_reports(SCAN)
@takes_run()
def scan(inventory: Source, reports: Asked, options: RunOptions) -> None:
    """Ask every node once and say whether the window may open: those of an INVENTORY, or machines named with --host.

    Prints a summary, and writes the reports that are asked for here or in the inventory's `[reports]`. With `-` for a
    FILE, that report is printed in place of the summary.
    """
    from dataclasses import replace

    from scanner.cli.output.reporting import write_and_exit
    from scanner.clock import today
    from scanner.loading.inventory import lines_of
    from scanner.run.judge import Judging

    run = Run.settled(inventory, options)
    destinations, kept = run.places(SCAN, reports, run.selection.inventory.reports)
    wanted = "junit" in destinations.paths and files_of(inventory)
    lines = lines_of(run.selection.inventory) if wanted else {}
    judging = Judging(run.job)
    _, problems = run.asked(judging)
    done = replace(kept.remember(judging.scan(today())), lines=lines)
    write_and_exit(done, destinations, run.telling, problems=problems)
