"""What the nodes say, fresh or kept, for the commands that need it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from scanner.errors import UsageError

if TYPE_CHECKING:
    from scanner.inventory.select import Selection
    from scanner.run.job import ScanRequest
    from scanner.transports.answers import Responses


def collect_or_load(
    job: ScanRequest, selection: Selection, *, quiet: bool, sources: Sequence[Path] | None = None
) -> Responses:
    """What the nodes say: asked now, or as kept in the evidence files `sources`, which takes neither nodes nor secrets.

    Progress goes to standard error unless `quiet`. Raises InventoryError for missing secrets, and UsageError for
    evidence that cannot be used.
    """
    if sources:
        return _kept(job, selection, sources)

    from scanner.cli.output.progress import showing
    from scanner.run.collect import collect

    ready = with_credentials(job, selection)
    with showing(quiet=quiet) as progress:
        return collect(ready, progress)


def _kept(job: ScanRequest, selection: Selection, sources: Sequence[Path]) -> Responses:
    from scanner.clock import utc_now
    from scanner.files.evidence.file import read_evidence
    from scanner.run.offline import saved_answers

    files = [read_evidence(path) for path in sources]
    return saved_answers(job, files, utc_now(), narrowed=selection.narrowed)


def save_evidence(path: Path, job: ScanRequest, collected: Responses) -> str:
    """Write the evidence. Returns why that was not possible, "" if it was: what else came of the run is not lost."""
    from scanner.files.evidence.file import write_evidence
    from scanner.run.offline import evidence_of

    try:
        write_evidence(path, evidence_of(job, collected))
    except UsageError as error:
        return f"the evidence was not written: {error}"
    return ""


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
