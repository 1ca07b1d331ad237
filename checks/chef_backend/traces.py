"""What there is of Chef on a machine, so that one which has nothing to do with it is told as such."""

from __future__ import annotations

from checks.check import NodeView
from checks.common.dataclass import dataclass
from checks.engine.identity import Identity
from checks.facts import Unknown

_NAMES = {"backend": "Chef Backend", "frontend": "Chef Infra Server"}
_TRACES = {
    "backend": "no package chef-backend, no chef-backend-ctl, none of its folders under /opt, /etc and /var/opt",
    "frontend": "no package chef-server-core, no chef-server-ctl, no folder opscode under /opt, /etc and /var/opt",
}


@dataclass(frozen=True, slots=True)
class ChefTraces:
    """What is there of the two products, whatever state it is in."""

    hostname: str
    """What the machine calls itself, as `uname -n` prints it."""
    backend: tuple[str, ...]
    """Of Chef Backend: "package", "chef-backend-ctl", or a folder."""
    frontend: tuple[str, ...]
    """Of Chef Infra Server, likewise."""
    unseen: tuple[str, ...] = ()
    """Folders that the account may not look into, so that something may lie there."""


def stranger(view: NodeView) -> str:
    """Why the machine is no node of its roles; empty where anything is there of one of them, or may be."""
    found = view.get(ChefTraces)
    roles = [role for role in _NAMES if role in view.roles]
    if isinstance(found, Unknown) or found.unseen or not roles:
        return ""
    there = {"backend": found.backend, "frontend": found.frontend}
    if any(there[role] for role in roles):
        return ""
    other = next((_NAMES[role] for role in _NAMES if there[role]), "")
    instead = f", and there is {other}: were two addresses mixed up?" if other else ""
    named = f" (it calls itself {found.hostname})" if found.hostname else ""
    lacks = "; ".join(_TRACES[role] for role in roles)
    return f"is no {' or '.join(_NAMES[role] for role in roles)} node{named}: {lacks}{instead}"


IDENTITY = Identity((ChefTraces,), stranger)
