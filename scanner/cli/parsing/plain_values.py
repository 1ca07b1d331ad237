"""Values of the command line that are plain enough to be taken as they are.

The library reads every value, also one that nobody gave, through another library, whose import takes longer than the
rest of the command line. What is not plain is left to them, so that what they refuse is refused in their words.
"""

from __future__ import annotations

import enum
import os
from pathlib import Path
from typing import Any, get_args, get_origin

from scanner.inventory.reading.looking import exists

_REFUSED = object()
_MOST_DIGITS = 9


def read_plainly(parameter: Any) -> None:
    """Let an option or argument take plain values as they are, where the library says of which type it is."""
    described = getattr(parameter, "type_descriptor", None)
    if described is None or "process_value" in vars(parameter):
        return
    usual = parameter.process_value
    kind, wanted = described.annotation, described.parameter_info
    several = parameter.multiple or parameter.nargs != 1
    if several:
        kind = get_args(kind)[0] if get_origin(kind) is list else None

    def taken(value: Any) -> Any:
        if value is None and not parameter.required:
            return () if several else None
        if not several:
            return _plain(value, kind, wanted)
        if not isinstance(value, tuple | list) or not value:
            return _REFUSED
        each = [_plain(one, kind, wanted) for one in value]
        return _REFUSED if _REFUSED in each else each

    def process_value(ctx: Any, value: Any) -> Any:
        plain = _REFUSED if wanted.parser else taken(value)
        if plain is _REFUSED:
            return usual(ctx, value)
        return parameter.callback(ctx, parameter, plain) if parameter.callback else plain

    parameter.process_value = process_value


def _plain(value: Any, kind: Any, wanted: Any) -> Any:
    """The value as one of its type, or that it is not plain."""
    if isinstance(kind, type) and issubclass(kind, enum.StrEnum):
        return next((each for each in kind if each is value or (type(value) is str and each == value)), _REFUSED)
    if type(value) is kind and kind in (int, float):  # a default
        return value
    if type(value) is not str or not value.isascii():
        return _REFUSED
    if kind is str:
        return value
    if kind is Path:
        return Path(value) if value and _is_any_file(value, wanted) else _REFUSED
    if kind in (int, float) and value.isdecimal() and len(value) <= _MOST_DIGITS:
        number = kind(value)
        return number if _or(wanted.min, number) <= number <= _or(wanted.max, number) else _REFUSED
    return _REFUSED


def _is_any_file(value: str, wanted: Any) -> bool:
    """Whether the library would have nothing to say of it: it can be read, or is not there and need not be."""
    asked = wanted.exists or wanted.writable or wanted.resolve_path or wanted.allow_dash or wanted.path_type
    if asked or not (wanted.file_okay and wanted.dir_okay):
        return False
    return os.access(value, os.R_OK) or not exists(value)


def _or(bound: float | None, number: float) -> float:
    return number if bound is None else bound
