"""Reading a scenario's TOML tables with types checked and misspelt keys named."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from typing import TypeVar

from scanner.errors import UsageError

T = TypeVar("T")

_NAMES = {str: "a string", bool: "true or false", int: "a whole number", float: "a number", list: "an array"}


class ScenarioError(UsageError):
    """A scenario that cannot be played. The message names the place, what is wrong, and what would be right."""

    def __init__(self, place: str, message: str) -> None:
        super().__init__(f"{place}: {message}" if place else message)


def meant(name: str, known: Collection[str]) -> str:
    """A "did you mean" for `name`, or the list of what there is."""
    close = difflib.get_close_matches(name, sorted(known), 1)
    return f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(sorted(known))}"


def known_keys(table: Mapping[str, object], known: Collection[str], place: str) -> None:
    """Raise ScenarioError for the first key that is not in `known`."""
    for key in table:
        if key not in known:
            raise ScenarioError(format_key(place, key), f"unknown key; {meant(key, known)}")


def choice(value: str, known: Collection[str], place: str) -> str:
    """`value` if it is one of `known`, else ScenarioError."""
    if value not in known:
        raise ScenarioError(place, f"{value!r} is not known; {meant(value, known)}")
    return value


def get(table: Mapping[str, object], key: str, default: T, place: str) -> T:
    """The key's value, of the default's type (a whole number is good for a float). Raises ScenarioError."""
    value = table.get(key, default)
    kind = type(default)
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return type(default)(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ScenarioError(format_key(place, key), f"expected {_NAMES[kind]}, not {value!r}")
    return value


def texts(table: Mapping[str, object], key: str, place: str) -> tuple[str, ...]:
    """The key's array of strings, empty where it is missing. Raises ScenarioError."""
    values: list[object] = get(table, key, [], place)
    if not all(isinstance(value, str) for value in values):
        raise ScenarioError(format_key(place, key), "expected an array of strings")
    return tuple(str(value) for value in values)


def subtable(table: Mapping[str, object], key: str, place: str) -> Mapping[str, object]:
    """The key's table, empty where it is missing. Raises ScenarioError."""
    value = table.get(key, {})
    if not isinstance(value, Mapping):
        raise ScenarioError(format_key(place, key), f"expected a table, not {value!r}")
    return value


def subtables(table: Mapping[str, object], key: str, place: str) -> dict[str, Mapping[str, object]]:
    """The key's table of tables. Raises ScenarioError."""
    outer = subtable(table, key, place)
    return {name: subtable(outer, name, format_key(place, key)) for name in outer}


def format_key(place: str, key: str) -> str:
    """The place of `key` below `place`."""
    return f"{place}.{key}" if place else key
