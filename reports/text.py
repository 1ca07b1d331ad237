"""The one place that makes untrusted text fit to print: the invisible becomes visible, the long is cut."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import urlsplit

from checks.common.pages import Link
from checks.engine import wording

MESSAGE_CHARS = 1_000
"""The longest message in any report."""

_SHORT_CHARS = 100
_BLANKS_A_CHARACTER = 16
"""So much white space for each character that is shown is looked through."""

# What moves a cursor, reorders or hides text, or cannot be written as XML 1.0 or UTF-8. Tab and newline stay.
_INVISIBLE = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 without tab and newline, DEL, C1
    "\u00ad\u061c\u180e"  # soft hyphen, Arabic letter mark, Mongolian vowel separator
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # zero width, separators, directions
    "\ud800-\udfff"  # lone surrogates: a str has no others
    "\ufdd0-\ufdef\ufffe\uffff"  # noncharacters
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f"  # shorthand and musical controls, tags
    + "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0x10000, 0x110000, 0x10000))
    + "]"
)


count = wording.count


def escape_invisible(text: str) -> str:
    r"""The text with each control, direction mark, lone surrogate and noncharacter spelled out (`\x1b`, `\u202e`).

    Newlines and tabs stay; CR LF becomes a newline. What is returned can be encoded as UTF-8 and written into XML 1.0,
    and sends nothing to a terminal but text.
    """
    if text.isascii() and (text.isprintable() or text.replace("\n", "").isprintable()):
        return text
    return _INVISIBLE.sub(_spelled, text.replace("\r\n", "\n"))


def has_invisible(text: str) -> bool:
    """Whether `escape_invisible` would change more than line ends."""
    return _INVISIBLE.search(text) is not None


def escape_json(document: str) -> str:
    r"""A JSON document with the same characters as JSON escapes: it reads back to the same values."""
    if document.isascii() and "\x7f" not in document:  # JSON itself escapes the other control characters
        return document
    return _INVISIBLE.sub(_json_escape, document)


def one_line(text: str, limit: int = MESSAGE_CHARS) -> str:
    """The visible text on one line, runs of white space as one blank, at most `limit` characters."""
    return _short_line(text, limit) if len(text) <= _SHORT_CHARS else _line(text, limit)


def _line(text: str, limit: int) -> str:
    if len(text) <= limit and text.isascii() and text.isprintable() and "  " not in text and text == text.strip():
        return text
    head, rest = _head(text, limit)
    return _cut(" ".join(escape_invisible(head).split()), limit, rest)


_short_line = lru_cache(maxsize=8_192)(_line)
"""Names, titles and words come back with every result."""


def truncate(text: str, limit: int = 4_000) -> str:
    """The visible text with its lines, at most `limit` characters, without blank edges."""
    head, rest = _head(text, limit)
    return _cut(escape_invisible(head).strip("\n").rstrip(), limit, rest)


def web_url(url: str) -> str | None:
    """The URL where it is a plain http or https one, and fit to become a link; else None."""
    if has_invisible(url) or any(char.isspace() or char in "\"'<>\\`" for char in url):
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return url if parts.scheme in ("http", "https") and parts.netloc else None


def link_line(link: Link) -> str:
    """A page by title and address, or by its address alone."""
    return link.url if link.title == link.url else f"{link.title}: {link.url}"


def _head(text: str, limit: int) -> tuple[str, int]:
    """As much of a text as could matter, and how much is left: a node may have sent megabytes to be spelled out."""
    most = limit * _BLANKS_A_CHARACTER
    return text[:most], max(0, len(text) - most)


def _cut(text: str, limit: int, rest: int) -> str:
    if len(text) <= limit and not rest:
        return text
    note = f"... ({max(1, len(text) + rest - limit):,}+ more characters)"
    return text[: max(0, limit - len(note))] + note if limit > len(note) else text[:limit]


def _spelled(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _json_escape(match: re.Match[str]) -> str:
    units = match.group().encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
