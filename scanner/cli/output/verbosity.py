"""How much a scan or a comparison prints, and when it is worth a mail."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from checks.common.dataclass import dataclass
from scanner.errors import UsageError
from scanner.run.durations import parse_duration, told_duration

if TYPE_CHECKING:
    from checks.baseline.drift import Drift
    from checks.scan import Scan

_REMIND = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """What the options say of it."""

    quiet: bool = False
    """Only what is wrong."""
    verbose: bool = False
    only_changes: bool = False
    """Nothing, unless something is new, resolved or flapping, or a reminder is due."""
    remind: timedelta = _REMIND
    nagios: bool = False
    """One line for a monitoring system in place of the summary."""

    @classmethod
    def chosen(
        cls, *, quiet: bool, verbose: bool, only_changes: bool = False, remind: str | None = None, nagios: bool = False
    ) -> Telling:
        """What the command line says. Raises UsageError for what contradicts itself."""
        if quiet and verbose:
            raise UsageError("-q and -v contradict each other: choose one")
        if remind is not None and not only_changes:
            raise UsageError("--remind says when --only-changes speaks all the same: add --only-changes")
        if nagios and (verbose or quiet or only_changes):
            raise UsageError("--nagios prints one line, always: leave out -q, -v and --only-changes")
        length = parse_duration(remind, "--remind") if remind is not None else _REMIND
        return cls(quiet=quiet, verbose=verbose, only_changes=only_changes, remind=length, nagios=nagios)

    @property
    def no_progress(self) -> bool:
        """Whether nobody watches."""
        return self.quiet or self.only_changes or self.nagios

    def is_silent(self, done: Scan | Drift) -> bool:
        """Whether nothing is printed at all: the exit code and the reports say what there is."""
        from checks.baseline.drift import DriftVerdict
        from checks.history.news import is_news
        from checks.scan import Scan, Verdict

        if done.partial or self.nagios:
            return False
        if self.only_changes and not is_news(done.history) and not self.reminds(done):
            return True
        reminders = isinstance(done, Scan) and bool(done.reminders)
        return self.quiet and not reminders and done.verdict in (Verdict.GO, DriftVerdict.NO_DRIFT)

    def reminds(self, done: Scan | Drift) -> bool:
        """Whether it speaks for no other reason than that it is time to."""
        from checks.history.news import is_news, reminder_is_due

        due = reminder_is_due(done.history, done.started, self.remind)
        return self.only_changes and due and not is_news(done.history)

    @property
    def reminder(self) -> str:
        """What stands above a summary that is a reminder."""
        return f"Reminder after {told_duration(self.remind)}: nothing has changed, and this still stands.\n\n"
