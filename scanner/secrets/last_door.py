"""The last door of everything that is reported or kept: results, plans, baselines without any secret in their texts.

Answers are clean when they come. But a check, ours or a plugin's, an exception, or a reason that somebody wrote may
hold a secret all the same. It is taken out of the texts, before a format is made of them, so that no format breaks.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any, TypeVar

from scanner.secrets.masking import masked
from scanner.secrets.redaction import known

T = TypeVar("T")

_IDENTITIES = frozenset(
    {"check", "cluster", "node", "id", "host", "name", "product", "inventory", "inventory_digest", "tool_version"}
    | {"phase", "transport", "place", "subject", "user", "baseline"}
)
"""Fields by which things are told apart, by this machine's owner or in our own words. A password that is a node's name
would make them all one; a history would not know them again."""
_BETWEEN = "\x1e"


class Clean(tuple[T, ...]):
    """What has come through the door already, and is not looked into once more."""

    __slots__ = ()


_DEPTH = 40


def without_secrets(value: T) -> T:
    """The same without secrets in any text of it: those that are known, and what plainly is one. Itself if none is.

    Frozen dataclasses, tuples, lists, sets and mappings are looked into. Texts of a class of their own become plain.
    """
    found: dict[str, str] = {}
    _collect(value, found, 0)
    if not found:
        return value
    hide = known()
    # Nearly no text holds a secret, and one long text is looked through faster than thousands of short ones.
    whole = _BETWEEN.join(found)
    suspicious = hide.words(whole) != whole
    changed: dict[str, str] = {}
    for text in found:
        clean = hide.message(text) if suspicious else masked(text)
        if clean != text or type(text) is not str:
            changed[text] = str(clean)
    cleaned: T = _rebuilt(value, changed, 0) if changed else value
    return cleaned


_free: dict[type[object], tuple[str, ...]] = {}


def _free_fields(kind: Any) -> tuple[str, ...]:
    if kind not in _free:
        fields = dataclasses.fields(kind)
        _free[kind] = tuple(field.name for field in fields if field.init and field.name not in _IDENTITIES)
    return _free[kind]


_getters: dict[type[object], Callable[[Any], tuple[object, ...]]] = {}


def _free_values(value: Any) -> tuple[object, ...]:
    """Those of these fields, fetched together."""
    kind = type(value)
    if kind not in _getters:
        # With one name alone it would give the bare value, with none it could not be made.
        names = _free_fields(kind)
        fetch = attrgetter(*names, "__class__", "__class__")
        _getters[kind] = lambda record: fetch(record)[: len(names)]
    return _getters[kind](value)


def _is_record(value: object) -> bool:
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


_TEXT, _BARE, _RECORD, _MAPPING, _MANY = range(5)
_kinds: dict[type[object], int] = {str: _TEXT, dict: _MAPPING, list: _MANY, tuple: _MANY}


def _kind_of(value: object) -> int:
    """What there is to look into, which a value's class alone says."""
    kind = type(value)
    if kind not in _kinds:
        if isinstance(value, str):
            _kinds[kind] = _BARE if isinstance(value, enum.Enum) else _TEXT
        elif value is None or isinstance(value, int | float | bytes | Clean):
            _kinds[kind] = _BARE
        elif _is_record(value):
            _kinds[kind] = _RECORD
        elif isinstance(value, Mapping):
            _kinds[kind] = _MAPPING
        else:
            several = isinstance(value, list | tuple | set | frozenset) and not hasattr(value, "_fields")
            _kinds[kind] = _MANY if several else _BARE
    return _kinds[kind]


def _collect(value: Any, found: dict[str, str], depth: int) -> None:
    kind = _kind_of(value)
    if kind == _TEXT:
        found[value] = value
    elif kind == _BARE or depth > _DEPTH:
        return
    elif kind == _RECORD:
        for each in _free_values(value):
            if type(each) is str:  # as half of them are; of the others most are None, or no text at all
                found[each] = each
            elif each is not None and each is not False:
                _collect(each, found, depth + 1)
    elif kind == _MAPPING:
        for key, each in value.items():
            if isinstance(key, str):
                _collect(key, found, depth + 1)
            if type(each) is str:  # as nearly all of them are
                found[each] = each
            else:
                _collect(each, found, depth + 1)
    else:
        for each in value:
            if type(each) is str:
                found[each] = each
            else:
                _collect(each, found, depth + 1)


def _rebuilt(value: Any, changed: Mapping[str, str], depth: int) -> Any:
    if isinstance(value, str):
        return value if isinstance(value, enum.Enum) else changed.get(value, value)
    if depth > _DEPTH or value is None or isinstance(value, int | float | bytes | Clean):
        return value
    if _is_record(value):
        new = {
            name: after
            for name in _free_fields(type(value))
            if (after := _rebuilt(before := getattr(value, name), changed, depth + 1)) is not before
        }
        return dataclasses.replace(value, **new) if new else value
    if isinstance(value, Mapping):
        parts = {
            (changed.get(key, key) if isinstance(key, str) and not isinstance(key, enum.Enum) else key): _rebuilt(
                each, changed, depth + 1
            )
            for key, each in value.items()
        }
        same = all(key in parts and parts[key] is each for key, each in value.items())
        return value if same else parts
    if isinstance(value, list | tuple | set | frozenset) and not hasattr(value, "_fields"):
        items = [_rebuilt(each, changed, depth + 1) for each in value]
        if all(one is other for one, other in zip(items, value, strict=True)):
            return value
        return type(value)(items)
    return value
