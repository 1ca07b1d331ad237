"""`preflight drift`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reports.format import DRIFT
from scanner.cli.machines import Source, beside, takes_machines
from scanner.cli.options import run_option
from scanner.cli.report_options import Asked, takes_reports
from scanner.cli.run_options import Run, RunOptions, takes_run

BaselineOption = Annotated[
    Path | None,
    typer.Option("--baseline", metavar="FILE", help="Instead of INVENTORY's name with .baseline.json."),
]
QuietOption = Annotated[bool, run_option("-q", "--quiet", help="Print only what differs: nothing for no drift.")]
VerboseOption = Annotated[bool, run_option("-v", "--verbose", help="Print every fact, those that are as approved too.")]


@takes_machines
@takes_reports(DRIFT)
@takes_run(without=("nagios", "target", "phase", "strict", "fail_on"), quiet=QuietOption, verbose=VerboseOption)
def drift(inventory: Source, reports: Asked, options: RunOptions, baseline: BaselineOption = None) -> None:
    """Compare what the nodes say now with the approved baseline, and say what changed, appeared or disappeared.

    Exit codes: 0 no drift, 1 drift, 2 usage, 3 not everything could be compared, 130 interrupted. With `-` for a FILE,
    that report is printed in place of the summary. The inventory's `[reports]` are the scan's: none of them is written
    here.
    """
    from scanner.cli.output.reporting import write_and_exit
    from scanner.clock import today
    from scanner.files.baseline.document import default_path
    from scanner.files.baseline.reader import read_baseline
    from scanner.run.drift.compare import Measuring, drift_since, rules_of, scope_of

    path = beside(inventory, baseline, "--baseline", default_path)
    run = Run.settled(inventory, options)
    approved = read_baseline(path)
    destinations, kept = run.places(DRIFT, reports, {}, reads=[path])
    rules = rules_of(run.selection.inventory)
    measuring = Measuring(run.job, rules)
    asking, problems = run.asked(measuring)
    scope = scope_of(run.selection, run.job, some_checks=bool(options.check or options.skip_check))
    done = drift_since(approved, path, run.job, measuring.snapshot(today()), asking, rules, scope)
    del approved, measuring  # the reports need neither, and both are large
    done = kept.remember_drift(done, run.job.chosen)
    write_and_exit(done, destinations, run.telling, problems=problems)
