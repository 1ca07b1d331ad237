"""Frozen dataclasses as JSON values and back, with the place of every mistake, and the JSON Schema of both ways.

A class is what its document looks like: its fields are the keys, in their order, and their types what may stand there.
A field with a default may be left out, and is, where it holds it; `from_` is the key `from`. Keys that are unknown are
passed over when a document is read, and by the schema: the format may gain some under its number.

What is written need not be of the class: whatever has the fields will do, and where a value is come by otherwise, the
field says how (`From`). A class that is nothing but a shape need be no dataclass.
"""

from __future__ import annotations

import enum
import sys
import types
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, MISSING, dataclass, field, fields, is_dataclass, replace
from functools import cache, lru_cache
from operator import attrgetter
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

_MOST = 2**63
"""No whole number is greater."""
_NAME_CHARS = 60
_REPEATED = 1_024
"""Values that are kept as they were written, of those that stand at many places."""


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
    """What the schema says of a field beside its type, as `Annotated[type, About(...)]`; of several, all."""

    description: str = ""
    _: KW_ONLY
    pattern: str = ""
    const: str = ""
    name: str = ""
    """Where the schema is to define an object once, and refer to it."""
    more: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Further keywords of the schema."""
    later: bool = False
    """Whether there are documents without the key: those of versions that did not know it."""
    repeats: bool = False
    """Whether the same value stands at many places, and can be hashed: it is written out once for all of them."""


LATER = About(later=True)


@dataclass(frozen=True, slots=True)
class From:
    """How a field's value is come by, as `Annotated[type, From(...)]`: the way to it, or what gives it."""

    way: str | Callable[[Any], Any]


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
    """`value`, of type `kind` or with its fields, as JSON values."""
    put = _writer(kind)
    return put(value) if put else value


def outline(kind: Any, value: Any) -> dict[str, Any]:
    """The same of an object; its lists are iterators, whose entries are made when they are asked for."""
    shape = _shape(kind)
    listed = {_key(each): of.each for each, of in shape.keys if of.kind is tuple and of.each}
    found: dict[str, Any] = _written(shape, frozenset(listed))(value)
    return {key: map(_putter(listed[key]) or _same, each) if key in listed else each for key, each in found.items()}


def schema(kind: type, *, title: str, urn: str, description: str, **more: Any) -> dict[str, Any]:
    """The JSON Schema (2020-12) of documents of type `kind`, with `more` keywords."""
    named: dict[str, Any] = {}
    top = _schema(_shape(kind), named)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": urn, "title": title}
    return {**head, "description": description, **top, **more, "$defs": named}


class _Named(NamedTuple):
    """A field."""

    name: str
    default: Any = MISSING


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
    keys: tuple[tuple[_Named, _Shape], ...] = ()
    way: str | Callable[[Any], Any] = ""


@cache
def _shape(kind: Any) -> _Shape:
    extra: tuple[Any, ...] = ()
    if get_origin(kind) is Annotated:
        kind, *rest = get_args(kind)
        extra = tuple(rest)
    made = _shape_of(kind, extra)
    way = next((each.way for each in extra if isinstance(each, From)), "")
    return replace(made, way=way) if way else made


def _shape_of(kind: Any, extra: tuple[Any, ...]) -> _Shape:
    form = next((each for each in extra if isinstance(each, Form)), _PLAIN.get(kind) or _choice(kind))
    about = _all_of([each for each in extra if isinstance(each, About)])
    inner = get_args(kind)
    if form:
        return _Shape(kind, form, about)
    if get_origin(kind) in (Union, types.UnionType):
        several = tuple(_shape(each) for each in inner if each is not type(None))
        return _Shape(kind, None, about, several=several, or_null=type(None) in inner)
    if get_origin(kind) in (tuple, Mapping):
        return _Shape(get_origin(kind), None, about, each=_shape(inner[0 if get_origin(kind) is tuple else 1]))
    # Else what a `From` names would be looked for among the names of the class.
    hints = get_type_hints(kind, vars(sys.modules[kind.__module__]), include_extras=True)
    return _Shape(kind, None, about, keys=tuple((each, _shape(hints[each.name])) for each in _fields(kind, hints)))


def _fields(kind: Any, hints: Mapping[str, Any]) -> list[_Named]:
    if is_dataclass(kind):
        return [_Named(each.name, each.default) for each in fields(kind)]
    own = [name for name, hint in hints.items() if hint is not ClassVar and get_origin(hint) is not ClassVar]
    return [_Named(name, getattr(kind, name, MISSING)) for name in own]


def _choice(kind: Any) -> Form | None:
    """The form of one of several words or numbers."""
    if isinstance(kind, type) and issubclass(kind, enum.StrEnum):
        return Form(kind.__name__.lower(), kind, {"enum": [str(each) for each in kind]}, write=str)
    if get_origin(kind) is not Literal:
        return None
    words = get_args(kind)

    def one(value: object) -> object:
        if value in words and not (isinstance(value, bool) and True not in words):
            return value
        raise ValueError

    return Form(f"choice of {', '.join(map(str, words))}", one, {"enum": list(words)})


def _all_of(several: list[About]) -> About:
    said = {
        name: next((text for each in reversed(several) if (text := getattr(each, name))), "")
        for name in ("description", "pattern", "const", "name")
    }
    more = {key: value for each in several for key, value in each.more.items()}
    later, repeats = (any(getattr(each, name) for each in several) for name in ("later", "repeats"))
    return About(**said, more=more, later=later, repeats=repeats)


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
        for key, of in shape.keys:
            step = _key(key)
            if of.about.const:  # says which format it is, which whoever reads it has looked at
                found[key.name] = of.about.const
            elif step in value:
                found[key.name] = _read(of, value[step])
            elif not _may_be_left_out(key):
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


_Put = Callable[[Any], Any]


@cache
def _writer(kind: Any) -> _Put | None:
    return _putter(_shape(kind))


def _putter(shape: _Shape) -> _Put | None:
    """What writes a value; None: it stands as it is."""
    if shape.form:
        return None if shape.form.write is _same else shape.form.write
    if shape.several:
        return _one_of(shape)
    if shape.each:
        put = _putter(shape.each)
        if shape.kind is tuple:
            return (lambda value: [put(each) for each in value]) if put else list
        return (lambda value: {key: put(each) for key, each in value.items()}) if put else dict
    return lru_cache(_REPEATED)(_written(shape)) if shape.about.repeats else _written(shape)


def _written(shape: _Shape, bare: frozenset[str] = frozenset()) -> _Put:
    """What writes an object, all plain keys at once; those that are `bare` are left as they are."""
    keys = tuple(_key(each) for each, _ in shape.keys)
    ways = [of.way or (each.name if not of.about.const else "__class__") for each, of in shape.keys]
    get = attrgetter(*("__class__" if callable(way) else way for way in ways), "__class__")
    consts = {key: of.about.const for key, (_, of) in zip(keys, shape.keys, strict=True) if of.about.const}
    made = [(key, way) for key, way in zip(keys, ways, strict=True) if callable(way)]
    defaults = [(_key(each), each.default) for each, _ in shape.keys if _may_be_left_out(each)]
    puts = [(_key(each), put) for each, of in shape.keys if _key(each) not in bare and (put := _putter(of))]

    def written(value: Any) -> dict[str, Any]:
        found = dict(zip(keys, get(value), strict=False))
        if consts:
            found.update(consts)
        for key, way in made:
            found[key] = way(value)
        for key, default in defaults:
            if found[key] == default:
                del found[key]
        for key, put in puts:
            if key in found:
                found[key] = put(found[key])
        return found

    return written


def _one_of(shape: _Shape) -> _Put | None:
    kinds = [(getattr(each.kind, "of", each.kind), each.form, _putter(each)) for each in shape.several]
    if all(put is None for _, _, put in kinds):
        return None

    def written(value: Any) -> Any:
        if shape.or_null and value is None:
            return None
        put = next(put for kind, form, put in kinds if form or len(kinds) == 1 or isinstance(value, kind))
        return put(value) if put else value

    return written


def _key(each: _Named) -> str:
    return each.name.rstrip("_")


def _schema(shape: _Shape, named: dict[str, Any]) -> dict[str, Any]:
    about = shape.about
    said: dict[str, Any] = {key: text for key in ("description", "pattern", "const") if (text := getattr(about, key))}
    said |= about.more
    if about.const:
        return said
    if about.name:
        plain = replace(shape, about=About(more=about.more))
        named.setdefault(about.name, {}).update(_schema(plain, named))
        return {**({"description": about.description} if about.description else {}), "$ref": f"#/$defs/{about.name}"}
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
        "required": [_key(each) for each, of in shape.keys if not (_may_be_left_out(each) or of.about.later)],
        "properties": {_key(each): _schema(_there(each, of), named) for each, of in shape.keys},
    }


def _there(each: _Named, of: _Shape) -> _Shape:
    """The shape of a key that stands there: not the value with which it is left out."""
    if each.default is None and len(of.several) == 1:
        return replace(of.several[0], about=of.about)
    if of.form and each.default in of.form.schema.get("enum", ()):
        words = [word for word in of.form.schema["enum"] if word != each.default]
        return replace(of, form=replace(of.form, schema={"enum": words}))
    return of


def _may_be_left_out(each: _Named) -> bool:
    return each.default is not MISSING


def _meant(shapes: tuple[_Shape, ...], value: object) -> _Shape:
    """Which of several classes a document is: a later one whose first key it has, else the first."""
    for shape in shapes[1:]:
        if isinstance(value, dict) and shape.keys[0][0].name in value:
            return shape
    return shapes[0]


def _at(place: str, key: str) -> str:
    name = " ".join(key.split())[:_NAME_CHARS]  # perhaps one that somebody made up
    return f"{place}.{name}" if place else name
