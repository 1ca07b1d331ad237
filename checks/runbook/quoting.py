"""Names that nodes and inventories chose, as words of a command that a person will paste.

Each function gives the name quoted for its shell, or None where it could be code, or could come out as another name.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from typing import TypeGuard

# ASCII alone: consoles turn what their code page lacks into what looks like it, quotation marks among it (U+02BA,
# U+FF02), and PowerShell takes several characters for those.
_PLAIN = re.compile(r"[\w .:\\/$()\-]+", re.ASCII)
# What else a folder or a pool may be called, and what is nothing special between double quotes of cmd.exe.
_QUOTED = re.compile(r"[\w .:\\/$()\-',;+=@#~&\[\]{}!]+", re.ASCII)
# Any printable character that a file may have in its name.
_NAME = re.compile(r"[ !#-)+-;=@-{}~]+")
_SQL = re.compile(r"(?!.*--)[\w .:\\/$()\-',+=@#~&{}!]+", re.ASCII)
_HOST = re.compile(r"[\w.\-]+|[0-9A-Fa-f:]+", re.ASCII)
LONGEST = 400
"""Characters of a name that is still written into a command: reports cut lines far beyond it, and a command that lost
its end is another one."""
_LETTERS = ("Lu", "Ll", "Lo", "Nd")
"""Of other scripts, in names of inventories and clusters, which no node chooses: no mark, and no modifier letter."""
JOINS = {"cmd": " & ", "powershell": "; ", "sh": " && ", "sql": "; "}
"""Each language that a remedy's command may be in, and what stands between two commands of it."""
_WHOLE = 1_500
"""Characters of several commands in one: what would be longer is left to the summary."""


def for_cmd(text: str | None) -> str | None:
    """Between double quotes, for cmd.exe."""
    # A backslash before the closing quote would escape it, and what begins like an option is taken for one.
    if _is_short(text) and _QUOTED.fullmatch(text) and not text.endswith("\\") and not text.startswith(("/", "-")):
        return f'"{text}"'
    return None


def bare(text: str | None) -> str | None:
    """As it is, for a part of a path or an address."""
    return text if _is_short(text) and (_HOST.fullmatch(text) or _PLAIN.fullmatch(text)) else None


def for_powershell(text: str | None) -> str | None:
    """As PowerShell takes it to the letter: between single quotes, those in it doubled."""
    return "'" + text.replace("'", "''") + "'" if _is_short(text) and _NAME.fullmatch(text) else None


def sql_name(text: str | None) -> str | None:
    """As SQL writes a name: [SecretServer]."""
    return f"[{text}]" if _is_short(text) and _SQL.fullmatch(text) else None


def sql_text(text: str | None) -> str | None:
    """As SQL writes a text: N'SecretServer'."""
    return "N'" + text.replace("'", "''") + "'" if _is_short(text) and _SQL.fullmatch(text) else None


def for_sh(text: str | None) -> str | None:
    """One word of a POSIX shell."""
    if text and all(" " <= char <= "~" or _is_letter(char) for char in text):
        return shlex.quote(text)
    return None


def _is_letter(char: str) -> bool:
    import unicodedata  # noqa: PLC0415  its tables take as long to load as a dozen modules, and few names need them

    return unicodedata.category(char) in _LETTERS


def joined(commands: Iterable[str], language: str) -> str:
    """Several commands on one line, as `language` takes them; those that would make it too long are left out."""
    found = ""
    for command in dict.fromkeys(filter(None, commands)):
        longer = f"{found}{JOINS[language]}{command}" if found else command
        if len(longer) > _WHOLE:
            break
        found = longer
    return found


def _is_short(text: str | None) -> TypeGuard[str]:
    return bool(text) and len(text or "") <= LONGEST
