"""Values written in JSON as a class says."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any

from reports.codec.shape import Shape, as_it_is, key_of, may_be_left_out, shape_of

_REPEATED = 1_024
"""Values that are kept as they were written, of those that stand at many places."""
_Put = Callable[[Any], Any]


def write(kind: Any, value: Any) -> Any:
    """`value`, of type `kind` or with its fields, as JSON values."""
    put = _writer(kind)
    return put(value) if put else value


def outline(kind: Any, value: Any) -> dict[str, Any]:
    """The same of an object; its lists are iterators, whose entries are made when they are asked for."""
    shape = shape_of(kind)
    listed = {key_of(each): of.each for each, of in shape.keys if of.kind is tuple and of.each}
    found: dict[str, Any] = _written(shape, frozenset(listed))(value)
    return {key: map(_putter(listed[key]) or as_it_is, each) if key in listed else each for key, each in found.items()}


@cache
def _writer(kind: Any) -> _Put | None:
    return _putter(shape_of(kind))


def _putter(shape: Shape) -> _Put | None:
    """What writes a value; None: it stands as it is."""
    if shape.form:
        return None if shape.form.write is as_it_is else shape.form.write
    if shape.several:
        return _one_of(shape)
    if shape.each:
        put = _putter(shape.each)
        if shape.kind is tuple:
            return (lambda value: [put(each) for each in value]) if put else list
        return (lambda value: {key: put(each) for key, each in value.items()}) if put else dict
    return lru_cache(_REPEATED)(_written(shape)) if shape.about.repeats else _written(shape)


def _written(shape: Shape, bare: frozenset[str] = frozenset()) -> _Put:
    """What writes an object, all plain keys at once; those that are `bare` are left as they are."""
    keys = tuple(key_of(each) for each, _ in shape.keys)
    ways = [of.way or (each.name if not of.about.const else "__class__") for each, of in shape.keys]
    get = attrgetter(*("__class__" if callable(way) else way for way in ways), "__class__")
    consts = {key: of.about.const for key, (_, of) in zip(keys, shape.keys, strict=True) if of.about.const}
    made = [(key, way) for key, way in zip(keys, ways, strict=True) if callable(way)]
    defaults = [(key_of(each), each.default) for each, _ in shape.keys if may_be_left_out(each)]
    puts = [(key_of(each), put) for each, of in shape.keys if key_of(each) not in bare and (put := _putter(of))]

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


def _one_of(shape: Shape) -> _Put | None:
    kinds = [(getattr(each.kind, "of", each.kind), each.form, _putter(each)) for each in shape.several]
    if all(put is None for _, _, put in kinds):
        return None

    def written(value: Any) -> Any:
        if shape.or_null and value is None:
            return None
        put = next(put for kind, form, put in kinds if form or len(kinds) == 1 or isinstance(value, kind))
        return put(value) if put else value

    return written
