"""Whose secrets are taken out of what is told of an inventory's nodes."""

from __future__ import annotations

from collections.abc import Iterable

from scanner.inventory.model import Node
from scanner.secrets.redaction import Redactor, redactor_of
from scanner.secrets.secret import Secret


def redactor(nodes: Iterable[Node]) -> Redactor:
    """What takes the secrets that `nodes` are reached with out of a text."""
    logins: set[tuple[str, str]] = set()
    for node in nodes:
        for settings in (node.winrm, node.ssh):
            for secret in (settings.password, getattr(settings, "passphrase", None)) if settings else ():
                if isinstance(secret, Secret):
                    logins.add((secret.reveal(), settings.user if settings else ""))
        if isinstance(node.sql_password, Secret):
            logins.add((node.sql_password.reveal(), str(node.options.get("sql_user", ""))))
    return redactor_of(frozenset(logins))
