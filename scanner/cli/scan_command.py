"""`preflight scan`."""

from __future__ import annotations

from scanner.cli.options import (
    CheckOption,
    ClusterOption,
    EvidenceOption,
    FromOption,
    HistoryOption,
    HtmlOption,
    InventoryArgument,
    JsonOption,
    JunitOption,
    MarkdownOption,
    NodeOption,
    ParallelOption,
    Phase,
    PhaseOption,
    QuietOption,
    SkipCheckOption,
    StrictOption,
    TargetOption,
    TimeoutOption,
    VerboseOption,
    WaiversOption,
    refuse_idle_options,
    settle,
)
from scanner.errors import UsageError


def scan(
    inventory: InventoryArgument,
    html: HtmlOption = None,
    junit: JunitOption = None,
    json: JsonOption = None,
    markdown: MarkdownOption = None,
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
    parallel: ParallelOption = None,
    timeout: TimeoutOption = None,
    from_: FromOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Ask every node once and say whether the window may open.

    Prints a summary, and writes the reports that are asked for here or in the inventory's `[reports]`. With `-` for a
    FILE, that report is printed in place of the summary.
    """
    from scanner.cli.history_keeping import HistoryFile
    from scanner.cli.obtain import keep, obtain, refuse_bad_place
    from scanner.cli.reporting import Destinations, finish
    from scanner.clock import today
    from scanner.judge import judge

    if quiet and verbose:
        raise UsageError("-q and -v contradict each other: choose one")
    refuse_idle_options(from_, evidence=evidence, parallel=parallel, timeout=timeout)
    selection, job = settle(
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
    destinations = Destinations.chosen(
        {"html": html, "junit": junit, "json": json, "markdown": markdown}, selection.inventory.reports
    )
    reads = [path for path in (inventory, waivers, *(from_ or ())) if path]
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
    kept.refuse_bad_place([*reads, *([evidence] if evidence else []), *destinations.paths.values()])
    collected = obtain(job, selection, quiet=quiet, sources=from_)
    problems = [keep(evidence, job, collected)] if evidence else []
    done = kept.remember(judge(job, collected, today()))
    finish(done, destinations, quiet=quiet, verbose=verbose, problems=problems)
