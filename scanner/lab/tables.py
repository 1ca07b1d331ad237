"""Reading a scenario's TOML tables as classes declare them, with every mistake told by its place."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from typing import Annotated, TypeVar, cast

from reports.codec.reading import MalformedError, Mistake, read
from reports.codec.shape import About
from scanner.errors import UsageError

T = TypeVar("T")

CLOSED = About(closed=True)
"""Of a table: a key that the class does not have is a mistake."""
_WANTED = {
    "text": "a string",
    "whole number": "a whole number",
    "number": "a number",
    "list": "an array",
    "list of texts": "an array of strings",
    "object": "a table",
}
"""What the codec names, as TOML does."""


class ScenarioError(UsageError):
    """A scenario that cannot be played. The message names the place, what is wrong, and what would be right."""

    def __init__(self, place: str, message: str) -> None:
        super().__init__(f"{place}: {message}" if place else message)


def read_table(kind: type[T], table: Mapping[str, object], place: str) -> T:
    """The table at `place` as `kind` declares it: its fields are the keys, and no other may stand there.

    Raises ScenarioError.
    """
    try:
        return cast("T", read(Annotated[kind, CLOSED], table))
    except MalformedError as error:
        if error.mistake is None:
            raise
        raise ScenarioError(format_key(place, error.mistake.place), _told(error.mistake)) from None


def _told(mistake: Mistake) -> str:
    value, known = mistake.value, mistake.known
    if not mistake.wanted:
        return f"unknown key; {meant(mistake.key, [str(key) for key in known])}" if known else mistake.what
    if not known:
        return f"expected {_WANTED.get(mistake.wanted, mistake.wanted)}, not {value!r}"
    if isinstance(value, str):
        return f"{value!r} is not known; {meant(value, [str(word) for word in known])}"
    return f"{value!r} is none of {', '.join(map(str, known))}"


def meant(name: str, known: Collection[str]) -> str:
    """A "did you mean" for `name`, or the list of what there is."""
    close = difflib.get_close_matches(name, sorted(known), 1)
    return f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(sorted(known))}"


def choice(value: str, known: Collection[str], place: str) -> str:
    """`value` if it is one of `known`, else ScenarioError."""
    if value not in known:
        raise ScenarioError(place, f"{value!r} is not known; {meant(value, known)}")
    return value


def format_key(place: str, key: str) -> str:
    """The place of `key` below `place`."""
    return f"{place}.{key}" if place and key else place or key
