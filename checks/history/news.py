"""Whether a run says anything that the one before it did not: what a nightly mail is sent for, or not."""

from __future__ import annotations

from datetime import datetime, timedelta

from checks.history.model import FindingAge, FindingKey, ScanHistory
from checks.outcome import Status


def is_fresh(item: FindingAge) -> bool:
    """Whether the finding is new, or graver or milder than it was: a warning that fails now is one."""
    changed = item.before is not None and item.before is not item.status and item.status is not Status.ERROR
    return item.new or changed


def fresh(history: ScanHistory) -> frozenset[FindingKey]:
    """What is found anew."""
    return frozenset(item.subject for item in history.standings if is_fresh(item))


def is_news(history: ScanHistory | None) -> bool:
    """Whether something is new, resolved, gone or flapping. The first run of all is news, and so is a lost history."""
    if history is None or history.last is None:
        return True
    return bool(fresh(history) or history.resolved or history.gone or history.flapping)


def reminder_is_due(history: ScanHistory | None, now: datetime, every: timedelta) -> bool:
    """Whether somebody has to be told again that a failure, or something undetermined, still stands.

    The time is counted from the newest of them. It is due in the first run after each whole `every`, whenever that run
    is made, so nothing has to be remembered of what was sent.
    """
    if history is None or history.last is None:
        return False
    standing = [item.since for item in history.standings if item.status in (Status.FAIL, Status.ERROR)]
    if not standing:
        return False
    begun = max(standing)
    return (now - begun) // every > max(timedelta(), history.last - begun) // every
