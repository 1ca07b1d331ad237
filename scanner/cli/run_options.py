"""The options that scan and drift share, and what a run makes of them before anybody is contacted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

from checks.common.dataclass import dataclass
from checks.scan import FailOn
from scanner.cli.machines import Source, files_of
from scanner.cli.options import (
    CheckOption,
    ClusterOption,
    EngineOption,
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
    SchedulerOption,
    SkipCheckOption,
    StrictOption,
    TargetOption,
    TimeoutOption,
    VerboseOption,
    WaiversOption,
    refuse_idle_options,
    resolve_options,
)
from scanner.cli.parsing.signature import with_options
from scanner.cli.report_options import Asked

if TYPE_CHECKING:
    from scanner.cli.output.reporting import Destinations
    from scanner.cli.output.verbosity import Telling
    from scanner.cli.recording import HistoryFile
    from scanner.inventory.select import Selection
    from scanner.run.job import ScanRequest
    from scanner.run.taking.handover import Taker
    from scanner.transports.answers import Circumstances


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """Who is asked, what is made of the answers, and how much of it is told; in the order of `--help`."""

    nagios: NagiosOption = False
    evidence: EvidenceOption = None
    history: HistoryOption = None
    cluster: ClusterOption = None
    node: NodeOption = None
    check: CheckOption = None
    skip_check: SkipCheckOption = None
    target: TargetOption = None
    phase: PhaseOption = Phase.BEFORE
    waivers: WaiversOption = None
    strict: StrictOption = None
    fail_on: FailOnOption = FailOn.ANY
    only_changes: OnlyChangesOption = False
    remind: RemindOption = None
    parallel: ParallelOption = None
    timeout: TimeoutOption = None
    engine: EngineOption = None
    scheduler: SchedulerOption = None
    from_: FromOption = None
    quiet: QuietOption = False
    verbose: VerboseOption = False


def takes_run(*, without: Sequence[str] = (), **other: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command, in place of its parameter `options`, those of a run; it gets them as RunOptions.

    `without` are those that mean nothing to it, `other` those that mean something else there.
    """
    hints = get_type_hints(RunOptions, include_extras=True)
    taken = [each for each in fields(RunOptions) if each.name not in without]
    options = {each.name: (other.get(each.name, hints[each.name]), each.default) for each in taken}
    return lambda command: with_options(command, "options", options, lambda given: RunOptions(**given))


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What is to be done, all of it settled before anybody is contacted."""

    source: Source
    options: RunOptions
    telling: Telling
    selection: Selection
    job: ScanRequest

    @classmethod
    def settled(cls, source: Source, options: RunOptions) -> Run:
        """What the options say together. Raises InventoryError and UsageError."""
        from scanner.cli.output.verbosity import Telling

        telling = Telling.chosen(
            quiet=options.quiet,
            verbose=options.verbose,
            only_changes=options.only_changes,
            remind=options.remind,
            nagios=options.nagios,
        )
        refuse_idle_options(
            options.from_,
            evidence=options.evidence,
            parallel=options.parallel,
            timeout=options.timeout,
            engine=options.engine,
            scheduler=options.scheduler,
        )
        selection, job = resolve_options(
            source,
            cluster=options.cluster,
            node=options.node,
            check=options.check,
            skip_check=options.skip_check,
            target=options.target,
            phase=options.phase.value,
            waivers=options.waivers,
            strict=options.strict,
            parallel=options.parallel,
            timeout=options.timeout,
            engine=options.engine,
            scheduler=options.scheduler,
        )
        job = replace(job, fail_on=options.fail_on)
        return cls(source=source, options=options, telling=telling, selection=selection, job=job)

    def places(
        self, document: str, reports: Asked, usual: Mapping[str, str], reads: Sequence[Path] = ()
    ) -> tuple[Destinations, HistoryFile]:
        """Where reports and history go. Raises UsageError where one of the files cannot, or may not, be written.

        `usual` is where the inventory wants the reports; `reads` are files that the command reads beside a run's own.
        """
        from scanner.cli.answers import refuse_bad_place
        from scanner.cli.output.reporting import STDOUT, Destinations
        from scanner.cli.recording import HistoryFile, refuse_without_history
        from scanner.errors import UsageError

        options = self.options
        destinations = Destinations.chosen(document, reports, usual)
        if options.nagios and STDOUT in destinations.paths.values():
            raise UsageError("--nagios prints its line on standard output, and so no report can go there: name a file")
        own = (*files_of(self.source), options.waivers, *(options.from_ or ()))
        reads = [*reads, *(path for path in own if path)]
        destinations.refuse_impossible(reads)
        if options.evidence:
            refuse_bad_place(options.evidence, reads, destinations.paths.values())
        kept = HistoryFile.chosen(document, self.selection, options)
        refuse_without_history(kept, only_changes=options.only_changes, fail_on=options.fail_on)
        written = [options.evidence] if options.evidence else []
        kept.refuse_bad_place([*reads, *written, *destinations.paths.values()])
        return destinations, kept

    def asked(self, taker: Taker) -> tuple[Circumstances, list[str]]:
        """Let `taker` have what the nodes say. Gives how that went, and why it could not be kept where it was to be.

        Raises InventoryError and UsageError.
        """
        from scanner.cli.answers import hand_over

        options = self.options
        keeper = None
        if options.evidence:
            from scanner.run.taking.evidence import EvidenceKeeper

            keeper = EvidenceKeeper(options.evidence, self.job)
        takers = [keeper, taker] if keeper else [taker]
        found = hand_over(self.job, self.selection, takers, quiet=self.telling.no_progress, sources=options.from_)
        return found, [keeper.problem] if keeper else []
