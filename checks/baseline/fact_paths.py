"""Facts taken apart into named values: `windows-version.build`, `disks.drives[C:].total-bytes`.

The names are for ever. The kind of fact and its fields are written in kebab-case, and what stands in a list goes by its
natural key, never by its position, so that the order in which a node says it does not matter.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import types
import typing
from collections.abc import Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cache, lru_cache
from sys import intern
from typing import Any

from checks.common.dataclass import dataclass
from checks.engine.wording import count

Value = str | int | float | bool | tuple[str, ...] | None
"""What a fact's field may be: one value, or a set of lines, sorted."""

MOST_CHARS = 2_000
"""A longer text is kept as its beginning and its SHA-256: only hostile nodes say so much in one field."""
_KEY_CHARS = 300
_MOST_NUMBER = 2**63
_KEYS_BY_HABIT = ("name", "path", "id")
"""What a plugin's rows go by, unless told otherwise."""
_KEY = re.compile(r'\[("(?:[^"\\]|\\.)*"|[^\[\]"]*)\]')
_BREAK = re.compile(r"[.\[]")
_PLAIN_KEY = re.compile(r'[^\[\]"\x00-\x1f\x7f-\x9f]+')


# Each class's shape is made once, and is told from others by what it is, not by what it holds: it is looked up for
# every value of every node.
@dataclass(frozen=True, slots=True, eq=False)
class _Leaf:
    lines: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class _Record:
    fields: tuple[tuple[str, str, _Shape], ...]
    """Attribute, its name in paths, what it holds."""


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    row: _Record


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    of: _Shape


_Shape = _Leaf | _Record | _Rows | _Pairs


@cache
def kind_name(kind: type) -> str:
    """A fact class's name in paths: IisConfiguration is `iis-configuration`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", kind.__name__).lower()


def field_patterns(kind: type) -> tuple[str, ...]:
    """The paths of all the values that a fact of `kind` can hold, with `[]` for any key of a list."""
    return tuple(_patterns(_shape_of_class(kind), kind_name(kind)))


def row_lists(kind: type) -> Mapping[str, tuple[str, ...]]:
    """The lists of records in `kind` by path, each with the names of the fields that can make its key."""
    return dict(_row_lists(_shape_of_class(kind), kind_name(kind)))


@lru_cache(maxsize=8192)
def pattern_of(path: str) -> str:
    """A path with `[]` in place of each key: `disks.drives[].total-bytes`."""
    return _KEY.sub("[]", path)


@lru_cache(maxsize=8192)
def kind_of(path: str) -> str:
    """The kind of fact that a path, or a part of one, begins with."""
    return re.split(r"[.\[]", path, maxsplit=1)[0]


@lru_cache(maxsize=8192)
def record_of(path: str) -> str:
    """What a value belongs to: the entry of a list that it is in, else its kind. An entry belongs to itself."""
    ends = [found.end() for found in _KEY.finditer(path)]
    return path[: ends[-1]] if ends else kind_of(path)


def is_within(path: str, part: str) -> bool:
    """Whether `path` is `part` or lies below it; everything lies below the empty part."""
    return not part or path == part or path.startswith((f"{part}.", f"{part}["))


@lru_cache(maxsize=8192)
def wholes(path: str) -> tuple[str, ...]:
    """All that `path` lies within, from the empty part to itself: few, however many parts are to be looked up."""
    return "", *(path[: found.start()] for found in _BREAK.finditer(path)), path


def flatten(fact: object, keys: Mapping[str, Sequence[str]], listed: Collection[str] = frozenset()) -> dict[str, Value]:
    """The values of one fact by path.

    `keys` says which fields, in paths' spelling, the rows of each list of records go by. A list of pairs whose pattern
    is in `listed` is one set of lines instead of one value per pair. Where a key stands twice, its values are one set.
    """
    found: dict[str, Value] = {}
    twice: dict[str, list[Value]] = {}
    kind: Any = type(fact)
    for path, value in _walk(_shape_of_class(kind), fact, kind_name(kind), keys, listed):
        if path in found:
            twice.setdefault(path, [found[path]]).append(value)
        found[path] = value
    return found | {path: _as_lines(values) for path, values in twice.items()} if twice else found


@cache
def _shape_of_class(kind: Any) -> _Record:
    hints = typing.get_type_hints(kind)
    return _Record(
        tuple((field.name, field.name.replace("_", "-"), _shape(hints[field.name])) for field in _fields(kind))
    )


def _fields(kind: Any) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(kind)


def _shape(hint: Any) -> _Shape:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        left = [item for item in arguments if item is not type(None)]
        return _shape(left[0]) if len(left) == 1 else _Leaf()
    if _is_record(hint):
        return _shape_of_class(hint)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _Pairs(_shape(arguments[1]))
    if isinstance(origin, type) and issubclass(origin, Sequence | AbstractSet):
        item = arguments[0]
        inner = _shape(item)
        if isinstance(inner, _Record):
            return _Rows(inner)
        parts = typing.get_args(item)
        if typing.get_origin(item) is tuple and len(parts) == 2 and parts[1] is not Ellipsis:
            return _Pairs(_shape(parts[1]))
        return _Leaf(lines=True)
    return _Leaf()


def _is_record(hint: Any) -> bool:
    return isinstance(hint, type) and dataclasses.is_dataclass(hint)


def _patterns(shape: _Shape, path: str) -> Iterator[str]:
    match shape:
        case _Leaf():
            yield path
        case _Record(fields):
            for _, name, inner in fields:
                yield from _patterns(inner, f"{path}.{name}")
        case _Rows(row):
            yield from _patterns(row, f"{path}[]")
        case _Pairs(of):
            yield from _patterns(of, f"{path}[]")


def _row_lists(shape: _Shape, path: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    match shape:
        case _Record(fields):
            for _, name, inner in fields:
                yield from _row_lists(inner, f"{path}.{name}")
        case _Rows(row):
            yield path, tuple(name for _, name, _ in row.fields)
            yield from _row_lists(row, f"{path}[]")
        case _Pairs(of):
            yield from _row_lists(of, f"{path}[]")
        case _Leaf():
            pass


def _walk(
    shape: _Shape, value: Any, path: str, keys: Mapping[str, Sequence[str]], listed: Collection[str]
) -> Iterator[tuple[str, Value]]:
    match shape:
        case _Leaf(lines):
            yield path, _as_lines(value) if lines and value is not None else _scalar(value)
        case _Record():
            for attribute, place, inner in _places(shape, path):
                part = None if value is None else getattr(value, attribute)
                if type(inner) is _Leaf and not inner.lines:  # as most are
                    yield place, _scalar(part)
                else:
                    yield from _walk(inner, part, place, keys, listed)
        case _Rows(row):
            by = keys.get(f"{pattern_of(path)}[]") or _habitual(row)
            makes_key, rest = _split(row, tuple(by))
            for item in value or ():
                key = " / ".join([_text(getattr(item, attribute)) for attribute in makes_key])
                yield from _walk(rest, item, f"{path}[{_spelled(key)}]", keys, listed)
        case _Pairs(of):
            pairs = list(value.items() if isinstance(value, Mapping) else value or ())
            if pattern_of(path) in listed:
                yield path, None if value is None else _as_lines([f"{name} {_text(item)}" for name, item in pairs])
                return
            for name, item in pairs:
                yield from _walk(of, item, f"{path}[{_spelled(_text(name))}]", keys, listed)


@lru_cache(maxsize=8192)
def _places(record: _Record, path: str) -> tuple[tuple[str, str, _Shape], ...]:
    """The fields of a record at `path`, the same few hundred for every node: attribute, path, what it holds."""
    return tuple((attribute, intern(f"{path}.{name}"), inner) for attribute, name, inner in record.fields)


@cache
def _split(row: _Record, by: tuple[str, ...]) -> tuple[tuple[str, ...], _Record]:
    """The attributes that make a row's key, in the order of `by`, and the row without them."""
    attributes = {name: attribute for attribute, name, _ in row.fields}
    rest = tuple(field for field in row.fields if field[1] not in by)
    return tuple(attributes[name] for name in by), _Record(rest)


@cache
def _habitual(row: _Record) -> tuple[str, ...]:
    names = [name for _, name, _ in row.fields]
    return (next((name for name in _KEYS_BY_HABIT if name in names), names[0]),)


@lru_cache(maxsize=8192)
def _spelled(key: str) -> str:
    """A key that cannot be taken for the end of itself."""
    short = _shortened(key, _KEY_CHARS)
    return short if _PLAIN_KEY.fullmatch(short) else json.dumps(short)


def _scalar(value: object) -> Value:
    if type(value) is str and len(value) <= MOST_CHARS and value.isascii():  # as nearly all texts are
        return value
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < _MOST_NUMBER else str(hex(value))
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else str(value)  # noqa: PLR0124  that is what a NaN is
    return _shortened(_text(value), MOST_CHARS)


def _as_lines(values: Any) -> tuple[str, ...]:
    return tuple(sorted({_shortened(_text(value), MOST_CHARS) for value in values}))


def _text(value: object) -> str:
    """`value` as text that can be written as UTF-8."""
    text = shown(value) if value is None or isinstance(value, bool | tuple) else str(value)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _shortened(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    digest = hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()
    return f"{text[:100]}... ({count(len(text), 'character')}, SHA-256 {digest})"


def shown(value: object) -> str:
    """A value in words: `yes`, `none`; lines joined by "; "."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return "; ".join(shown(item) for item in value)
    return str(value)
