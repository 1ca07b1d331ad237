"""What of a refused value may be shown: who mixes up two keys writes a password where a name belongs."""

from __future__ import annotations

import re

NOT_SHOWN = "what is written there (not shown: it may be a secret)"

_WORDS = re.compile(r"[\s./\\:,;@_()\[\]-]+")
_TELLTALE = re.compile(
    r"-----BEGIN|PRIVATE KEY|[^\s/:@]+:[^\s/@]+@|://[^\s/]*@|(?:pass\w*|pwd|secret|token|api_?key)\s*[=:]",
    re.IGNORECASE,
)
_ODD = re.compile(r"[!#^&+|\"'`]")
"""What no name, path, version or address has in it, and many a password."""
_LEAST = 6
_KINDS = (r"[a-z]", r"[A-Z]", r"[0-9]")
_VARIABLE = re.compile(r"[A-Z]+|[A-Za-z]\w*_\w*")
"""What variables are called: in capitals, or of several words."""


def may_be_secret(text: str) -> bool:
    """Whether a text looks like a password, a key, or a login with one, rather than like a name that is wrong."""
    return bool(_TELLTALE.search(text)) or any(_is_odd(word) for word in _WORDS.split(text) if len(word) >= _LEAST)


def _is_odd(word: str) -> bool:
    kinds = sum(bool(re.search(kind, word)) for kind in _KINDS)
    return kinds == len(_KINDS) or (kinds > 0 and bool(_ODD.search(word)))


def may_be_secret_file(written: str) -> bool:
    """The same of what should be a file that holds a secret: a bare word, without a folder or a suffix, may be it."""
    return may_be_secret(written) or (len(written) >= _LEAST and not re.search(r"[./\\~]", written))


def may_be_secret_variable(written: str) -> bool:
    """The same of what should be the name of a variable, and could be one."""
    return not _VARIABLE.fullmatch(written)
