"""Nodes of which nobody asks anything but the SQL Server port, which knows nothing of the machine behind it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from checks.check import NodeView
from checks.facts import Contact, Unknown, UnknownFactError
from checks.outcome import Outcome, not_applicable

F = TypeVar("F")


def is_sql_port_alone(node: NodeView) -> bool:
    """Whether only the node's SQL Server port was spoken to."""
    contact = node.get(Contact)
    return isinstance(contact, Contact) and contact.transport == "tds"


def _unread(found: Unknown) -> Outcome:
    raise UnknownFactError(found.reason)


def fact_of_host(view: NodeView, kind: type[F], otherwise: Callable[[Unknown], Outcome] = _unread) -> F | Outcome:
    """A fact of the machine itself, or what is said where it is unknown: nothing where only the port was spoken to.

    Else it is what `otherwise` says; without one, the engine's error.
    """
    found = view.get(kind)
    if not isinstance(found, Unknown):
        return found
    if is_sql_port_alone(view):
        return not_applicable("the host itself is not asked, only its SQL Server port")
    return otherwise(found)
