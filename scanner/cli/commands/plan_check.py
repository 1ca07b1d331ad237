"""`preflight plan --check`: whether a step of the plan is done, as far as facts tell."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from checks.exit_codes import ExitCode
from checks.runbook.signs import State
from scanner.cli.answers import collect_or_load
from scanner.cli.output.ending import leave
from scanner.cli.output.streams import print_error, print_out
from scanner.inventory.reading.looking import is_file

if TYPE_CHECKING:
    from scanner.files.plan import KeptPlan
    from scanner.inventory.select import Selection
    from scanner.run.follow import StepState
    from scanner.run.job import ScanRequest
    from scanner.transports.answers import Responses


_EXIT_CODES = {State.DONE: ExitCode.GO, State.NOT_DONE: ExitCode.NO_GO, State.CANNOT_TELL: ExitCode.UNKNOWN}


def follow_plan(
    word: str,
    kept: Path | None,
    selection: Selection,
    job: ScanRequest,
    *,
    clusters: Sequence[str],
    sources: Sequence[Path] | None,
    quiet: bool,
    parallel: int | None,
    timeout_s: float | None,
    strict: bool | None,
    engine: str | None,
    scheduler: str | None,
) -> NoReturn:
    """Say what became of the steps that `word` means, and leave: 0 done, 1 not done, 3 cannot tell, 130 interrupted.

    The plan is the file `kept`, else the one beside the inventory, else the one that would be made now.
    """
    from checks.runbook.following import kinds_of
    from scanner.clock import today
    from scanner.files.plan import default_path, read_plan
    from scanner.loading.registry import load_registry
    from scanner.run.follow import chosen, prepare_following, standings

    path = kept or default_path(selection.inventory.path)
    collected: Responses | None = None
    if kept is not None or is_file(path):
        plan = read_plan(path, kinds_of(load_registry()[2].products))
    else:
        collected = collect_or_load(job, selection, quiet=quiet, sources=sources)
        plan = _made_now(job, collected)
    found: list[StepState] = []
    complete = True
    steps = chosen(plan, word, clusters)
    for cluster in dict.fromkeys(step.cluster for step in steps):
        own = [step for step in steps if step.cluster == cluster]
        following = prepare_following(
            selection,
            cluster,
            own,
            parallel=parallel,
            timeout_s=timeout_s,
            strict=strict,
            engine=engine,
            scheduler=scheduler,
        )
        said = collected or collect_or_load(following.job, following.selection, quiet=quiet, sources=sources)
        complete = complete and said.complete
        found += standings(following, said, today())
    print_out("\n".join(_told(word, plan, found)) + "\n")
    states = {State.DONE if one.ended_by else one.seen.state for one in found}
    gravest = next((state for state in (State.NOT_DONE, State.CANNOT_TELL) if state in states), State.DONE)
    leave(_EXIT_CODES[gravest], interrupted=not complete)


def _made_now(job: ScanRequest, collected: Responses) -> KeptPlan:
    """The plan of this moment, or an end where there is none: what was changed cannot be told without the plan."""
    from checks.runbook.following import followed
    from checks.runbook.model import Refusal, Runbook
    from scanner.clock import today
    from scanner.files.plan import KeptPlan
    from scanner.run.plans import build_runbooks

    book = build_runbooks(job, collected, today())
    refused = [plan for plan in book.plans if isinstance(plan, Refusal)]
    runbooks = [plan for plan in book.plans if isinstance(plan, Runbook)]
    if not runbooks:
        reasons = "; ".join(f"{plan.cluster}: {plan.reason}" for plan in refused)
        print_error(
            f"cannot tell: there is no plan to follow. {reasons}\n"
            "Name the plan that was made before the first step: --plan FILE, as `preflight plan --json FILE` wrote it."
        )
        leave(ExitCode.UNKNOWN)
    steps = tuple(step for plan in runbooks for step in followed(plan))
    return KeptPlan("a plan made just now, for none is kept", steps)


def _told(word: str, plan: KeptPlan, found: Sequence[StepState]) -> list[str]:
    from reports.runbook import progress
    from scanner.run.follow import ALL, NEXT

    rows = [progress.Row(one.step, one.seen, one.ended_by) for one in found]
    if word == ALL:
        return progress.table(plan.source, rows)
    if word == NEXT:
        return progress.upcoming(plan.source, rows)
    return [line for row in rows for line in progress.one_step(plan.source, row)]
