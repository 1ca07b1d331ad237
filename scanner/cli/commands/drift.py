"""`preflight drift`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reports.format import DRIFT
from scanner.cli.machines import Source, beside, files_of, takes_machines
from scanner.cli.options import (
    RUN,
    CheckOption,
    ClusterOption,
    EvidenceOption,
    FromOption,
    HistoryOption,
    NodeOption,
    OnlyChangesOption,
    ParallelOption,
    RemindOption,
    SkipCheckOption,
    TimeoutOption,
    WaiversOption,
    refuse_idle_options,
    resolve_options,
)
from scanner.cli.report_options import Asked, takes_reports

BaselineOption = Annotated[
    Path | None,
    typer.Option("--baseline", metavar="FILE", help="Instead of INVENTORY's name with .baseline.json."),
]
QuietOption = Annotated[
    bool, typer.Option("-q", "--quiet", help="Print only what differs: nothing for no drift.", rich_help_panel=RUN)
]
VerboseOption = Annotated[
    bool, typer.Option("-v", "--verbose", help="Print every fact, those that are as approved too.", rich_help_panel=RUN)
]


@takes_machines
@takes_reports(DRIFT)
def drift(
    inventory: Source,
    reports: Asked,
    baseline: BaselineOption = None,
    evidence: EvidenceOption = None,
    history: HistoryOption = None,
    cluster: ClusterOption = None,
    node: NodeOption = None,
    check: CheckOption = None,
    skip_check: SkipCheckOption = None,
    waivers: WaiversOption = None,
    parallel: ParallelOption = None,
    timeout: TimeoutOption = None,
    from_: FromOption = None,
    only_changes: OnlyChangesOption = False,
    remind: RemindOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Compare what the nodes say now with the approved baseline, and say what changed, appeared or disappeared.

    Exit codes: 0 no drift, 1 drift, 2 usage, 3 not everything could be compared, 130 interrupted. With `-` for a FILE,
    that report is printed in place of the summary. The inventory's `[reports]` are the scan's: none of them is written
    here.
    """
    from scanner.cli.answers import collect_or_load, refuse_bad_place, save_evidence
    from scanner.cli.output.reporting import Destinations, write_and_exit
    from scanner.cli.output.verbosity import Telling
    from scanner.cli.recording import HistoryFile, refuse_without_history
    from scanner.files.baseline import default_path, read_baseline
    from scanner.run.drift.compare import drift_since, rules_of, scope_of

    telling = Telling.chosen(quiet=quiet, verbose=verbose, only_changes=only_changes, remind=remind)
    refuse_idle_options(from_, evidence=evidence, parallel=parallel, timeout=timeout)
    path = beside(inventory, baseline, "--baseline", default_path)
    selection, job = resolve_options(
        inventory,
        cluster=cluster,
        node=node,
        check=check,
        skip_check=skip_check,
        waivers=waivers,
        parallel=parallel,
        timeout=timeout,
    )
    approved = read_baseline(path)
    destinations = Destinations.chosen(DRIFT, reports, {})
    reads = [source for source in (*files_of(inventory), path, waivers, *(from_ or ())) if source]
    destinations.refuse_impossible(reads)
    if evidence:
        refuse_bad_place(evidence, reads, destinations.paths.values())
    kept = HistoryFile.chosen(
        history, selection, command="drift", cluster=cluster, node=node, check=check, skip_check=skip_check
    )
    refuse_without_history(kept, only_changes=only_changes)
    kept.refuse_bad_place([*reads, *([evidence] if evidence else []), *destinations.paths.values()])
    collected = collect_or_load(job, selection, quiet=telling.no_progress, sources=from_)
    problems = [save_evidence(evidence, job, collected)] if evidence else []
    scope = scope_of(selection, job, some_checks=bool(check or skip_check))
    done = drift_since(approved, path, job, collected, rules_of(selection.inventory), scope)
    done = kept.remember_drift(done, job.chosen)
    write_and_exit(done, destinations, telling, problems=problems)
