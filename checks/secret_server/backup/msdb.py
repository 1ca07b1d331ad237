"""What the history of backups in msdb says of the database, without having seen a file."""

from __future__ import annotations

from collections.abc import Sequence

from checks.engine.wording import count, enumerate_names
from checks.outcome import Outcome, Status, combine, failed, undetermined, warned
from checks.secret_server.backup.findings import AHEAD_S, Terms, aged, span
from checks.secret_server.facts.sql import BACKUP_DAYS, DatabaseBackup, DatabaseBackups

_SUMMER_TIME_S = 3600
"""By how much msdb's local times go back at the end of summer time: for that hour, a new backup lies ahead."""
_HOUR_S = 3600
_NOWHERE = "NUL"
"""The device that takes a backup and keeps nothing of it."""


def recorded(
    histories: Sequence[DatabaseBackups], terms: Terms, *, declared: bool, unseen: Sequence[str] = ()
) -> Outcome:
    """Judge the newest backups that any of the instances knows; in an availability group each knows its own alone.

    Without a full backup this fails where backups are `declared`. Else nothing does more than warn: programs that copy
    whole machines leave no trace in msdb. Replicas that are `unseen` may have made a backup, so nothing is proven.
    """
    outcome = _newest(histories, terms, declared=declared)
    if not unseen or outcome.status is not Status.FAIL:
        return outcome
    message = (
        f"{outcome.message}; msdb of {enumerate_names(unseen)} in the availability group was not read, and may know a "
        "newer one (is every replica in the inventory?)"
    )
    return undetermined(message, expected=outcome.expected, observed=outcome.observed)


def _newest(histories: Sequence[DatabaseBackups], terms: Terms, *, declared: bool) -> Outcome:
    database = histories[0].database
    kept = [one for found in histories for one in found.backups if _is_kept(one)]
    fulls = sorted((one for one in kept if one.kind == "full"), key=_age)
    if not fulls:
        what = f"msdb knows no full backup of {database} in the last {BACKUP_DAYS} days"
        damaged = any(one.damaged for found in histories for one in found.backups)
        lost = f"{what} that is undamaged and was kept" if damaged else what
        if declared:
            return terms.breach("present", lost)
        return warned(f"{lost}; a program that copies whole machines may have made one")
    full = fulls[0]
    newest = min(kept, key=lambda one: (one.age_s, one.kind != "full"))
    if newest.age_s < -(_SUMMER_TIME_S + AHEAD_S):
        end = undetermined if declared else warned
        return end(f"msdb dates a backup of {database} ahead of the server's own clock: was it set back?")
    age_s = max(0, newest.age_s)
    bases = [one for one in fulls if newest.kind != "differential" or (not one.copy_only and one.age_s >= newest.age_s)]
    if not bases:
        # A differential without the full one that it builds on restores nothing.
        newest, age_s = full, max(0, full.age_s)
    if newest.kind == "full":
        return aged(f"{_told(full)} of {database} in msdb", age_s, terms)
    base = bases[0]
    told = f"{_told(newest)} of {database} in msdb (after a full one, {span(base.age_s)} old)"
    return combine([aged(told, age_s, terms), *_base(base, told, terms)])


def _base(full: DatabaseBackup, told: str, terms: Terms) -> list[Outcome]:
    """What is to be said of the age of the full backup beneath the newest one; nothing where it is fine."""
    limit = terms.full_max_age_hours
    if limit is None or full.age_s <= max(limit, terms.max_age_hours or 0) * _HOUR_S:
        return []
    message = f"{told}: the full one is too old, at most {count(limit, 'hour is', 'hours are')} allowed"
    if terms.full_declared:
        return [failed(f"{message} (max_full_age_hours)", expected=f"a full backup of the last {count(limit, 'hour')}")]
    rule = terms.rules["full-max-age-hours"]
    return [terms.breach("full-max-age-hours", message if rule.note else f"{message} ({rule.confidence})")]


def _is_kept(backup: DatabaseBackup) -> bool:
    return not backup.damaged and backup.device.strip().upper().rstrip(":") != _NOWHERE


def _age(backup: DatabaseBackup) -> int:
    return backup.age_s


def _told(backup: DatabaseBackup) -> str:
    by = " as a volume's snapshot" if backup.snapshot else ""
    return f"{backup.kind} backup{by}"
