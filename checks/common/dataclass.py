"""`dataclass` for the many frozen classes of a program that starts often.

The standard library compiles six methods of each class, one by one, when its module is imported: for the classes of a
scan that is a third of its start. Here `__init__`, `__eq__` and `__hash__` are compiled when they are first called,
which most never are, and the others need no compiler. `fields`, `replace`, `match` and `pickle` take such a class as
any other. What is not frozen, derives from another class or has more than fields is left to the standard library.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError, fields
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any

_MADE_HERE = {"__init__", "__eq__", "__hash__", "__setattr__", "__delattr__", "__getstate__", "__setstate__"}
_OPTIONS = {"frozen", "slots", "kw_only"}
_OMITTED: Any = object()
"""In place of what a factory makes."""


def _dataclass(cls: Any = None, /, **asked: Any) -> Any:
    if cls is None:
        return lambda each: _dataclass(each, **asked)
    if not asked.get("frozen") or asked.keys() - _OPTIONS or not _has_fields_alone(cls):
        return dataclasses.dataclass(cls, **asked)
    asked = {**asked, "frozen": False}
    made: Any = dataclasses.dataclass(cls, init=False, repr=False, eq=False, **asked)
    said = made.__dataclass_params__
    said.init = said.repr = said.eq = said.frozen = True  # for classes that derive from it, and whoever asks
    _freeze(made)
    if "__repr__" not in vars(cls):
        _show(made)
    for name, text in (("__init__", _init), ("__eq__", _eq), ("__hash__", _hash)):
        _compile_when_called(made, name, text)
    return made


def _has_fields_alone(cls: type) -> bool:
    written = vars(cls)
    kinds = map(str, written.get("__annotations__", {}).values())
    plain = type(cls) is type and cls.__bases__ == (object,) and not _MADE_HERE & written.keys()
    return plain and not any("ClassVar" in kind or "InitVar" in kind for kind in kinds)


def _freeze(cls: Any) -> None:
    names = [each.name for each in fields(cls)]

    def set_attribute(self: Any, name: str, value: object) -> None:
        if type(self) is cls or name in names:
            raise FrozenInstanceError(f"cannot assign to field {name!r}")
        super(cls, self).__setattr__(name, value)

    def delete_attribute(self: Any, name: str) -> None:
        if type(self) is cls or name in names:
            raise FrozenInstanceError(f"cannot delete field {name!r}")
        super(cls, self).__delattr__(name)

    def take_state(self: Any, state: list[object]) -> None:
        for name, value in zip(names, state, strict=True):
            object.__setattr__(self, name, value)

    cls.__setattr__, cls.__delattr__ = set_attribute, delete_attribute
    if "__slots__" in vars(cls):  # else the state is a dict, which is set as a whole
        cls.__getstate__, cls.__setstate__ = lambda self: [getattr(self, name) for name in names], take_state


def _show(cls: Any) -> None:
    names = [each.name for each in fields(cls) if each.repr]

    @recursive_repr()
    def shown(self: Any) -> str:
        return f"{type(self).__qualname__}({', '.join([f'{name}={getattr(self, name)!r}' for name in names])})"

    cls.__repr__ = shown


def _compile_when_called(cls: Any, name: str, text: Callable[[Any, dict[str, Any]], str]) -> None:
    def first(self: Any, *given: Any, **named: Any) -> Any:
        if getattr(cls, name) is first:  # and no other thread was faster
            known: dict[str, Any] = {}
            exec(text(cls, known), known)  # noqa: S102  the names of a class's fields, and words of ours
            known[name].__qualname__, known[name].__module__ = f"{cls.__qualname__}.{name}", cls.__module__
            setattr(cls, name, known[name])
        return getattr(cls, name)(self, *given, **named)

    setattr(cls, name, first)


def _init(cls: Any, known: dict[str, Any]) -> str:
    """The source of `__init__`; what it uses is put into `known`."""
    known |= {"_set": object.__setattr__, "_omitted": _OMITTED}
    for each in fields(cls):
        known[f"_{each.name}"] = each.default if each.default_factory is MISSING else each.default_factory
    # As `replace` and whoever calls by place have it: fields by name alone come last.
    order = sorted((each for each in fields(cls) if each.init), key=lambda each: bool(each.kw_only))
    named = next((number for number, each in enumerate(order) if each.kw_only), None)
    parameters = [_parameter(each) for each in order]
    if named is not None:
        parameters.insert(named, "*")
    lines = [f"    _set(self, {each.name!r}, {value})" for each in fields(cls) if (value := _value(each))]
    lines += ["    self.__post_init__()"] * hasattr(cls, "__post_init__")
    return "\n".join([f"def __init__({', '.join(['self', *parameters])}):", *(lines or ["    pass"])])


def _parameter(each: Field[Any]) -> str:
    if each.default_factory is not MISSING:
        return f"{each.name}=_omitted"
    return each.name if each.default is MISSING else f"{each.name}=_{each.name}"


def _value(each: Field[Any]) -> str:
    """What the field is set to; empty where nobody says."""
    if each.default_factory is not MISSING:
        return f"_{each.name}() if {each.name} is _omitted else {each.name}" if each.init else f"_{each.name}()"
    if each.init:
        return each.name
    return "" if each.default is MISSING else f"_{each.name}"


def _eq(cls: Any, _: dict[str, Any]) -> str:
    compared = [each.name for each in fields(cls) if each.compare]
    mine, its = ("".join(f"{whose}.{name}, " for name in compared) for whose in ("self", "other"))
    return (
        "def __eq__(self, other):\n"
        f"    return ({mine}) == ({its}) if other.__class__ is self.__class__ else NotImplemented"
    )


def _hash(cls: Any, _: dict[str, Any]) -> str:
    hashed = [each.name for each in fields(cls) if (each.compare if each.hash is None else each.hash)]
    return f"def __hash__(self):\n    return hash(({''.join(f'self.{name}, ' for name in hashed)}))"


if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    dataclass = _dataclass

__all__ = ["dataclass"]
