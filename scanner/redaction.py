"""A node's own secrets taken out of what it says: nodes, proxies and shells may send back what they were given."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable

from scanner.inventory.model import Node
from scanner.secrets import Secret

_TELLTALE_CHARS = 6
"""A shorter secret stands in every other word; to take it out would garble the answers and betray it all the same."""


def eraser(node: Node) -> Callable[[str], str]:
    """A function that takes the secrets `node` is reached with out of a text, however they are spelled there."""
    found: set[str] = set()
    for settings in (node.winrm, node.ssh):
        for secret in (settings.password, getattr(settings, "passphrase", None)) if settings else ():
            if isinstance(secret, Secret) and len(secret.reveal()) >= _TELLTALE_CHARS:
                found |= _spellings(secret.reveal(), settings.user if settings else "")
    if not found:
        return lambda text: text
    pattern = re.compile("|".join(re.escape(each) for each in sorted(found, key=len, reverse=True)))
    return lambda text: pattern.sub("***", text)


def _spellings(secret: str, user: str) -> set[str]:
    """The secret as itself, as in an Authorization header, and as JSON, XML and our own quoting write it."""
    basic = {
        base64.b64encode(f"{user}:{secret}".encode(coding, "replace")).decode("ascii")
        for coding in ("utf-8", "latin-1")
    }
    return {secret, json.dumps(secret)[1:-1], html.escape(secret), html.escape(secret, quote=False), *basic} | {
        repr(secret)[1:-1]
    }
