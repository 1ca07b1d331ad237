"""What to do about what could not be told: clear its cause, declare what no node tells, or leave the check out.

Nothing may stay UNKNOWN for ever without a way out of it, so every result that could not be determined names one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from checks.check import NOT_SELECTED, NodeView
from checks.engine.left_out import NEVER
from checks.engine.wording import enumerate_names
from checks.facts import Contact, Unknown
from checks.outcome import Outcome, Remediation
from checks.scan import CONNECTIVITY

DECLARED = frozenset({"current", "efs", "package", "sql_database", "sql_instance", "sudo", "target", "web_root"})
"""Keys of the inventory that messages name where the inventory can say what a node does not, or lets it be read."""

_NAMED = re.compile(r"`([a-z_]+)(?: = [^`]*)?`")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SELECTION, _INTERRUPTION, UNNAMED = "selection", "interruption", "unnamed"
_REMEDIES = {
    CONNECTIVITY: f"Clear what {CONNECTIVITY} says of {{}}, then scan again.",
    _SELECTION: "Scan again with {} selected, too: nobody was asked there.",
    _INTERRUPTION: "Scan again, to the end: {} had not answered yet.",
    UNNAMED: "Name every machine of {} with a --host of its own and say --whole, or scan an inventory that names them.",
}
_CLEAR = "Clear the cause named in the message, then scan again."
UNSEEN = Remediation(f"{_CLEAR} Where a node never tells, see for yourself.")
"""For a warning about what was not seen: the remedy of a breach is none of its own."""
ASK_ANEW = Remediation("Ask the node with this version of preflight; where it does not tell, see for yourself.")
"""For evidence of an earlier version, which did not ask."""


def cause_of(view: NodeView) -> str:
    """Why a node that was not asked, or did not answer fully, was not: "connectivity:web1", "selection:web1"."""
    if not isinstance(view.get(Contact), Unknown):
        return f"{CONNECTIVITY}:{view.name}"
    return f"{_SELECTION if view.absence == NOT_SELECTED else _INTERRUPTION}:{view.name}"


def remedy_of(causes: Sequence[str]) -> Remediation:
    """What to do about what follows from `causes` alone, as `cause_of` names them: theirs, whatever was not told."""
    names: dict[str, list[str]] = {}
    for cause in causes:
        kind, _, name = cause.partition(":")
        names.setdefault(kind, []).append(name)
    steps = [template.format(enumerate_names(names[kind])) for kind, template in _REMEDIES.items() if kind in names]
    return Remediation(" ".join(steps))


def way_out(check: str, cluster: str, outcome: Outcome) -> Remediation:
    """What to do about an outcome that could not be determined, for a reason of its own."""
    found = outcome.remediation or Remediation(_declaring(outcome.message) or _CLEAR)
    if check in NEVER:
        return found
    table = cluster if _BARE.fullmatch(cluster) else f'"{cluster}"'
    leave = f'What can never be told here, leave out: [clusters.{table}.skip] {check} = "why".'
    return replace(found, summary=f"{found.summary} {leave}")


def _declaring(message: str) -> str:
    """What the message itself says to declare; empty where it names no key."""
    keys = [f"`{key}`" for key in dict.fromkeys(_NAMED.findall(message)) if key in DECLARED]
    return f"Do as the message says of {enumerate_names(keys)} in the inventory, then scan again." if keys else ""
