"""What a key of an inventory is, and the patterns that its values match."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "path", "integer", "number", "boolean", "texts", "date"]

NAMES = (
    r"(?!\.{1,2}$)[^\s/\\\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]"
    r"([^\t-\r/\\\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]{0,98}"
    r"[^\s/\\\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff])?"
)
"""Names of clusters and nodes, in full. All patterns here mean the same to Python and to ECMA-262 (JSON Schema)."""
NAMES_EXPECTED = "1 to 100 characters without slashes, control characters, or blanks at either end"
TEXT = r"[^\u0000-\u001f\u007f]+"
HOST = (
    r"[A-Za-z0-9_\u00a1-\u1fff\u3040-\ud7ff][A-Za-z0-9_.\u00a1-\u1fff\u3040-\ud7ff-]{0,252}"
    r"|[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(%[A-Za-z0-9_.-]+)?"
)
"""A name (international ones too), an IPv4 or an IPv6 address; nothing that a program could take for an option."""
ENV_NAME = r"[A-Za-z_][A-Za-z0-9_]*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key."""

    name: str
    kind: Kind
    doc: str
    """One line, for people."""
    default: object = None
    """What holds where the key is left out; None: nothing, or what `otherwise` says."""
    otherwise: str = ""
    """What happens where the key is left out, in words, where the default is no plain value."""
    example: object = None
    """A value for the template, where there is no default to show."""
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    pattern: str = ""
    """What a text must match in full."""
    expects: str = ""
    """What `pattern` wants, in words that go on after "expected"."""
    chain: bool = False
    """True where a text may be a list of texts, too, which is read as one with commas between."""
    may_be_empty: bool = False
    """True where "" stands for "none", whatever the cluster or the defaults say."""
    required: bool = False
    products: tuple[str, ...] = ()
    """The products whose clusters and nodes may have it. Empty: all."""
    roles: tuple[str, ...] = ()
    """The roles that a node must have one of. Empty: any."""
    platforms: tuple[str, ...] = ()
    """The platforms that have a use for it. Empty: all."""
    field: str = ""
    """The model's name for it, where that is another."""
    secret: str = ""
    """password or passphrase, for the keys that say where one comes from. Their values are never shown."""

    @property
    def model_field(self) -> str:
        """The attribute of the model that the key ends up in."""
        return self.secret or self.field or self.name


def by_name(*tables: tuple[Key, ...]) -> dict[str, Key]:
    """The keys of `tables` by name; the first one wins."""
    found: dict[str, Key] = {}
    for table in tables:
        for key in table:
            found.setdefault(key.name, key)
    return found
