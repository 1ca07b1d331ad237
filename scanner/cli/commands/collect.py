"""`preflight collect`."""

from __future__ import annotations

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
)

if TYPE_CHECKING:
    from scanner.run.job import ScanRequest
    from scanner.transports.answers import NodeResponse, Responses

OutputOption = Annotated[
    Path,
    typer.Option("-o", "--output", metavar="FILE", help="Where the evidence goes; .gz packs it.", show_default=False),
]
QuietOption = Annotated[bool, typer.Option("-q", "--quiet", help="Print only what is missing.", rich_help_panel="Run")]


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
    from scanner.cli.answers import collect_or_load, refuse_bad_place, save_evidence
    from scanner.cli.output.ending import leave
    from scanner.cli.output.streams import print_error, print_out

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
    collected = collect_or_load(job, selection, quiet=quiet)
    problem = save_evidence(output, job, collected)
    gaps = _gaps(job, collected)
    headline = _headline(output, collected, len(job.chosen), len(gaps))
    gaps += [f"  {one_line(f'{failure.check}: {failure.message}')}" for failure in job.failures]
    if problem:
        print_error(problem)
    elif (gaps or not quiet) and (lost := print_out("\n".join([headline, *gaps]) + "\n")):
        print_error(f"{lost}; {headline}")
    whole = collected.complete
    leave(ExitCode.UNKNOWN if gaps else ExitCode.GO, problems=bool(problem) and whole, interrupted=not whole)


def _headline(output: Path, collected: Responses, chosen: int, missing: int) -> str:
    state = "evidence" if collected.complete else "partial evidence (interrupted)"
    return f"wrote {output}: {state}, {chosen - missing} of {count(chosen, 'node')} answered everything"


def _gaps(job: ScanRequest, collected: Responses) -> list[str]:
    """One line for each node whose answers are not all there."""
    from reports.text import one_line

    lines = []
    for call in job.calls():
        name = f"{call.node.cluster}.{call.node.name}"
        said = collected.said.get((call.node.cluster, call.node.name))
        if why := _gap(said):
            lines.append(f"  {one_line(f'{name}: {why}')}")
    return lines


def _gap(said: NodeResponse | None) -> str:
    from checks.facts import Unknown

    if said is None:
        return "not asked to the end: interrupted"
    if said.failure:
        return said.failure
    missing = [name for name, answer in said.answers.items() if isinstance(answer, Unknown)]
    return f"no answer to {', '.join(missing)}" if missing else ""
