"""Text in XML that is written for a node. `xml.sax.saxutils` would load a whole client of HTTP for it."""

from __future__ import annotations

import html


def escape(text: str) -> str:
    """Text between tags."""
    return html.escape(text, quote=False)


def quote_attribute(text: str) -> str:
    """The value of an attribute, with its quotation marks; no reader takes a line break in it for a blank."""
    plain = escape(text).replace("\n", "&#10;").replace("\r", "&#13;").replace("\t", "&#9;")
    if '"' in plain and "'" not in plain:
        return f"'{plain}'"
    return '"' + plain.replace('"', "&quot;") + '"'
