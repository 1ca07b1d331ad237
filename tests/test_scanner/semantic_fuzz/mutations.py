"""What can be missing from an answer: each frame, line, word and value of it, taken away in turn or cut off."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from checks.facts import Unknown
from scanner.probes.probe import Answer

_CUTS = 12
"""Places at which a text is cut off, besides its line ends."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """One answer that lacks something."""

    what: str
    """In words: "line 'memory 16396288 kB'", "word 2 of line '...'", "value drives[0].free"."""
    answer: Answer | Unknown


def mutations(answer: Answer) -> Iterator[Mutation]:
    """Everything that can be missing from an answer."""
    yield Mutation("frame", Unknown("cut off in mid-answer"))
    yield Mutation("output", replace(answer, output=""))
    yield Mutation("output, and it failed", replace(answer, output="", exit_code=1))
    yield Mutation("end (cut at the cap)", replace(answer, output=answer.output[:-1], truncated=True))
    value = json_value(answer)
    if isinstance(value, (dict, list)):
        for path, other in _without(value, ""):
            yield Mutation(f"value {path}", replace(answer, output=json.dumps(other)))
    yield from _of_text(answer)


def _of_text(answer: Answer) -> Iterator[Mutation]:
    text = answer.output
    lines = text.splitlines(keepends=True)
    if len(lines) > 1 or not text.lstrip().startswith(("{", "[")):
        for number, line in enumerate(lines):
            rest = [*lines[:number], *lines[number + 1 :]]
            yield Mutation(f"line {line.strip()!r}", replace(answer, output="".join(rest)))
            for found in re.finditer(r"\S+", line):
                cut = line[: found.start()] + line[found.end() :]
                said = "".join([*lines[:number], cut, *lines[number + 1 :]])
                yield Mutation(f"word {found[0]!r} of {line.strip()!r}", replace(answer, output=said))
        ends = {sum(map(len, lines[:number])) for number in range(1, len(lines))}
        step = max(1, len(text) // _CUTS)
        for end in sorted(ends | set(range(step, len(text), step)) | {len(text) - 1}):
            yield Mutation(f"all behind {text[:end][-20:]!r}", replace(answer, output=text[:end]))


def _without(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """`value` without each of its parts in turn: gone, null, empty."""
    if isinstance(value, dict):
        for key, part in value.items():
            here = f"{path}.{key}" if path else key
            yield f"{here} gone", {name: each for name, each in value.items() if name != key}
            for what, other in _lessened(part, here):
                yield what, {**value, key: other}
    elif isinstance(value, list):
        for number, part in enumerate(value):
            here = f"{path}[{number}]"
            yield f"{here} gone", [*value[:number], *value[number + 1 :]]
            for what, other in _lessened(part, here):
                yield what, [*value[:number], other, *value[number + 1 :]]


def json_value(answer: Answer) -> Any:
    try:
        return json.loads(answer.output)
    except ValueError:
        return None


def _lessened(part: Any, here: str) -> Iterator[tuple[str, Any]]:
    if part is not None:
        yield f"{here} null", None
    if part and isinstance(part, (str, list, dict)):
        yield f"{here} empty", type(part)()
    if isinstance(part, (dict, list)):
        yield from _without(part, here)


def keys_of(value: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """The path of each key in `value`, with the whole value without it, and with garbage under it."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        here = f"{path}[{key}]" if isinstance(value, list) else f"{path}.{key}" if path else str(key)
        if isinstance(value, dict):
            rest = {name: each for name, each in value.items() if name != key}
            yield here, rest, {**rest, key: {"garbage": ["garbage"]}}
        for found, without, garbled in keys_of(part, here):
            yield found, _with(value, key, without), _with(value, key, garbled)


def _with(value: Any, key: Any, part: Any) -> Any:
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    copy[key] = part
    return copy
