"""`preflight scan`."""

from __future__ import annotations

from checks.scan import FailOn
from reports.format import SCAN
from scanner.cli.machines import Source, files_of, takes_machines
from scanner.cli.options import (
    CheckOption,
    ClusterOption,
    EvidenceOption,
    FailOnOption,
    FromOption,
    HistoryOption,
    NagiosOption,
    NodeOption,
    OnlyChangesOption,
    ParallelOption,
    Phase,
    PhaseOption,
    QuietOption,
    RemindOption,
    SkipCheckOption,
    StrictOption,
    TargetOption,
    TimeoutOption,
    VerboseOption,
    WaiversOption,
    refuse_idle_options,
    resolve_options,
)
from scanner.cli.report_options import Asked, takes_reports
from scanner.errors import UsageError


@takes_machines
@takes_reports(SCAN)
def scan(
    inventory: Source,
    reports: Asked,
    nagios: NagiosOption = False,
    evidence: EvidenceOption = None,
    history: HistoryOption = None,
    cluster: ClusterOption = None,
    node: NodeOption = None,
    check: CheckOption = None,
    skip_check: SkipCheckOption = None,
    target: TargetOption = None,
    phase: PhaseOption = Phase.BEFORE,
    waivers: WaiversOption = None,
    strict: StrictOption = None,
    fail_on: FailOnOption = FailOn.ANY,
    only_changes: OnlyChangesOption = False,
    remind: RemindOption = None,
    parallel: ParallelOption = None,
    timeout: TimeoutOption = None,
    from_: FromOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Ask every node once and say whether the window may open: those of an INVENTORY, or machines named with --host.

    Prints a summary, and writes the reports that are asked for here or in the inventory's `[reports]`. With `-` for a
    FILE, that report is printed in place of the summary.
    """
    from dataclasses import replace

    from scanner.cli.answers import collect_or_load, refuse_bad_place, save_evidence
    from scanner.cli.output.reporting import STDOUT, Destinations, write_and_exit
    from scanner.cli.output.verbosity import Telling
    from scanner.cli.recording import HistoryFile, refuse_without_history
    from scanner.clock import today
    from scanner.inventory.load import lines_of
    from scanner.run.judge import build_scan

    telling = Telling.chosen(quiet=quiet, verbose=verbose, only_changes=only_changes, remind=remind, nagios=nagios)
    refuse_idle_options(from_, evidence=evidence, parallel=parallel, timeout=timeout)
    selection, job = resolve_options(
        inventory,
        cluster=cluster,
        node=node,
        check=check,
        skip_check=skip_check,
        target=target,
        phase=phase.value,
        waivers=waivers,
        strict=strict,
        parallel=parallel,
        timeout=timeout,
    )
    destinations = Destinations.chosen(SCAN, reports, selection.inventory.reports)
    if nagios and STDOUT in destinations.paths.values():
        raise UsageError("--nagios prints its line on standard output, and so no report can go there: name a file")
    reads = [path for path in (*files_of(inventory), waivers, *(from_ or ())) if path]
    destinations.refuse_impossible(reads)
    if evidence:
        refuse_bad_place(evidence, reads, destinations.paths.values())
    kept = HistoryFile.chosen(
        history,
        selection,
        command="scan",
        phase=phase.value,
        target=target,
        cluster=cluster,
        node=node,
        check=check,
        skip_check=skip_check,
    )
    refuse_without_history(kept, only_changes=only_changes, fail_on=fail_on)
    kept.refuse_bad_place([*reads, *([evidence] if evidence else []), *destinations.paths.values()])
    job = replace(job, fail_on=fail_on)
    wanted = "junit" in destinations.paths and files_of(inventory)
    lines = lines_of(selection.inventory) if wanted else {}
    collected = collect_or_load(job, selection, quiet=telling.no_progress, sources=from_)
    problems = [save_evidence(evidence, job, collected)] if evidence else []
    done = replace(kept.remember(build_scan(job, collected, today())), lines=lines)
    write_and_exit(done, destinations, telling, problems=problems)
