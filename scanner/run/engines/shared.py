"""What the batches of a run share in a worker's process: one bound, and the secrets that are found on its machine."""

from __future__ import annotations

import concurrent.futures
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from scanner.inventory.credentials import equip, known_here, patience_with
from scanner.inventory.model import Node, SecretSource
from scanner.inventory.redactor import redactor
from scanner.run.engines.hands import Gate
from scanner.run.engines.parcel import Batch
from scanner.run.node import NodeRequest
from scanner.secrets.redaction import Redactor, redactor_of
from scanner.secrets.secret import Secret
from scanner.secrets.sources import UnusableError, read_secret

_POLL_S = 0.1
_COMMANDS_AT_ONCE = 4


class SharedRun:
    """For as long as there are batches of it here."""

    def __init__(self, parallel: int) -> None:
        self.batches = 0
        self.gate = Gate(parallel)
        self.over = threading.Event()
        """Set with the last of them: what is still being fetched is ended."""
        self._lock = threading.Lock()
        self._secrets: dict[SecretSource, Secret] = {}
        self._logins: set[tuple[str, str]] = set()
        self._fetched: dict[SecretSource, concurrent.futures.Future[str]] = {}
        """What commands print, each run once, whatever comes of it."""
        self._turns = threading.Semaphore(_COMMANDS_AT_ONCE)

    def equipped(self, batch: Batch, wanted: Callable[[], bool]) -> list[tuple[Node, str]]:
        """The node of each call with the secrets and paths of this machine, or with why that cannot be; none at all
        where the batch is not wanted any more before they are known.
        """
        nodes = [call.node for call in batch.calls]
        patience_s = patience_with(nodes)
        needed = [
            self._fetching(source, folder_of(batch), patience_s[source]) for source in patience_s if source.command
        ]
        while needed:
            if not wanted():
                return []
            needed = list(concurrent.futures.wait(needed, _POLL_S).not_done)

        def fetch(source: SecretSource, folder: Path, seconds: float) -> str:
            found = self._fetched.get(source)
            return found.result() if found else read_secret(source, folder, seconds)

        with self._lock:
            return equip(nodes, folder=folder_of(batch), elsewhere=not batch.folder, found=self._secrets, fetch=fetch)

    def hide(self, batch: Batch, calls: Sequence[NodeRequest]) -> Redactor:
        """What takes out all that is known here of what the run's nodes are reached with: it is found batch by batch,
        and one node may say what another one is reached with.
        """
        with self._lock:
            self._logins |= redactor(call.node for call in calls).logins
            self._logins |= known_here(
                batch.unread, folder=folder_of(batch), elsewhere=not batch.folder, found=self._secrets
            )
            self._logins |= batch.calls[0].hide.logins if batch.calls else frozenset()
            return redactor_of(frozenset(self._logins))

    def _fetching(self, source: SecretSource, folder: Path, patience_s: float) -> concurrent.futures.Future[str]:
        with self._lock:
            if source not in self._fetched:
                future = self._fetched[source] = concurrent.futures.Future()
                threading.Thread(
                    target=self._fetch, args=(future, source, folder, patience_s), name="secret", daemon=True
                ).start()
            return self._fetched[source]

    def _fetch(
        self, future: concurrent.futures.Future[str], source: SecretSource, folder: Path, patience_s: float
    ) -> None:
        try:
            with self._turns:
                if self.over.is_set():
                    raise UnusableError("the run has ended")  # noqa: TRY301  nobody is there to hear it
                future.set_result(read_secret(source, folder, patience_s, self.over))
        except BaseException as error:  # noqa: BLE001  told of the nodes that need it
            future.set_exception(error)


_runs: dict[str, SharedRun] = {}
_runs_lock = threading.Lock()


@contextmanager
def taking_part(batch: Batch) -> Iterator[SharedRun]:
    """What the batch shares with the others of its run. With the last of them go the secrets that were found here."""
    with _runs_lock:
        run = _runs.setdefault(batch.run, SharedRun(batch.parallel))
        run.batches += 1
    try:
        yield run
    finally:
        with _runs_lock:
            run.batches -= 1
            if not run.batches:
                del _runs[batch.run]
                run.over.set()


def folder_of(batch: Batch) -> Path:
    """Where what is written relative in the inventory lies here."""
    if batch.folder:
        return Path(batch.folder)
    try:
        return Path.cwd()
    except OSError:  # it was removed under this process; what is written as a whole path is there all the same
        return Path(os.sep)
