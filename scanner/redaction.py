"""Secrets taken out of what nodes say: nodes, proxies and shells may send back what they, or others, were given."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable, Iterable

from scanner.inventory.model import Node
from scanner.secrets import Secret

_TELLTALE_CHARS = 6
"""A shorter secret stands in every other word; to take it out would garble the answers and betray it all the same."""


def eraser(nodes: Iterable[Node]) -> Callable[[str], str]:
    """A function that takes the secrets `nodes` are reached with out of a text, however they are spelled there."""
    secrets: set[tuple[str, str]] = set()
    coded: set[str] = set()  # as they are sent in a shell's environment
    for node in nodes:
        for settings in (node.winrm, node.ssh):
            for secret in (settings.password, getattr(settings, "passphrase", None)) if settings else ():
                if isinstance(secret, Secret) and len(secret.reveal()) >= _TELLTALE_CHARS:
                    secrets.add((secret.reveal(), settings.user if settings else ""))
        if isinstance(node.sql_password, Secret) and len(node.sql_password.reveal()) >= _TELLTALE_CHARS:
            secrets.add((node.sql_password.reveal(), str(node.options.get("sql_user", ""))))
            coded.add(base64.b64encode(node.sql_password.reveal().encode("utf-8", "replace")).decode("ascii"))
    found = sorted(
        {*coded, *(each for secret, user in secrets for each in _spellings(secret, user))}, key=len, reverse=True
    )

    def erase(text: str) -> str:
        # Nearly no text holds any, and to look for one after the other is far faster than one pattern of them all.
        there = [each for each in found if each in text]
        return re.sub("|".join(map(re.escape, there)), "***", text) if there else text

    return erase


def _spellings(secret: str, user: str) -> set[str]:
    """The secret as itself, as in an Authorization header, and as JSON, XML and our own quoting write it."""
    basic = {
        base64.b64encode(f"{user}:{secret}".encode(coding, "replace")).decode("ascii")
        for coding in ("utf-8", "latin-1")
    }
    return {secret, json.dumps(secret)[1:-1], html.escape(secret), html.escape(secret, quote=False), *basic} | {
        repr(secret)[1:-1]
    }
