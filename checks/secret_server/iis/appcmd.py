"""IIS's appcmd.exe in remedies, with the site's own names."""

from __future__ import annotations

from collections.abc import Iterable

from checks.runbook.quoting import for_cmd, joined

APPCMD = "%windir%\\System32\\inetsrv\\appcmd.exe"
POOL = '"<pool>"'
"""Stands for a pool whose name is not known, or could be code."""
SITE = '"<site>"'


def over_pools(verb: str, names: Iterable[str], settings: str = "") -> str:
    """One line for cmd.exe that does `verb` ("start", "stop", "set") to each pool."""
    tail = f" {settings}" if settings else ""
    return joined((f"{APPCMD} {verb} apppool /apppool.name:{for_cmd(name) or POOL}{tail}" for name in names), "cmd")


def set_site(name: str, settings: str) -> str:
    """One line for cmd.exe that sets something of a site."""
    return f"{APPCMD} set site /site.name:{for_cmd(name) or SITE} {settings}"
