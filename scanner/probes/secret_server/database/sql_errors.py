"""SQL Server's errors in words. They are told by number: their texts come in the server's own language."""

from __future__ import annotations

import re

from checks.secret_server.database.access import CANNOT_CONNECT, PASSIVE, REFUSES_LOGIN

_LOGIN = frozenset((18450, 18451, 18452, 18456, 18457, 18458, 18459, 18461, 18470, 18486, 18487, 18488, 40531, 40532))
_DATABASE = frozenset((911, 916, 4060, 4064))
_PERMISSION = frozenset((229, 230, 262, 297, 300, 371, 6004, 15247))
_MISSING = frozenset((207, 208))
_CLOSED = frozenset((976, 978, 979, 983))
_NOT_OPEN = frozenset((913, 921, 922, 924, 927, 942, 945, 955))
_BUSY = frozenset(
    (
        *(6005, 17142, 17809, 17810, 17830, 17892, 18401),
        # Of Azure SQL Database: too much is asked of it, it moves, or a firewall of its own is in front of it.
        *(10928, 10929, 40501, 40613, 49918, 49919, 49920),
        *(40615, 40914, 47073),
    )
)
_NOT_THERE = frozenset((40508, 40515, 40517))
"""What Azure SQL Database says of what it does not have."""
_NETWORK = frozenset(
    (
        *(2, 20, 26, 40, 53, 64, 121, 233, 258, 1225, 1231, 1326),
        *(10053, 10054, 10060, 10061, 10064, 10065, 11001, 11002, 11004),
    )
)
"""What the client's own network errors are numbered: Windows' codes, and those of .NET's SQL client."""
_TIMEOUT = frozenset((-2,))
_MEANINGS = (
    (_LOGIN, REFUSES_LOGIN),
    (_DATABASE, "the login may not open the database"),
    (_PERMISSION, "the login lacks a permission"),
    (_MISSING, "there is no such table or column, or the login may not see it"),
    (_CLOSED, "the database is a secondary copy that may not be read"),
    (_NOT_OPEN, "the database is not open"),
    (_BUSY, "SQL Server takes no login now"),
    (_NOT_THERE, "this service has nothing of the kind"),
    (_TIMEOUT, "SQL Server did not answer in time"),
)
READ_INTENT_ONLY = 978
"""A secondary replica that takes connections with ApplicationIntent=ReadOnly only."""
DATABASE_CLOSED = (_DATABASE | _CLOSED | _NOT_OPEN) - {READ_INTENT_ONLY}
"""The login is fine, and the database that it asks for is not open to it."""


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
    for numbers, meaning in _MEANINGS:
        if number in numbers:
            return f"{meaning} {told}"
    if number <= 0 or number in _NETWORK:
        return f"{CANNOT_CONNECT} {endpoint} {told}"
    return f"SQL Server answers the question with an error {told}"
