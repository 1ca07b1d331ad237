"""What the nodes said, kept as evidence: in a file that becomes none before all is said."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from scanner.errors import UsageError
from scanner.files.evidence import file
from scanner.files.evidence.spool import SpooledResponses
from scanner.inventory.model import NodeKey
from scanner.run.job import ScanRequest
from scanner.run.offline import evidence_of
from scanner.transports.answers import Circumstances, NodeResponse, Responses


class EvidenceKeeper:
    """Writes the evidence once all is said; until then each cluster's answers are on the disk beside it."""

    def __init__(self, path: Path, job: ScanRequest) -> None:
        """Raises UsageError where nothing can be kept beside `path`."""
        self._path = path
        self._job = job
        self.problem = ""
        """Why the evidence was not written; empty if it was: what else came of the run is not lost."""
        try:
            self._spool = SpooledResponses.beside(path)
        except (OSError, ValueError) as error:
            raise UsageError(f"the evidence: cannot write {path}: {_cause(error)}") from None

    def take(self, cluster: str, said: Mapping[NodeKey, NodeResponse]) -> None:
        """Keep what a cluster's nodes said."""
        if not self.problem:
            try:
                self._spool.put(cluster, said)
            except OSError as error:
                self._give_up(f"cannot write {self._path}: {_cause(error)}")

    def end(self, asking: Circumstances) -> None:
        """Write the evidence, in one step."""
        if not self.problem:
            try:
                collected = Responses.to(asking, self._spool)
                file.write_evidence(self._path, evidence_of(self._job, collected))
            except UsageError as error:
                self._give_up(str(error))
            except OSError as error:  # what was kept beside it cannot be read again
                self._give_up(f"cannot write {self._path}: {_cause(error)}")
        self._spool.close()

    def _give_up(self, why: str) -> None:
        self.problem = f"the evidence was not written: {why}"


def _cause(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
