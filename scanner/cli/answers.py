"""What the nodes say, fresh or kept, for the commands that need it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from scanner.errors import UsageError

if TYPE_CHECKING:
    from scanner.inventory.select import Selection
    from scanner.run.job import ScanRequest
    from scanner.run.taking.handover import Taker
    from scanner.transports.answers import Circumstances, Responses


def collect_or_load(
    job: ScanRequest, selection: Selection, *, quiet: bool, sources: Sequence[Path] | None = None
) -> Responses:
    """What the nodes say, all of it at hand; see `hand_over`."""
    from scanner.run.taking.handover import Keeper
    from scanner.transports.answers import Responses

    keeper = Keeper()
    asking = hand_over(job, selection, [keeper], quiet=quiet, sources=sources)
    return Responses.to(asking, keeper.said)


def hand_over(
    job: ScanRequest,
    selection: Selection,
    takers: Sequence[Taker],
    *,
    quiet: bool,
    sources: Sequence[Path] | None = None,
) -> Circumstances:
    """Let the `takers` have what the nodes say, a cluster at a time, while others are still asked.

    It is asked now, or as kept in the evidence files `sources`, which takes neither nodes nor secrets. Progress goes to
    standard error unless `quiet`. Raises InventoryError for missing secrets, and UsageError for evidence that cannot be
    used.
    """
    from scanner.run.taking.handover import Handover

    handover = Handover(job, takers)
    if sources:
        asking = handover.hear_all(_kept(job, selection, sources))
    else:
        from scanner.cli.output.progress import showing
        from scanner.run.collect import ask

        ready = with_credentials(job, selection)
        with showing(quiet=quiet) as progress:
            asking = ask(ready, handover, progress)
    handover.end(asking)
    return asking


def _kept(job: ScanRequest, selection: Selection, sources: Sequence[Path]) -> Responses:
    from scanner.clock import utc_now
    from scanner.files.evidence.file import read_evidence
    from scanner.run.offline import saved_answers

    files = [read_evidence(path) for path in sources]
    return saved_answers(job, files, utc_now(), narrowed=selection.narrowed)


def refuse_bad_place(path: Path, reads: Iterable[Path], reports: Iterable[Path] = ()) -> None:
    """Raise UsageError where evidence cannot go to `path`, before anybody is asked for it.

    Neither may it take the place of a file that the command `reads`, nor of one of its `reports`.
    """
    from scanner.files.atomic import ensure_writable, same_file

    if str(path) == "-":
        raise UsageError("the evidence goes to a file, which is for its owner alone, not to standard output: name one")
    if any(same_file(path, source) for source in reads):
        raise UsageError(f"the evidence cannot go to {path}: that file is read; choose another name")
    if any(same_file(path, report) for report in reports):
        raise UsageError(f"the evidence cannot go to {path}: a report goes there already; choose another name")
    try:
        ensure_writable(path)
    except UsageError as error:
        raise UsageError(f"the evidence: {error}") from None


def with_credentials(job: ScanRequest, selection: Selection) -> ScanRequest:
    """The same job with every secret that the chosen nodes need fetched. Raises InventoryError."""
    from dataclasses import replace

    from scanner.inventory.credentials import resolve
    from scanner.run.engines.choice import refuse_unusable
    from scanner.secrets.hardening import keep_memory_private
    from scanner.secrets.redaction import learn

    refuse_unusable(job.engine)
    keep_memory_private()
    nodes = (node for cluster, _ in job.clusters for node in cluster.nodes)
    here = job.engine.secrets_here(nodes) & selection.chosen
    ready = resolve(selection.inventory, only=here, learn=learn, files=not job.engine.elsewhere)
    resolved = {cluster.name: cluster for cluster in ready.clusters}
    return replace(job, clusters=tuple((resolved[cluster.name], info) for cluster, info in job.clusters))
