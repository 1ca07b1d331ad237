"""What a class says of how it stands in JSON, and the shape that it is taken apart into."""

from __future__ import annotations

import enum
import sys
import types
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, MISSING, Field, field, fields, is_dataclass, replace
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from checks.common.dataclass import dataclass

_MOST = 2**63
"""No whole number is greater."""


def as_it_is(value: object) -> object:
    """How most values are written."""
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
    write: Callable[[Any], Any] = as_it_is


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
    closed: bool = False
    """Whether a key that the class does not have is a mistake: of documents that people write."""


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


def _number(value: object) -> float:
    return value if isinstance(value, float) else float(whole(value))


def one_of(*words: object) -> Form:
    """The form of one of these words or numbers."""

    def one(value: object) -> object:
        if value in words and not (isinstance(value, bool) and True not in words):
            return value
        raise ValueError

    return Form(f"choice of {', '.join(map(str, words))}", one, {"enum": list(words)})


PLAIN: dict[object, Form] = {
    str: Form("text", _text, {"type": "string"}),
    bool: Form("true or false", _flag, {"type": "boolean"}),
    int: Form("whole number", whole, {"type": "integer"}),
    float: Form("number", _number, {"type": "number"}),
    Any: Form("value", as_it_is, {}),
}


class Named(NamedTuple):
    """A field."""

    name: str
    default: Any = MISSING


@dataclass(frozen=True, slots=True)
class Shape:
    """What may stand at one place, taken apart once."""

    kind: Any
    """Without what is annotated."""
    form: Form | None
    """Of a single value."""
    about: About
    _: KW_ONLY
    several: tuple[Shape, ...] = ()
    """One of these classes; of one alone, where it may be null."""
    or_null: bool = False
    each: Shape | None = None
    """Of every entry, of a list or of an object with any keys."""
    keys: tuple[tuple[Named, Shape], ...] = ()
    known: tuple[str, ...] = ()
    """The keys that may stand there, where any other is a mistake."""
    way: str | Callable[[Any], Any] = ""


@cache
def shape_of(kind: Any) -> Shape:
    """The shape of values of type `kind`."""
    extra: tuple[Any, ...] = ()
    if get_origin(kind) is Annotated:
        kind, *rest = get_args(kind)
        extra = tuple(rest)
    made = _taken_apart(kind, extra)
    way = next((each.way for each in extra if isinstance(each, From)), "")
    return replace(made, way=way) if way else made


def _taken_apart(kind: Any, extra: tuple[Any, ...]) -> Shape:
    form = next((each for each in extra if isinstance(each, Form)), PLAIN.get(kind) or _choice(kind))
    about = _all_of([each for each in extra if isinstance(each, About)])
    inner = get_args(kind)
    if form:
        return Shape(kind, form, about)
    if get_origin(kind) in (Union, types.UnionType):
        several = tuple(shape_of(each) for each in inner if each is not type(None))
        return Shape(kind, None, about, several=several, or_null=type(None) in inner)
    if get_origin(kind) is tuple:
        return Shape(tuple, None, about, each=shape_of(inner[0]))
    if get_origin(kind) is Mapping:
        named = shape_of(inner[0]).form
        known = tuple(named.schema.get("enum", ())) if named else ()
        return Shape(Mapping, None, about, each=shape_of(inner[1]), known=known)
    # Else what a `From` names would be looked for among the names of the class.
    hints = get_type_hints(kind, vars(sys.modules[kind.__module__]), include_extras=True)
    keys = tuple((each, shape_of(hints[each.name])) for each in _fields(kind, hints))
    return Shape(kind, None, about, keys=keys, known=tuple(key_of(each) for each, _ in keys) if about.closed else ())


def _fields(kind: Any, hints: Mapping[str, Any]) -> list[Named]:
    if is_dataclass(kind):
        return [Named(each.name, _default_of(each)) for each in fields(kind)]
    own = [name for name, hint in hints.items() if hint is not ClassVar and get_origin(hint) is not ClassVar]
    return [Named(name, getattr(kind, name, MISSING)) for name in own]


def _default_of(each: Field[Any]) -> Any:
    return each.default if each.default_factory is MISSING else each.default_factory()


def _choice(kind: Any) -> Form | None:
    if isinstance(kind, type) and issubclass(kind, enum.StrEnum):
        return Form(kind.__name__.lower(), kind, {"enum": [str(each) for each in kind]}, write=str)
    return one_of(*get_args(kind)) if get_origin(kind) is Literal else None


def _all_of(several: list[About]) -> About:
    said = {
        name: next((text for each in reversed(several) if (text := getattr(each, name))), "")
        for name in ("description", "pattern", "const", "name")
    }
    more = {key: value for each in several for key, value in each.more.items()}
    later, repeats, closed = (any(getattr(each, name) for each in several) for name in ("later", "repeats", "closed"))
    return About(**said, more=more, later=later, repeats=repeats, closed=closed)


def key_of(each: Named) -> str:
    """The key that a field is."""
    return each.name.rstrip("_")


def may_be_left_out(each: Named) -> bool:
    """Whether the key is left out where the field holds its default."""
    return each.default is not MISSING
