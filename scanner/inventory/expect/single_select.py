"""Whether a text is a single SELECT of Transact-SQL, and nothing that could change anything. In doubt it is not."""

from __future__ import annotations

import re

_QUOTED = re.compile(r"N?'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\[(?:[^\]]|\]\])*\]")
_WORD = re.compile(r"[A-Za-z_@#][\w@#$]*|[();,]|--|/\*|\*/|['\"\[\]]")
_FORBIDDEN = frozenset(
    re.findall(
        r"\w+",
        """
        ADD ALTER BACKUP BEGIN BREAK BULK CHECKPOINT CLOSE COMMIT CONTINUE CONVERSATION CREATE DBCC
        DEALLOCATE DECLARE DELETE DENY DISABLE DISK DROP DUMP ELSEIF ENABLE EXEC EXECUTE FETCH GO GOTO GRANT
        HOLDLOCK IF INSERT INTO KILL LINENO LOAD MERGE NEXT OPEN OPENDATASOURCE OPENQUERY OPENROWSET PRINT
        RAISERROR READTEXT RECEIVE RECONFIGURE RESTORE RETURN REVERT REVOKE ROLLBACK SAVE SEND SET SETUSER
        SHUTDOWN SIGNATURE TABLOCKX THROW TRIGGER TRUNCATE UPDATE UPDATETEXT UPDLOCK USE WAITFOR WHILE
        WRITETEXT XLOCK
        """,
    )
)
"""What begins another statement, writes, locks others out, or asks elsewhere. Names that are spelled so go in [ ]."""
_BEFORE_A_SELECT = ("UNION", "ALL", "EXCEPT", "INTERSECT", "(")


def why_not(text: str) -> str:
    """Why `text` is refused; empty for a single SELECT."""
    plain = _QUOTED.sub(" ", text)
    words = [word.upper() for word in _WORD.findall(plain)]
    odd = next((word for word in words if word in ("--", "/*", "*/", "'", '"', "[", "]")), "")
    if odd in ("--", "/*", "*/"):
        return f"it holds a comment ({odd})"
    if odd:
        return f"a {odd} is never closed"
    if ";" in words:
        return "it has a semicolon: one SELECT needs none"
    if not words or words[0] != "SELECT":
        return "it does not begin with SELECT"
    forbidden = next((word for word in words if word in _FORBIDDEN), "")
    if forbidden:
        return f"{forbidden} may change or lock something; of a column that is called so, write [{forbidden.lower()}]"
    second = next(
        (at for at, word in enumerate(words) if at and word == "SELECT" and words[at - 1] not in _BEFORE_A_SELECT), 0
    )
    if second:
        return "it holds a second SELECT that is no part of the first"
    return ""
