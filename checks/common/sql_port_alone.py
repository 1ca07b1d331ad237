"""Nodes of which nobody asks anything but the SQL Server port, which knows nothing of the machine behind it."""

from __future__ import annotations

from checks.check import NodeView
from checks.facts import Contact
from checks.outcome import Outcome, not_applicable


def is_sql_port_alone(node: NodeView) -> bool:
    """Whether only the node's SQL Server port was spoken to."""
    contact = node.get(Contact)
    return isinstance(contact, Contact) and contact.transport == "tds"


def host_not_asked() -> Outcome:
    """What is said of the machine then."""
    return not_applicable("the host itself is not asked, only its SQL Server port")
