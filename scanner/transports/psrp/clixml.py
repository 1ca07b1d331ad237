"""CLIXML, how PowerShell writes objects ([MS-PSRP] 2.2.5): as much of it as a script and its output need."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from scanner.errors import ProtocolError, shortened
from scanner.secrets.redaction import NOTHING_SECRET, Redactor
from scanner.transports.bounded import looked_through
from scanner.transports.powershell.xml_text import escape

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_TO_ESCAPE = re.compile(r"[\x00-\x1f\x7f]|_(?=[xX][0-9A-Fa-f]{4}_)")
_TEXT_CHARS = 2000
"""As much of a text that is only quoted."""


def text(value: str) -> str:
    """`value` as the content of an `S` element."""
    return escape(_TO_ESCAPE.sub(lambda match: f"_x{ord(match[0]):04X}_", value))


def plain(content: str) -> str:
    """The value of an `S` element's content."""
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), content)


def read(document: bytes) -> ET.Element:
    """The object that a message holds. Raises ProtocolError."""
    if b"<!" in document or b"\0" in document:
        # No object has a document type, and entities can be made to fill the memory.
        raise ProtocolError("PowerShell's answer holds XML that no object of it has")
    try:
        return ET.fromstring(document.removeprefix(_BYTE_ORDER_MARK))  # noqa: S314 - without entities, as just made sure
    except ET.ParseError as error:
        raise ProtocolError(f"PowerShell's answer holds no valid object: {error}") from error


def member(value: ET.Element, name: str) -> ET.Element | None:
    """The property `name` of an object."""
    return next((each for each in value.iterfind("MS/*") if each.get("N") == name), None)


def number(value: ET.Element, name: str) -> int | None:
    """The property `name` of an object where that is a whole number, or an enumeration's value."""
    found = member(value, name)
    if found is not None and found.tag == "Obj":
        found = found.find("I32")
    content = (found.text or "").strip() if found is not None else ""
    return int(content) if re.fullmatch(r"-?[0-9]{1,18}", content) else None


def shown(value: ET.Element, hide: Redactor = NOTHING_SECRET) -> str:
    """What PowerShell would print of an object, shortened: its own text, or that of the first thing in it.

    `hide` takes secrets out of it before it is cut.
    """
    found = value if value.tag != "Obj" else value.find("ToString")
    if found is None:
        found = next((each for each in value.iter() if each.text and each.tag not in ("T", "Obj")), None)
    return shortened(hidden(plain(found.text or ""), hide), _TEXT_CHARS) if found is not None else ""


def hidden(text: str, hide: Redactor) -> str:
    """A text of the node's, which may be long, without secrets."""
    return looked_through(len(text), lambda: hide(text))
