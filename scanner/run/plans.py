"""From what the nodes said to the plans of all clusters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta

from checks.runbook.build import plan_of
from checks.runbook.model import Runbook, RunbookSet
from checks.runbook.names import InvocationOptions
from checks.runbook.times import names_of, scheduled, with_own
from scanner.errors import UsageError
from scanner.inventory.reading.values import did_you_mean
from scanner.run.job import ScanRequest
from scanner.run.judge import build_scan, gathered_clusters
from scanner.secrets.last_door import without_secrets
from scanner.transports.answers import Responses


def build_runbooks(
    job: ScanRequest, collected: Responses, today: date, targets: Mapping[str, str] = {}, waivers: str = ""
) -> RunbookSet:
    """The plans that follow from what was collected, in the inventory's order; waivers hold as of `today`.

    `targets`, as `parse_targets` gives them, and `waivers`, a file, are what the command line said beyond it.
    """
    scan = build_scan(job, collected, today)
    names = {cluster.name for cluster, _ in job.clusters}
    book = RunbookSet(
        inventory=scan.inventory,
        tool_version=scan.tool_version,
        asked=scan.started,
        plans=tuple(
            plan_of(
                cluster,
                # What concerns no cluster, such as a plugin that did not load, concerns every plan.
                [row for row in scan.results if row.cluster == cluster.info.name or row.cluster not in names],
                scan.inventory,
                strict=scan.strict,
                partial=scan.partial,
                again=InvocationOptions(targets.get(cluster.info.name) or targets.get("", ""), waivers),
            )
            for cluster in gathered_clusters(job, collected)
        ),
        notices=scan.notices,
        partial=scan.partial,
        attestations=scan.attestations,
    )
    return without_secrets(book)


def timed(
    book: RunbookSet, window: timedelta | None, own: Mapping[str, timedelta], *, strict: bool = False
) -> RunbookSet:
    """The same with the times of its steps summed up, against a `window` where there is one; `own` are figures by step.

    With `strict` a plan that does not fit is a NO-GO. Raises UsageError for a figure of a step that no plan has.
    """
    runbooks = [plan for plan in book.plans if isinstance(plan, Runbook)]
    names = [name for plan in runbooks for name in names_of(plan)]
    for name in own:
        if name not in names and runbooks:
            raise UsageError(f"--takes {name}: no plan has such a step{did_you_mean(name, names)}")
    seconds = {name: int(length.total_seconds()) for name, length in own.items()}
    window_s = int(window.total_seconds()) if window else None
    return replace(
        book,
        plans=tuple(
            scheduled(with_own(plan, seconds), window_s, strict=strict) if isinstance(plan, Runbook) else plan
            for plan in book.plans
        ),
    )
