"""Lengths of time as people write them on a command line: `26h`, `400d`, `1d12h`."""

from __future__ import annotations

import re
from datetime import timedelta

from scanner.errors import UsageError

_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes"}
_PART = re.compile(r"([0-9]{1,6})([wdhm])")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")
_MOST = timedelta(days=36_500)


def parse_duration(text: str, option: str) -> timedelta:
    """The length of time that `text` means, never zero. Raises UsageError, which names the `option`."""
    plain = "".join(text.split()).lower()
    if re.fullmatch(r"[0-9]+", plain):
        raise UsageError(f"{option} {text}: a unit is missing; write {plain}h or {plain}d, say")
    if not _WHOLE.fullmatch(plain):
        units = ", ".join(f"{short} ({name})" for short, name in _UNITS.items())
        raise UsageError(f"{option} {text!r}: expected a length of time such as 26h, 400d or 1d12h; units are {units}")
    length = sum((timedelta(**{_UNITS[unit]: int(number)}) for number, unit in _PART.findall(plain)), timedelta())
    if not timedelta() < length <= _MOST:
        raise UsageError(f"{option} {text}: expected more than nothing, and at most 100 years")
    return length


def told_duration(length: timedelta) -> str:
    """A length of time for readers, to the minute below two days and to the hour above: `26h 5m`, `3d 4h`."""
    minutes = max(0, int(length.total_seconds())) // 60
    if minutes < 60:
        return f"{minutes}m"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours}h {minutes}m" if minutes else f"{hours}h"
    days, hours = divmod(hours, 24)
    return f"{days}d {hours}h" if hours else f"{days}d"
