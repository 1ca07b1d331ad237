"""Documents as JSON that every reader takes, whatever a node has said."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from reports.text import escape_invisible, escape_json

_quoted = json.encoder.encode_basestring
_DEPTH = 20
_KEYS_CHARS = 2 * 1024
"""Of the keys of one object; they are remembered as they are written."""
_TEXT_CHARS = 32 * 1024
"""The longest text; only hostile nodes say more in one breath."""


def pretty(document: Mapping[str, object]) -> str:
    """The text of a document that `json_safe` has been over, with the keys always in the same order."""
    return escape_json(laid_out(document)) + "\n"


def pretty_pieces(document: Mapping[str, object]) -> Iterator[str]:
    """The text of any document, made safe and laid out key by key.

    A value that is an iterator becomes a list, item by item, so that never all of them are there.
    """
    before = "{"
    for key, value in document.items():
        yield f"{before}\n  {escape_json(_quoted(_encodable(str(key))))}: "
        if isinstance(value, Iterator):
            opening = "["
            for item in value:
                yield f"{opening}\n    {_spelled(item, 2)}"
                opening = ","
            yield "[]" if opening == "[" else "\n  ]"
        else:
            yield _spelled(value, 1)
        before = ","
    yield "{}\n" if before == "{" else "\n}\n"


def _spelled(value: object, level: int) -> str:
    """One value, so many levels below the document, laid out as `json.dumps(indent=2)` does."""
    return escape_json(_safely_laid_out(value, "\n" + "  " * level, _DEPTH - level))


def _safely_laid_out(value: object, line: str, depth: int) -> str:
    """What `laid_out` makes of what `json_safe` makes of the value: what nearly all values are takes one pass."""
    kind = type(value)
    if kind is str:
        return _quoted(_encodable(value))  # type: ignore[arg-type]  # the type is exactly str
    if kind is bool or value is None:
        return "null" if value is None else "true" if value else "false"
    if kind is int:
        return repr(value)
    if depth > 0 and kind in (list, tuple):
        if not value:
            return "[]"
        inner = f"{line}  "
        parts = [
            _quoted(each)
            if type(each) is str and each.isascii() and len(each) <= _TEXT_CHARS
            else _safely_laid_out(each, inner, depth - 1)
            for each in value  # type: ignore[attr-defined]
        ]
        return f"[{inner}{f',{inner}'.join(parts)}{line}]"
    if depth > 0 and isinstance(value, Mapping) and value:
        if set(map(type, value)) != {str} or not (keys := "".join(value)).isascii() or len(keys) > _KEYS_CHARS:
            return laid_out(json_safe(value, depth), line)  # of which two may become one
        inner = f"{line}  "
        pairs = [
            f"{_key(key)}: {_quoted(each)}"
            if type(each) is str and each.isascii() and len(each) <= _TEXT_CHARS
            else f"{_key(key)}: {_safely_laid_out(each, inner, depth - 1)}"
            for key, each in value.items()
        ]
        return f"{{{inner}{f',{inner}'.join(pairs)}{line}}}"
    return laid_out(json_safe(value, depth), line)


@lru_cache(maxsize=4_096)
def _key(key: str) -> str:
    """A short key as it stands in the text: the same few stand there again and again."""
    return _quoted(_encodable(key))


def laid_out(value: Any, line: str = "\n") -> str:
    """JSON values as text. `line` begins a line as deep as the one that the value begins on.

    As `json.dumps(indent=2)` does it, which takes four times as long.
    """
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, dict):
        if not value:
            return "{}"
        inner = f"{line}  "
        return (
            f"{{{','.join([f'{inner}{_quoted(key)}: {laid_out(each, inner)}' for key, each in value.items()])}{line}}}"
        )
    if isinstance(value, list):
        if not value:
            return "[]"
        inner = f"{line}  "
        return f"[{','.join([f'{inner}{laid_out(each, inner)}' for each in value])}{line}]"
    return json.dumps(value, allow_nan=False)


def utc_text(moment: datetime) -> str:
    """UTC, with milliseconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def json_safe(value: object, depth: int = _DEPTH) -> Any:
    r"""The value as JSON values that every reader takes.

    Lone surrogates, which strict readers refuse, become text (`\ud800`), numbers that JSON has no form for become their
    names, foreign objects their `str`, sets sorted lists; what nests deeper than `depth` is cut off.
    """
    kind = type(value)
    if kind is str:
        return _encodable(value)  # type: ignore[arg-type]  # the type is exactly str
    if kind is dict and depth > 0:
        return {_encodable(str(key)): json_safe(item, depth - 1) for key, item in value.items()}  # type: ignore[attr-defined]
    match value:
        case None | bool():
            return value
        case str():
            return _encodable(str(value))
        case int():
            return int(value)
        case float():
            return float(value) if math.isfinite(value) else str(value)
        case bytes() | bytearray():
            return value.decode("utf-8", "backslashreplace")
        case Mapping() | Sequence() | AbstractSet() if depth <= 0:
            return "..."
        case Mapping():
            return {_encodable(str(key)): json_safe(item, depth - 1) for key, item in value.items()}
        case AbstractSet():
            return [json_safe(item, depth - 1) for item in sorted(value, key=repr)]
        case Sequence():
            return [json_safe(item, depth - 1) for item in value]
        case _:
            return _encodable(str(value))


def _encodable(text: str) -> str:
    if len(text) > _TEXT_CHARS:
        text = f"{text[:_TEXT_CHARS]}... ({len(text) - _TEXT_CHARS:,} more characters)"
    if text.isascii():
        return text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return "".join(escape_invisible(char) if "\ud800" <= char <= "\udfff" else char for char in text)
    return text
