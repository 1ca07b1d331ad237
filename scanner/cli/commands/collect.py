"""`preflight collect`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from checks.engine.wording import count
from scanner.cli.machines import Source, files_of, takes_machines
from scanner.cli.options import (
    CheckOption,
    ClusterOption,
    EngineOption,
    NodeOption,
    ParallelOption,
    SchedulerOption,
    SkipCheckOption,
    TimeoutOption,
    resolve_options,
    run_option,
)

if TYPE_CHECKING:
    from scanner.inventory.model import NodeKey
    from scanner.run.job import ScanRequest
    from scanner.transports.answers import Circumstances, NodeResponse

OutputOption = Annotated[
    Path,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        help="Where the evidence goes; .gz packs it, .jsonl or .jsonl.gz: in lines.",
        show_default=False,
    ),
]
QuietOption = Annotated[bool, run_option("-q", "--quiet", help="Print only what is missing.")]


@takes_machines
def collect(
    inventory: Source,
    output: OutputOption,
    cluster: ClusterOption = None,
    node: NodeOption = None,
    check: CheckOption = None,
    skip_check: SkipCheckOption = None,
    parallel: ParallelOption = None,
    timeout: TimeoutOption = None,
    engine: EngineOption = None,
    scheduler: SchedulerOption = None,
    quiet: QuietOption = False,
) -> None:
    """Ask every node once and keep all that it says, to be judged anywhere with `preflight scan INVENTORY --from FILE`.

    Exit codes: 0 every node answered everything, 3 one did not (what there is, is kept), 2 usage or inventory error,
    130 interrupted (what was finished is kept, marked partial).
    """
    from dataclasses import replace

    from checks.exit_codes import ExitCode
    from checks.registry import plan_facts
    from reports.text import one_line
    from scanner.cli.answers import hand_over, refuse_bad_place
    from scanner.cli.output.ending import leave
    from scanner.cli.output.streams import print_error, print_out
    from scanner.run.taking.evidence import EvidenceKeeper

    selection, job = resolve_options(
        inventory,
        cluster=cluster,
        node=node,
        check=check,
        skip_check=skip_check,
        parallel=parallel,
        timeout=timeout,
        engine=engine,
        scheduler=scheduler,
    )
    refuse_bad_place(output, files_of(inventory))
    # Evidence serves `plan` as well as `scan`.
    job = replace(job, also=plan_facts(info.definition for _, info in job.clusters))
    keeper, missing = EvidenceKeeper(output, job), _Gaps()
    asking = hand_over(job, selection, [keeper, missing], quiet=quiet)
    gaps = missing.lines(job)
    headline = _headline(output, asking, len(job.chosen), len(gaps))
    gaps += [f"  {one_line(f'{failure.check}: {failure.message}')}" for failure in job.failures]
    if keeper.problem:
        print_error(keeper.problem)
    elif (gaps or not quiet) and (lost := print_out("\n".join([headline, *gaps]) + "\n")):
        print_error(f"{lost}; {headline}")
    whole = asking.complete
    leave(ExitCode.UNKNOWN if gaps else ExitCode.GO, problems=bool(keeper.problem) and whole, interrupted=not whole)


def _headline(output: Path, asking: Circumstances, chosen: int, missing: int) -> str:
    state = "evidence" if asking.complete else "partial evidence (interrupted)"
    return f"wrote {output}: {state}, {chosen - missing} of {count(chosen, 'node')} answered everything"


class _Gaps:
    """Why not all answers of a node are there."""

    def __init__(self) -> None:
        self._found: dict[NodeKey, str] = {}

    def take(self, _: str, said: Mapping[NodeKey, NodeResponse]) -> None:
        """Look through those of a cluster."""
        self._found |= {key: _gap(each) for key, each in said.items()}

    def end(self, _: Circumstances) -> None:
        """Nothing is left to do."""

    def lines(self, job: ScanRequest) -> list[str]:
        """One for each node that lacks any."""
        from reports.text import one_line

        keys = [call.node.key for call in job.calls()]
        gaps = {key: self._found.get(key, "not asked to the end: interrupted") for key in keys}
        return [f"  {one_line(f'{cluster}.{node}: {why}')}" for (cluster, node), why in gaps.items() if why]


def _gap(said: NodeResponse) -> str:
    from checks.facts import Unknown

    if said.failure:
        return said.failure
    missing = [name for name, answer in said.answers.items() if isinstance(answer, Unknown)]
    return f"no answer to {', '.join(missing)}" if missing else ""
