"""How a secret may be spelled in a text, and texts with every spelling undone.

Programs wrap lines, quote for a shell, escape for JSON, XML or a URL, and encode in Base64. What all of them make of a
secret is not listed: `squeezed` takes blanks out and `plain` undoes escapes and quotes, of the text and of the secret
alike, so that two spellings of one secret become the same bytes.
"""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
import urllib.parse
from array import array
from collections.abc import Iterable

from checks.common.dataclass import dataclass

BLANKS = b" \t\r\n\v\f\0"
"""Told for nothing: a wrapped line is one with more of them, and UTF-16 of ASCII one with NULs."""
_QUOTES = b"'\"\\`^"
"""What shells, cmd.exe, PowerShell, JSON and Python's repr put before, around or instead of a character."""
_ROUNDS = 3
"""How often spellings may be nested: an entity in JSON in a URL."""
_CONTROLS = b"nrtbfav0"
# Each alternative begins at a character of its own and runs over others, so that one pass is linear in any text; and
# with that very character, so that what holds none of them is skipped five times as fast.
_ESCAPE = re.compile(
    rb"%(?:25)*(?P<percent>[0-9A-Fa-f]{2})"
    rb"|\\(?<!\\\\)\\*+(?:u(?P<high>[dD][89abAB][0-9A-Fa-f]{2})\\++u(?P<low>[dD][c-fC-F][0-9A-Fa-f]{2})"
    rb"|x(?P<byte>[0-9A-Fa-f]{2})|u(?P<u4>[0-9A-Fa-f]{4})|U(?P<u8>[0-9A-Fa-f]{8})|u\{(?P<ux>[0-9A-Fa-f]{1,6})\}"
    rb"|(?P<octal>[0-3][0-7]{2})|(?P<control>[" + _CONTROLS + rb"]))"
    rb"|&(?:amp;)*(?:\#(?P<decimal>[0-9]{1,7});|\#[xX](?P<hex>[0-9A-Fa-f]{1,6});|(?P<name>amp|lt|gt|quot|apos|nbsp);)"
    rb"|_x(?P<clixml>[0-9A-Fa-f]{4})_"
    rb"|\x1b\[[0-9;?]{0,16}[A-Za-z]"  # a terminal's colours
    rb"|\xef\xbf\xbd|\xef\xbb\xbf|\xc2[\xa0\xad]|\xe2\x80[\x8b-\x8f\xa8-\xae]"  # U+FFFD, BOM, and blanks beyond ASCII
)
_SIGNS = re.compile(rb"[%\\&_\x1b\xc2\xe2\xef]")
_BLANK_RUN = re.compile(rb"[ \t\r\n\v\f\0]+")
_QUOTE_RUN = re.compile(rb"['\"\\`^ \t\r\n\v\f\0]+")
_NAMED = {b"amp": b"&", b"lt": b"<", b"gt": b">", b"quot": b'"', b"apos": b"'", b"nbsp": b""}
_OLD_CODINGS = ("latin-1", "cp1252", "cp850", "cp437")
"""Besides UTF-8 and UTF-16: what Windows' consoles and old files are in."""


def squeezed(data: bytes) -> bytes:
    """Without blanks."""
    return data.translate(None, BLANKS)


def plain(tight: bytes) -> bytes:
    """What was squeezed, with escapes undone and without quotes."""
    for _ in range(_ROUNDS):
        if not _SIGNS.search(tight):
            break
        before, tight = tight, squeezed(_ESCAPE.sub(_meant, tight))
        if tight == before:
            break
    return tight.translate(None, _QUOTES + BLANKS)


def _meant(found: re.Match[bytes]) -> bytes:
    kind, text = found.lastgroup, found[found.lastgroup] if found.lastgroup else b""
    if kind in ("percent", "byte", "octal"):
        return bytes([int(text, 8 if kind == "octal" else 16)])
    if kind == "low":
        return bytes.fromhex((found["high"] + text).decode()).decode("utf-16-be").encode()
    if kind in ("u4", "u8", "ux", "hex", "clixml", "decimal"):
        number = int(text, 10 if kind == "decimal" else 16)
        return chr(number).encode("utf-8", "surrogatepass") if number <= 0x10FFFF else b""
    return _NAMED.get(text, b"")


@dataclass(frozen=True, slots=True)
class Traced:
    """Changed bytes, each with where it came from."""

    data: bytes
    starts: array[int]
    ends: array[int]

    @classmethod
    def of(cls, data: bytes) -> Traced:
        """Bytes as they are."""
        size = len(data)
        return cls(data, array("q", range(size)), array("q", range(1, size + 1)))

    def span(self, begin: int, end: int) -> tuple[int, int]:
        """Where `data[begin:end]` came from."""
        return self.starts[begin], self.ends[end - 1]

    def squeezed(self) -> Traced:
        """The same as the function does, traced."""
        return self.replaced(_BLANK_RUN)

    def plain(self) -> Traced:
        """The same as the function does, traced."""
        now = self
        for _ in range(_ROUNDS):
            before, now = now, now.replaced(_ESCAPE).squeezed()
            if now.data == before.data:
                break
        return now.replaced(_QUOTE_RUN)

    def replaced(self, pattern: re.Pattern[bytes]) -> Traced:
        """With escapes as what they mean; what any other pattern finds is taken out."""
        out, starts, ends, at = bytearray(), array("q"), array("q"), 0
        for found in pattern.finditer(self.data):
            begin, end = found.span()
            out += self.data[at:begin]
            starts += self.starts[at:begin]
            ends += self.ends[at:begin]
            if pattern is _ESCAPE and (meant := _meant(found)):
                first, last = self.span(begin, end)
                out += meant
                starts.extend([first] * len(meant))
                ends.extend([last] * len(meant))
            at = end
        out += self.data[at:]
        starts += self.starts[at:]
        ends += self.ends[at:]
        return Traced(bytes(out), starts, ends)


def raw_spellings(secret: str) -> set[bytes]:
    """What to look for in squeezed text: the secret as it is, and as usual quoting writes it."""
    texts = {
        secret,
        json.dumps(secret)[1:-1],
        repr(secret)[1:-1],
        ascii(secret)[1:-1],
        html.escape(secret),
        html.escape(secret, quote=False),
        shlex.quote(secret),
        secret.replace("'", "'\\''"),
        secret.replace("'", "''"),
        urllib.parse.quote(secret, safe="", errors="replace"),
        urllib.parse.quote_plus(secret, errors="replace"),
    }
    return {squeezed(each) for text in texts for each in _encoded(text)}


def hexadecimal(secret: str) -> set[str]:
    """The secret in hexadecimal digits, as UTF-8 and as UTF-16."""
    data = (secret.encode("utf-8", "replace"), secret.encode("utf-16-le", "replace"))
    digits = {text for each in data for text in (each.hex(), each.hex(":"), each.hex("-"))}
    return digits | {text.upper() for text in digits}


def plain_spellings(secret: str) -> set[bytes]:
    """What to look for in `plain` text: the secret in each coding, with blanks as pluses, and with what was lost."""
    variants = {secret, "+".join(secret.split(" ")), "".join(c for c in secret if c.isascii()), *hexadecimal(secret)}
    return {plain(squeezed(each)) for text in variants for each in _encoded(text)}


def base64_spellings(data: bytes) -> set[bytes]:
    """`data` in Base64, in both alphabets: as a whole, and in the middle of anything, what depends on it alone."""
    found = {base64.b64encode(data)}
    for shift, lead in enumerate((0, 2, 3)):
        code = base64.b64encode(b"\0" * shift + data)[lead : (shift + len(data)) * 8 // 6]
        found |= {code, code.translate(bytes.maketrans(b"+/", b"-_"))}
    return found


def codings(secret: str) -> Iterable[bytes]:
    """The secret as Base64 is made of it: in UTF-8, in UTF-16 as PowerShell and SQL Server have it, in Latin-1."""
    return {secret.encode(coding, "replace") for coding in ("utf-8", "utf-16-le", "latin-1")}


def _encoded(text: str) -> set[bytes]:
    """In each coding that can hold it, in UTF-8 that was read as something else, and with one "?" for each lost."""
    found = {text.encode("utf-8", "replace"), text.encode("ascii", "replace")}
    found |= {text.encode(coding, "replace").replace(b"\0", b"") for coding in ("utf-16-le", "utf-16-be")}
    for coding in _OLD_CODINGS:
        try:
            found.add(text.encode(coding))
        except UnicodeEncodeError:
            continue
    if not text.isascii():
        # As repr and "backslashreplace" mix them: a byte for what is below U+0100.
        found.add(b"".join(bytes([ord(c)]) if ord(c) < 256 else c.encode("utf-8", "replace") for c in text))
        for coding in _OLD_CODINGS:
            found.add(text.encode("utf-8", "replace").decode(coding, "replace").encode())
    return found
