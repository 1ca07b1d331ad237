"""Frozen dataclasses as JSON values and back, with the place of every mistake, and the JSON Schema of both ways.

A class is what its document looks like: its fields are the keys, in their order, and their types what may stand there.
A field with a default may be left out, and is, where it holds it. Keys that are unknown are passed over when a document
is read, and by the schema: the format may gain some under its number.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, MISSING, Field, dataclass, fields
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

_MOST = 2**63
"""No whole number is greater."""
_NAME_CHARS = 60


class MalformedError(Exception):
    """The values do not have the shape of the document. The message is one line and begins with the place."""


class _Mistake(Exception):  # noqa: N818  what is wrong somewhere below, on its way up to where its place is known
    """What is wrong, and the steps to it from the place that it has come up to: to tell them of all that is right
    would take a third of the time of reading it.
    """

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what
        self.steps: list[str | int] = []

    def told(self) -> str:
        """The place, and what is wrong there."""
        place = ""
        for step in reversed(self.steps):
            place = f"{place}[{step}]" if isinstance(step, int) else _at(place, step)
        return f"{place} {self.what}"


def _same(value: object) -> object:
    return value


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """How one kind of value stands in JSON, as `Annotated[type, Form(...)]`."""

    what: str
    """What it is, for "... is no WHAT"."""
    read: Callable[[Any], Any]
    """From a JSON value. Raises ValueError for one that is none of the kind."""
    schema: Mapping[str, Any]
    _: KW_ONLY
    name: str = ""
    """Where the schema is to define it once, and refer to it."""
    write: Callable[[Any], Any] = _same


@dataclass(frozen=True, slots=True)
class About:
    """What the schema says of a field beside its type, as `Annotated[type, About(...)]`."""

    description: str = ""
    pattern: str = ""
    const: str = ""


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise ValueError


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError


def whole(value: object) -> int:
    """A whole number of a bounded size. Raises ValueError."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _MOST:
        return value
    raise ValueError


_PLAIN: dict[object, Form] = {
    str: Form("text", _text, {"type": "string"}),
    bool: Form("true or false", _flag, {"type": "boolean"}),
    int: Form("whole number", whole, {"type": "integer"}),
}


def read(kind: Any, value: object) -> Any:
    """The value of type `kind` that stands in JSON as `value`. Raises MalformedError."""
    try:
        return _read(_shape(kind), value)
    except _Mistake as mistake:
        raise MalformedError(mistake.told()) from None


def write(kind: Any, value: Any) -> Any:
    """`value`, of type `kind`, as JSON values."""
    return _write(_shape(kind), value)


def schema(kind: type, *, title: str, urn: str, description: str) -> dict[str, Any]:
    """The JSON Schema (2020-12) of documents of type `kind`."""
    named: dict[str, Any] = {}
    top = _schema(_shape(kind), named)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": urn, "title": title}
    return {**head, "description": description, **top, "$defs": named}


@dataclass(frozen=True, slots=True)
class _Shape:
    """What may stand at one place, taken apart once."""

    kind: Any
    """Without what is annotated."""
    form: Form | None
    """Of a single value."""
    about: About
    _: KW_ONLY
    several: tuple[_Shape, ...] = ()
    """One of these classes; of one alone, where it may be null."""
    or_null: bool = False
    each: _Shape | None = None
    """Of every entry, of a list or of an object with any keys."""
    keys: tuple[tuple[Field[Any], _Shape], ...] = ()


@cache
def _shape(kind: Any) -> _Shape:
    extra: tuple[Any, ...] = ()
    if get_origin(kind) is Annotated:
        kind, *rest = get_args(kind)
        extra = tuple(rest)
    form = next((each for each in extra if isinstance(each, Form)), _PLAIN.get(kind))
    about = next((each for each in extra if isinstance(each, About)), About())
    inner = get_args(kind)
    if form:
        return _Shape(kind, form, about)
    if get_origin(kind) in (Union, types.UnionType):
        several = tuple(_shape(each) for each in inner if each is not type(None))
        return _Shape(kind, None, about, several=several, or_null=type(None) in inner)
    if get_origin(kind) in (tuple, Mapping):
        return _Shape(get_origin(kind), None, about, each=_shape(inner[0 if get_origin(kind) is tuple else 1]))
    hints = get_type_hints(kind, include_extras=True)
    return _Shape(kind, None, about, keys=tuple((field, _shape(hints[field.name])) for field in fields(kind)))


def _read(shape: _Shape, value: Any) -> Any:
    if shape.form:
        try:
            return shape.form.read(value)
        except (ValueError, OverflowError):
            raise _Mistake(f"is no {shape.form.what}") from None
    if shape.several:
        return None if shape.or_null and value is None else _read(_meant(shape.several, value), value)
    if shape.kind is tuple and shape.each:
        return _read_list(shape.each, value)
    if not isinstance(value, dict):
        raise _Mistake("is no object")
    step = ""
    try:
        if shape.each:
            entries = {}
            for step, each in value.items():
                entries[step] = _read(shape.each, each)
            return entries
        found = {}
        for field, of in shape.keys:
            step = field.name
            if of.about.const:  # says which format it is, which whoever reads it has looked at
                found[step] = of.about.const
            elif step in value:
                found[step] = _read(of, value[step])
            elif not _may_be_left_out(field):
                raise _Mistake("is missing")  # noqa: TRY301  its place is this one's
    except _Mistake as mistake:
        mistake.steps.append(step)
        raise
    return shape.kind(**found)


def _read_list(shape: _Shape, value: Any) -> tuple[Any, ...]:
    texts = shape.form is _PLAIN[str]
    if not isinstance(value, list) or (texts and not all(isinstance(each, str) for each in value)):
        raise _Mistake(f"is no list{' of texts' if texts else ''}")
    if texts:
        return tuple(value)
    found = []
    try:
        for each in value:
            found.append(_read(shape, each))  # noqa: PERF401  how many there are says which was wrong
    except _Mistake as mistake:
        mistake.steps.append(len(found))
        raise
    return tuple(found)


def _write(shape: _Shape, value: Any) -> Any:
    if shape.form:
        return shape.form.write(value)
    if shape.several:
        if shape.or_null and value is None:
            return None
        return _write(next(each for each in shape.several if each.form or isinstance(value, each.kind)), value)
    if shape.kind is tuple and shape.each:
        return [_write(shape.each, each) for each in value]
    if shape.each:
        return {key: _write(shape.each, each) for key, each in value.items()}
    pairs = [(field, of, getattr(value, field.name)) for field, of in shape.keys]
    return {
        field.name: _write(of, each)
        for field, of, each in pairs
        if not (_may_be_left_out(field) and each == field.default)
    }


def _schema(shape: _Shape, named: dict[str, Any]) -> dict[str, Any]:
    about = shape.about
    said = {key: text for key in ("description", "pattern", "const") if (text := getattr(about, key))}
    if about.const:
        return said
    if shape.form and shape.form.name:
        named[shape.form.name] = dict(shape.form.schema)
        return {**said, "$ref": f"#/$defs/{shape.form.name}"}
    if shape.form:
        return {**shape.form.schema, **said}
    if shape.several:
        several = [_schema(each, named) for each in shape.several]
        if not shape.or_null:
            return {**said, "oneOf": several}
        if set(several[0]) == {"type"}:
            return {**said, "type": [several[0]["type"], "null"]}
        return {**said, "anyOf": [*several, {"type": "null"}]}
    if shape.each:
        kind, key = ("array", "items") if shape.kind is tuple else ("object", "additionalProperties")
        return {**said, "type": kind, key: _schema(shape.each, named)}
    return {
        **said,
        "type": "object",
        "required": [field.name for field, _ in shape.keys if not _may_be_left_out(field)],
        "properties": {field.name: _schema(of, named) for field, of in shape.keys},
    }


def _may_be_left_out(field: Field[Any]) -> bool:
    return field.default is not MISSING


def _meant(shapes: tuple[_Shape, ...], value: object) -> _Shape:
    """Which of several classes a document is: a later one whose first key it has, else the first."""
    for shape in shapes[1:]:
        if isinstance(value, dict) and shape.keys[0][0].name in value:
            return shape
    return shapes[0]


def _at(place: str, key: str) -> str:
    name = " ".join(key.split())[:_NAME_CHARS]  # perhaps one that somebody made up
    return f"{place}.{name}" if place else name
