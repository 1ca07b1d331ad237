"""Lines to be typed on one node, each in the language of who takes it."""

from __future__ import annotations

from checks.runbook.model import Command


def sh_on(where: str, text: str) -> Command:
    """A line for a POSIX shell on the node `where`."""
    return Command(text=text, language="sh", where=where)


def cmd_on(where: str, text: str) -> Command:
    """A line for cmd.exe there."""
    return Command(text=text, language="cmd", where=where)


def powershell_on(where: str, text: str) -> Command:
    """A line for PowerShell there."""
    return Command(text=text, language="powershell", where=where)


def sql_on(where: str, text: str) -> Command:
    """A statement for the SQL Server there."""
    return Command(text=text, language="sql", where=where)
