"""One value of an inventory against its key; every problem is noted with its place, and reading goes on."""

from __future__ import annotations

import difflib
import ipaddress
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime

from scanner.errors import Problem
from scanner.inventory.settings.setting import HOST, NAMES, NAMES_EXPECTED, Setting
from scanner.secrets.discretion import NOT_SHOWN, may_be_secret

KeyPath = tuple[str, ...]


class UnquotedPart(str):
    """A part of a place that needs no quotes whatever is in it, such as `waivers[2]`."""

    __slots__ = ()


_BARE = re.compile(r"[A-Za-z0-9_-]+")
_LITERAL_SECRETS = ("password", "passphrase", "passwd", "pass", "pwd", "secret", "token", "sql_password")
_SHOWN = 60
_LARGE = 10**6
_PLAIN_WORD = re.compile(r"[a-z]{1,8}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_EXPECTED = {
    "text": "a string in quotes",
    "path": "a path in quotes",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "texts": 'a list of strings such as ["web"]',
    "date": "a date such as 2026-12-31",
    "scalar": "a string in quotes, or a whole number",
}


class Problems:
    """What is wrong so far, in the order found. The same problem at the same place is told once."""

    def __init__(self, sections: Mapping[str, tuple[Setting, ...]] | None = None) -> None:
        """`sections` are the tables of an inventory by where they stand: what is no key here may be one there."""
        self._found: dict[Problem, KeyPath] = {}
        self.sections = sections or {}

    def add(self, place: KeyPath, message: str) -> None:
        """Note `message` about the key at `place`."""
        self._found.setdefault(Problem(format_key(place), message), place)

    @property
    def found(self) -> tuple[Problem, ...]:
        """Everything noted."""
        return tuple(self._found)

    def located(self, where: Callable[[KeyPath], tuple[int, int] | None]) -> tuple[Problem, ...]:
        """Everything noted, each with the line and column that `where` gives for its place."""
        return tuple(
            replace(problem, line=at[0], column=at[1]) if (at := where(place)) else problem
            for problem, place in self._found.items()
        )


def format_key(place: KeyPath) -> str:
    """`place` as TOML would write it; names that need quotes have them."""
    bare = (isinstance(part, UnquotedPart) or _BARE.fullmatch(part) for part in place)
    return ".".join(part if plain else _quoted(part) for part, plain in zip(place, bare, strict=True))


def _quoted(text: str) -> str:
    shown = "".join(
        c if c.isprintable() else f"\\u{ord(c):04x}" for c in text.replace("\\", "\\\\").replace('"', '\\"')
    )
    return f'"{shown}"'


def shown(text: str) -> str:
    """`text` in quotes, on one line, cut where it is long; not where it may be a secret."""
    return NOT_SHOWN if may_be_secret(text) else _quoted(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


def type_of(value: object) -> str:
    """What a TOML value is, in words."""
    if isinstance(value, bool):
        return str(value).lower()
    names: dict[type, str] = {str: "a string", int: "a number", float: "a number", list: "a list", dict: "a table"}
    return names.get(type(value), "a date or time")


def read_table(value: object, place: KeyPath, problems: Problems) -> dict[str, object] | None:
    """`value` where it is a table."""
    if isinstance(value, dict):
        return value
    problems.add(place, f"expected a table, [{format_key(place)}], found {type_of(value)}")
    return None


def read_name(name: str, place: KeyPath, problems: Problems) -> None:
    """Note a name of a cluster or node that could not stand in every report and file name."""
    if not re.fullmatch(NAMES, name):
        problems.add(place, f"this name cannot be used; expected {NAMES_EXPECTED}")


def read_value(key: Setting, value: object, place: KeyPath, problems: Problems) -> object:
    """`value` where `key` takes it, texts without blanks around them; else None, and the problem is noted."""
    if key.several and isinstance(value, str):
        value = [value]
    trouble = _mistyped(key, value) or _out_of_bounds(key, value)
    if trouble:
        problems.add(place, trouble)
        return None
    if key.kind == "number" and isinstance(value, int | float):
        return float(value)
    if key.kind == "scalar":
        return str(value).strip()
    if key.chain and isinstance(value, list):
        return ",".join(text.strip() for text in value)
    return value.strip() if isinstance(value, str) and key.kind == "text" and not key.secret else value


def _mistyped(key: Setting, value: object) -> str:
    fits = {
        "text": isinstance(value, str) or (key.chain and _is_texts(value)),
        "path": isinstance(value, str),
        "integer": isinstance(value, int) and not isinstance(value, bool),
        "number": isinstance(value, int | float) and not isinstance(value, bool),
        "boolean": isinstance(value, bool),
        "texts": isinstance(value, list) and all(isinstance(item, str) for item in value),
        "date": isinstance(value, date) and not isinstance(value, datetime),
        "scalar": isinstance(value, str | int) and not isinstance(value, bool),
    }[key.kind]
    if fits:
        return ""
    advice = ""
    if key.kind == "texts" and isinstance(value, str) and not _CONTROL.search(value):
        advice = f"; write [{shown(value)}]"
    elif key.kind in ("text", "path") and isinstance(value, int | float):
        advice = "; put it in quotes"
    elif key.kind == "date" and isinstance(value, datetime):
        advice = "; leave the time out"
    elif isinstance(value, str) and re.fullmatch(r"\s*([0-9.]+|true|false|\d{4}-\d{2}-\d{2})\s*", value):
        advice = "; write it without quotes"
    if key.chain and isinstance(value, list):
        return f"expected {_EXPECTED['text']} or a list of such, found {'a list' if value else 'an empty list'}"
    found = "a list that holds something else" if key.kind == "texts" and isinstance(value, list) else type_of(value)
    return f"expected {_EXPECTED[key.kind]}, found {found}{advice}"


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, str) for item in value)


def _out_of_bounds(key: Setting, value: object) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _out_of_range(key, value)
    for text in [value] if isinstance(value, str) else value if isinstance(value, list) else []:
        trouble = _unusable_text(key, text, in_a_list=isinstance(value, list))
        if trouble:
            return trouble
    return ""


def _out_of_range(key: Setting, value: float) -> str:
    low = -math.inf if key.least is None else key.least
    high = math.inf if key.most is None else key.most
    if low <= value <= high:  # False for nan.
        return ""
    found = f"{value:g}" if abs(value) < _LARGE else "this number"
    return f"{found} is out of range; expected {low:g} to {high:g}"


def _unusable_text(key: Setting, text: str, *, in_a_list: bool = False) -> str:
    if not text.strip():
        return (
            "" if key.may_be_empty and not text and not in_a_list else "is empty; give it a value or leave the key out"
        )
    if _CONTROL.search(text):
        return (
            "holds a control character. In double quotes TOML reads \\n, \\t, \\b, \\f and \\r as such: "
            "put a text with backslashes in single quotes, like 'CORP\\name'"
        )
    if key.choices and text not in key.choices:
        advice = did_you_mean(text, key.choices)
        told = shown(text) if advice or _PLAIN_WORD.fullmatch(text) else NOT_SHOWN
        return f"{told} is none of {', '.join(key.choices)}{advice}"
    if key.pattern and not re.fullmatch(key.pattern, text):
        # A value that does not look like the name of a variable may well be the secret itself.
        found = NOT_SHOWN if key.secret else shown(text)
        return f"expected {key.expects}, found {found}{_host_advice(text) if key.pattern == HOST else ''}"
    return _no_address(text) if key.pattern == HOST else ""


def _host_advice(text: str) -> str:
    if "://" in text:
        return "; scheme, port and path are keys of their own"
    if re.fullmatch(r"[^:]+:[0-9]+", text):
        return "; put the port in `port`"
    if text.startswith("["):
        return "; write an IPv6 address without brackets, and the port in `port`"
    return ""


def _no_address(text: str) -> str:
    if ":" in text or re.fullmatch(r"[0-9.]+", text):
        try:
            ipaddress.ip_address(text)
        except ValueError:
            return f"{shown(text)} is no IP address"
    return ""


_LEAST_TYPED = 3
"""Characters of a beginning that says what was meant."""
_MOST_MEANT = 4
"""Names that are worth asking about."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean "roles"?` where something known is close, or begins so or has it in it; else nothing."""
    meant = " or ".join(f'"{word}"' for word in meant_by(name, known))
    return f"; did you mean {meant}?" if meant else ""


def meant_by(name: str, known: Iterable[str]) -> list[str]:
    """Those of the known names that begin with what was typed, else the one that is close to it, else have it in them.

    None where that would be a guess.
    """
    text, names = name.lower(), list(known)
    long = len(text) >= _LEAST_TYPED
    begun = [word for word in names if long and word.lower().startswith(text)]
    close = begun or difflib.get_close_matches(text, names, n=1, cutoff=0.6)
    found = close or [word for word in names if long and text in word.lower()]
    return found if len(found) <= _MOST_MEANT else []


def unknown_key(name: str, place: KeyPath, known: Iterable[str], problems: Problems, *, advice: str = "") -> None:
    """Note that `name` at `place` is no key there, with what may have been meant."""
    if name.lower() in _LITERAL_SECRETS:
        kind = name.lower() if name.lower() in ("passphrase", "sql_password") else "password"
        problems.add(
            place,
            f"secrets are never written in an inventory; take it out, and set {kind}_env (name of an environment "
            f"variable), {kind}_file (a file with mode 600) or {kind}_command (a command that prints it)",
        )
        return
    names = sorted(known)
    # The lists have keys such as `cluster` and `node`, which elsewhere are slips for other words.
    tables = [(where, table) for where, table in problems.sections.items() if not where.startswith("[[")]
    stands = [where for where, table in tables if any(key.name == name for key in table)]
    belongs = f"; it belongs in {' or '.join(stands)}" if stands else ""
    if may_be_secret(name):
        advice = ""
    hint = advice or belongs or did_you_mean(name, names) or f"; known here: {', '.join(names)}"
    hidden = not advice and may_be_secret(name)
    problems.add(
        (*place[:-1], UnquotedPart("(a name that may be a secret)")) if hidden else place, f"unknown key{hint}"
    )


def _quotes_advice(place: KeyPath, name: str, value: object) -> str:
    """For a table where none can be: [clusters.a.nodes.web1.corp.example] is three tables, and means to be one name."""
    parts = [place[-1], name]
    while isinstance(value, dict) and len(value) == 1 and isinstance(inner := next(iter(value.values())), dict):
        parts.append(next(iter(value)))
        value = inner
    if not isinstance(value, dict) or len(place) < len(("clusters", "NAME")):
        return ""
    return f"; a name with dots needs quotes: [{format_key((*place[:-1], '.'.join(parts)))}]"


def read_keys(
    table: Mapping[str, object], known: Mapping[str, Setting], place: KeyPath, problems: Problems
) -> dict[str, object]:
    """The usable values of a table by key. Unknown keys, and values that do not fit, are noted and left out."""
    values: dict[str, object] = {}
    for name, value in table.items():
        if name not in known:
            unknown_key(name, (*place, name), known, problems, advice=_quotes_advice(place, name, value))
            continue
        read = read_value(known[name], value, (*place, name), problems)
        if read is not None:
            values[name] = read
    sources = [name for name in values if known[name].secret]
    for secret in dict.fromkeys(known[name].secret for name in sources):
        several = [name for name in sources if known[name].secret == secret]
        if len(several) > 1:
            problems.add(place, f"{' and '.join(several)} are both set; keep one")
    return values
