"""Whether a machine is of the product at all: one at a wrong address answers, too, and nothing it says means anything.

A product says what shows that: facts that every one of its nodes is asked for, whatever checks are selected, and a
function that names what is not there. A machine that is none of the product's is told once, in its `connectivity`
result; its other checks are not evaluated, for that reason, and the checks that compare nodes name it as missing. So
nobody is advised to copy a secret to it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from checks.check import NodeView
from checks.common.dataclass import dataclass
from checks.facts import Contact, EndedError, Unknown, UnknownFactError

_TELL = "tell whoever wrote the product what the message says"


@dataclass(frozen=True, slots=True)
class Identity:
    """What shows that a machine is none of a product's."""

    facts: tuple[type, ...]
    """What `stranger` reads. Every node of the product is asked for it, whatever checks are selected."""
    stranger: Callable[[NodeView], str]
    """Why the machine is none of the product's for any of the node's roles, in one line that goes on from "it": "is no
    web node: ..."; empty where it is one, in part too, and where the facts do not prove the contrary."""


def without_strangers(view: NodeView, identity: Identity | None) -> NodeView:
    """`view` as it is, or as that of a node that could not be asked, where the machine is none of the product's."""
    contact = view.get(Contact)
    if identity is None or not isinstance(contact, Contact) or contact.failure:
        return view
    try:
        why = identity.stranger(view)
    except UnknownFactError:
        return view
    except EndedError as ended:
        return _untold(view, contact, str(ended), "whose machine it is cannot be told (see connectivity)", _TELL)
    if not why:
        return view
    hint = (
        f"correct `host` of {view.name} in the inventory ({view.host} now), or leave the node out until the product is "
        "installed there"
    )
    absence = "another machine answers there (see connectivity)"
    return _untold(view, contact, f"another machine answers: it {why}", absence, hint)


def _untold(view: NodeView, contact: Contact, cause: str, absence: str, hint: str) -> NodeView:
    """The node with nothing of what it said."""
    facts: dict[type, object] = {kind: Unknown(absence, unanswered=True) for kind in view.facts}
    facts[Contact] = replace(contact, failure=cause, hint=hint)
    return replace(view, facts=facts, error_output={}, absence=absence)
