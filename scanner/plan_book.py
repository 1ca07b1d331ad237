"""From what the nodes said to the plans of all clusters."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from checks.plan.build import plan_of
from checks.plan.model import PlanBook
from checks.plan.names import Again
from scanner.job import Collected, Job
from scanner.judge import gathered_clusters, judge_gathered


def plan_book(
    job: Job, collected: Collected, today: date, targets: Mapping[str, str] = {}, waivers: str = ""
) -> PlanBook:
    """The plans that follow from what was collected, in the inventory's order; waivers hold as of `today`.

    `targets`, as `parse_targets` gives them, and `waivers`, a file, are what the command line said beyond it.
    """
    clusters = gathered_clusters(job, collected)
    scan = judge_gathered(job, collected, clusters, today)
    names = {cluster.name for cluster, _ in job.clusters}
    return PlanBook(
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
                again=Again(targets.get(cluster.info.name) or targets.get("", ""), waivers),
            )
            for cluster in clusters
        ),
        notices=scan.notices,
        partial=scan.partial,
        attestations=scan.attestations,
    )
