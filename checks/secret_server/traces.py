"""What there is of Secret Server on a Windows host, so that one which has nothing to do with it is told as such."""

from __future__ import annotations

from checks.check import NodeView
from checks.common.computer_facts import ComputerName
from checks.engine.identity import Identity
from checks.facts import Unknown
from checks.secret_server.facts.node import SqlInstances, WebRoot
from checks.secret_server.iis.serving import is_bare

_LACKING = {
    "web": "no folder of the application: none in the registry (WebDir), none that IIS serves, none in the usual place",
    "database": "no instance of SQL Server in the registry",
}
_NAMES = {"web": "Secret Server web node", "database": "database host"}


def stranger(view: NodeView) -> str:
    """Why the host is no node of its roles; empty where anything is there of one of them, or may be."""
    roles = [role for role in _NAMES if role in view.roles]
    if not roles or len(roles) < len(view.roles) or any(not _is_none(view, role) for role in roles):
        return ""
    own = view.get(ComputerName)
    named = "" if isinstance(own, Unknown) else f" (it calls itself {own.name})"
    lacks = "; ".join(_LACKING[role] for role in roles)
    return f"is no {' or '.join(_NAMES[role] for role in roles)}{named}: {lacks}"


def _is_none(view: NodeView, role: str) -> bool:
    if role == "web":
        return is_bare(view)
    found = view.get(SqlInstances)
    return not isinstance(found, Unknown) and not found.instances


IDENTITY = Identity((WebRoot, SqlInstances, ComputerName), stranger)
