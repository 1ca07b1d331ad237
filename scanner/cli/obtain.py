"""What the nodes say, for the commands that need it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scanner.inventory.select import Selection
    from scanner.job import Collected, Job


def obtain(job: Job, selection: Selection, *, quiet: bool) -> Collected:
    """Ask the nodes, with progress on standard error unless `quiet`. Raises InventoryError for missing secrets."""
    from scanner.cli.progress import showing
    from scanner.run import collect

    ready = with_credentials(job, selection)
    with showing(quiet=quiet) as progress:
        return collect(ready, progress)


def with_credentials(job: Job, selection: Selection) -> Job:
    """The same job with every secret that the chosen nodes need fetched. Raises InventoryError."""
    from dataclasses import replace

    from scanner.credentials import resolve

    resolved = {cluster.name: cluster for cluster in resolve(selection.inventory, only=selection.chosen).clusters}
    return replace(job, clusters=tuple((resolved[cluster.name], info) for cluster, info in job.clusters))
