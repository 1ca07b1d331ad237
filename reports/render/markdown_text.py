"""Untrusted text in Markdown (GitHub's flavour): it formats nothing, links nowhere and mentions nobody."""

from __future__ import annotations

import re
from collections.abc import Iterable

from checks.common.pages import Link
from reports.text import escape_invisible, link_line, one_line, truncate, web_url

_SPECIAL = re.compile(r"[\\`*\[\]|~$#]|(?<![^\W_])_|_(?![^\W_])|^(?:[-+=]|\d+(?=[.)]))")
_LINKED = re.compile(r"(@|(?<=:)(?=//)|(?<=www)(?=\.))", re.IGNORECASE)
_FIELD_CHARS = 300


def prose(text: str) -> str:
    """Text that reads as itself, on one line, what is invisible in it being spelled out.

    A zero-width blank keeps addresses and mentions from being linked by the renderer.
    """
    text = re.sub(r"\s+", " ", escape_invisible(text))
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = _SPECIAL.sub(_escaped, text)
    return _LINKED.sub("\\1\u200b", text)


def _escaped(match: re.Match[str]) -> str:
    found = match.group()
    return f"{found}\u200b" if found[0].isdigit() else f"\\{found}"


def code(text: str, limit: int = _FIELD_CHARS) -> str:
    """A code span around one line, whatever backticks are in it."""
    line = one_line(text, limit)
    fence = "`" * (_longest_run(line) + 1)
    return f"{fence} {line} {fence}" if "`" in line or not line else f"`{line}`"


def linked(link: Link) -> str:
    """A link by its title; what is no address for a browser is code."""
    url = web_url(link.url)
    if url is None:
        return code(link_line(link))
    if link.title == link.url:
        return f"<{url}>"
    return f"[{prose(one_line(link.title))}]({url.replace('(', '%28').replace(')', '%29')})"


def block(text: str) -> Iterable[str]:
    """The lines of a fenced block inside a list's item."""
    body = truncate(text, 2_000).replace("\t", "    ")
    fence = "`" * max(3, _longest_run(body) + 1)
    yield ""
    for line in (fence, *body.splitlines(), fence):
        yield f"    {line}"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)
