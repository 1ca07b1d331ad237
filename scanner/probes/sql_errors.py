"""SQL Server's errors in words. They are told by number: their texts come in the server's own language."""

from __future__ import annotations

import re

from checks.secret_server.database import CANNOT_CONNECT, PASSIVE, REFUSES_LOGIN

_LOGIN = frozenset((18450, 18451, 18452, 18456, 18457, 18458, 18459, 18461, 18470, 18486, 18487, 18488))
_DATABASE = frozenset((911, 916, 4060, 4064))
_PERMISSION = frozenset((229, 230, 262, 297, 300, 371, 6004, 15247))
_MISSING = frozenset((207, 208))
_CLOSED = frozenset((976, 978, 979, 983))
_TIMEOUT = -2


def explain_sql(error: str, endpoint: str) -> str:
    """An accessor's "sql NUMBER: where: message" as one line, its cause first; other errors as they are."""
    line = " ".join("".join(char if char.isprintable() else " " for char in error).split())
    if line.startswith("late:"):
        return "the questions before it took too long"
    if line.startswith("passive:"):
        return f"{PASSIVE}, a passive host of {endpoint}"
    match = re.fullmatch(r"sql (-?\d{1,10}): (.*?): (.*)", line)
    if not match:
        return line[:400] or "the query failed and did not say why"
    number, message = int(match[1]), match[3][:300]
    told = f"({number}: {message})"
    if number in _LOGIN:
        return f"{REFUSES_LOGIN} {told}"
    if number in _DATABASE:
        return f"the login may not open the database {told}"
    if number in _PERMISSION:
        return f"the login lacks a permission {told}"
    if number in _MISSING:
        return f"there is no such table or column, or the login may not see it {told}"
    if number in _CLOSED:
        return f"the database is a secondary copy that may not be read {told}"
    if number == _TIMEOUT:
        return f"SQL Server did not answer in time {told}"
    return f"{CANNOT_CONNECT} {endpoint} {told}"
