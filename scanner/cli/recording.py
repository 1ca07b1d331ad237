"""The history that a command records its run in, if any."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from checks.common.dataclass import dataclass

if TYPE_CHECKING:
    from checks.baseline.drift import Drift
    from checks.scan import FailOn, Scan
    from scanner.cli.run_options import RunOptions
    from scanner.history.series import HistorySeries
    from scanner.inventory.model import NodeKey
    from scanner.inventory.select import Selection


@dataclass(frozen=True, slots=True)
class HistoryFile:
    """Where a run is recorded, and under which question."""

    path: Path | None
    """None where no history is kept."""
    question: HistorySeries

    @classmethod
    def chosen(cls, command: str, selection: Selection, options: RunOptions) -> HistoryFile:
        """What `--history` asks for, else what the inventory says."""
        from scanner.history.series import HistorySeries

        inventory = selection.inventory
        path = options.history or (Path(inventory.run.history) if inventory.run.history else None)
        question = HistorySeries.asked(
            command,
            inventory.path,
            narrowed=selection.narrowed,
            phase=options.phase.value,
            target=options.target or (),
            cluster=options.cluster or (),
            node=options.node or (),
            check=options.check or (),
            skip_check=options.skip_check or (),
        )
        return cls(path, question)

    def refuse_bad_place(self, others: Iterable[Path]) -> None:
        """Raise UsageError where nothing could be recorded, or where one of the `others`, read or written, is the file.

        That is before anything is contacted.
        """
        if not self.path:
            return
        from scanner.errors import UsageError
        from scanner.files.atomic import same_file
        from scanner.history.database import HistoryUnavailableError, refuse_unusable

        if str(self.path) == "-":
            raise UsageError("the history is a file, and cannot go to standard output: name one")
        if any(same_file(self.path, other) for other in others):
            raise UsageError(f"the history cannot be {self.path}: that file is read or written; choose another name")
        # Locked, or read-only: that costs the history alone, and is told when it cannot be recorded.
        with contextlib.suppress(HistoryUnavailableError):
            refuse_unusable(self.path)

    def remember_drift(self, done: Drift, asked: Collection[NodeKey]) -> Drift:
        """A comparison over the nodes that were asked; see `remember`."""
        if not self.path:
            return done
        from dataclasses import replace

        from scanner.errors import PreflightError
        from scanner.history.store import remember_drift

        try:
            return remember_drift(self.path, self.question, done, asked)
        except PreflightError as error:
            return replace(done, notices=(*done.notices, _complained(error)))

    def remember(self, done: Scan) -> Scan:
        """The scan, recorded, with what earlier runs say of it.

        What goes wrong here is told on standard error and in the reports, and costs neither those nor the exit code.
        """
        if not self.path:
            return done
        from dataclasses import replace

        from scanner.errors import PreflightError
        from scanner.history.store import remember

        try:
            return remember(self.path, self.question, done)
        except PreflightError as error:
            return replace(done, notices=(*done.notices, _complained(error)))


def refuse_without_history(kept: HistoryFile, *, only_changes: bool, fail_on: FailOn | None = None) -> None:
    """Raise UsageError for options that mean nothing without earlier runs."""
    from checks.scan import FailOn
    from scanner.errors import UsageError

    for option, used in (("--only-changes", only_changes), ("--fail-on new", fail_on is FailOn.NEW)):
        if used and not kept.path:
            raise UsageError(f"{option} needs earlier runs: add --history FILE, or history in the inventory's [run]")


def _complained(error: Exception) -> str:
    from scanner.cli.output.streams import print_error
    from scanner.secrets.last_door import without_secrets

    problem = without_secrets(f"this run is not in the history: {error}")
    print_error(problem)
    return problem
