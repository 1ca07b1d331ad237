"""Foreign errors in our words: what the innermost of those that they wrap says, on one line."""

from __future__ import annotations

import ssl

from scanner.errors import chain


def brief(text: str, size: int = 200) -> str:
    """`text` on one line of at most `size` characters, all of them printable."""
    line = " ".join(text.split())
    # Peers that speak something else are quoted with every kind of byte.
    line = "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in line)
    return line if len(line) <= size else line[: size - 1] + "…"


def printable(text: str) -> str:
    """`text` with a question mark for each character that cannot be printed: nearly none has any."""
    return text if text.isprintable() else "".join(each if each.isprintable() else "?" for each in text)


def innermost(error: BaseException) -> str:
    """What the innermost error says, shortened; its type's name where it says nothing."""
    inner = list(chain(error))[-1]
    text = getattr(inner, "reason", None) if isinstance(inner, ssl.SSLError) else None
    return brief(f"{text or inner or error}") or type(inner).__name__
