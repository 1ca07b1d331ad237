"""Whether what a plugin made has in each of its fields what the field is for: nobody has type-checked a stranger's."""

from __future__ import annotations

import dataclasses
import re
import sys
import types
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from checks.engine.wording import count

_SHOWN_CHARS = 60
_MODULES = re.compile(r"(?:[a-z_]+\.)+(?=[A-Za-z])")
"""What stands before the name of a class."""


def mistyped(value: object, hint: object, where: str) -> str:
    """The first thing in `value`, which stands at `where`, that is not what `hint` says; empty where all of it is.

    Classes of ours are looked into, field by field.
    """
    origin, inner = get_origin(hint), get_args(hint)
    if hint is None:
        hint = type(None)
    if hint is Any or hint is object or isinstance(hint, TypeVar):
        return ""
    if origin in (Union, types.UnionType):
        told = {one: mistyped(value, one, where) for one in inner}
        deeper = (
            text for one, text in told.items() if isinstance(own := get_origin(one) or one, type) and _is(value, own)
        )
        return "" if "" in told.values() else next(deeper, "") or _not(value, hint, where)
    if origin is Literal:
        return "" if value in inner else f"{where} = {_shown(value)} is none of {', '.join(map(str, inner))}"
    if origin is Callable or hint is Callable:
        return "" if callable(value) else _not(value, "a function", where)
    if origin is type or hint is type:
        return "" if isinstance(value, type) else _not(value, "a class", where)
    own = origin or hint
    if not isinstance(own, type):
        return ""
    if getattr(own, "_is_protocol", False):
        return "" if callable(value) else _not(value, "a function", where)
    if not _is(value, own):
        return _not(value, hint, where)
    return next(filter(None, _within(value, inner, where)), "") or _in_fields(value, own, where)


def _is(value: object, kind: type) -> bool:
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, kind) and not (kind is int and isinstance(value, bool))


def _within(value: object, inner: tuple[object, ...], where: str) -> Iterable[str]:
    """What is wrong with the parts of a container."""
    if not inner:
        return
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield mistyped(key, inner[0], f"a key of {where}")
            yield mistyped(part, inner[-1], f"{where}[{_shown(key)}]")
    elif isinstance(value, tuple) and inner[-1] is not ...:
        if len(value) != len(inner):
            yield f"{where} has {count(len(value), 'part')}, not {len(inner)}"
        for number, (part, hint) in enumerate(zip(value, inner, strict=False)):
            yield mistyped(part, hint, f"{where}[{number}]")
    elif isinstance(value, tuple | list | set | frozenset):
        for number, part in enumerate(value):
            yield mistyped(part, inner[0], f"{where}[{_called(part) or number}]")


def _called(part: object) -> str:
    """What whoever wrote it looks for it by; empty where it has no name."""
    found = getattr(part, "id", None) or getattr(part, "name", None)
    return found if isinstance(found, str) and not isinstance(part, type) else ""


def _in_fields(value: Any, own: type, where: str) -> str:
    if not dataclasses.is_dataclass(own):
        return ""
    hints = _hints(own)
    found = (mistyped(getattr(value, name), hints[name], f"{where}.{name}" if where else name) for name in hints)
    return next(filter(None, found), "")


@cache
def _hints(own: type) -> Mapping[str, object]:
    """What the fields of a class of ours are for, what it imports for the type checker alone among it."""
    try:
        known = get_type_hints(own)
    except NameError:  # what is imported for the type checker alone
        from checks.runbook import model, names, signs

        there = {name for each in own.__mro__ for name in vars(sys.modules[each.__module__])}
        rest = {name: kind for one in (model, names, signs) for name, kind in vars(one).items() if name not in there}
        known = get_type_hints(own, localns=rest)
    return {each.name: known[each.name] for each in dataclasses.fields(own) if each.init}


def _not(value: object, hint: object, where: str) -> str:
    told = str(hint) if isinstance(hint, str) or get_args(hint) else getattr(hint, "__name__", str(hint))
    return f"{where} = {_shown(value)}, where {_MODULES.sub('', told)} belongs"


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001  a stranger's
        return type(value).__name__
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}..."
