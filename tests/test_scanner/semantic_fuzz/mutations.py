"""What can be missing from an answer, and what can be garbled in it, each frame, line, word and value in turn."""

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
    kind: str = ""
    """Of a garble what was done to it, one of GARBLES; empty where something was taken away."""


WORD = "Qzxvw"
"""No vendor's word for anything."""
LOST = "\N{REPLACEMENT CHARACTER}"
"""What a decoder puts for bytes that it does not understand."""
GARBLES = {
    "word": "a word that means nothing stands there",
    "lost": "a byte of it was not decoded",
    "letters": "its digits are letters that look like them",
    "letter": "its last digit is such a letter",
    "date": "a day that there is not",
    "dots": "of a version's numbers one is gone, and its dot is not",
    "type": "another type of JSON",
    "fused": "two columns without the blanks between them",
    "line": "a line that says nothing",
}


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


def garbles(answer: Answer) -> Iterator[Mutation]:
    """Everything in an answer that can be made into what means nothing, one at a time."""
    value = json_value(answer)
    if isinstance(value, (dict, list)):
        for path, kind, other in _garbled(value, ""):
            yield Mutation(f"value {path}, {kind}", replace(answer, output=json.dumps(other)), kind)
    else:
        yield from _garbled_text(answer)


def _garbled_text(answer: Answer) -> Iterator[Mutation]:
    lines = answer.output.splitlines(keepends=True)
    for number, line in enumerate(lines):

        def said(instead: str, number: int = number) -> Answer:
            return replace(answer, output="".join([*lines[:number], instead, *lines[number + 1 :]]))

        told = repr(line.strip())
        if not line.strip():
            continue
        yield Mutation(f"line {told}, line", said(f"{WORD} {WORD.lower()}\n"), "line")
        for gap in re.finditer(r"(?<=\S)[ \t]+(?=\S)", line):
            fused = line[: gap.start()] + line[gap.end() :]
            yield Mutation(f"gap before {line[gap.end() :].strip()!r} of {told}, fused", said(fused), "fused")
        for found in re.finditer(r"\S+", line):
            for kind, word in _words(found[0]):
                other = line[: found.start()] + word + line[found.end() :]
                yield Mutation(f"word {found[0]!r} of {told}, {kind}", said(other), kind)


def _words(text: str) -> Iterator[tuple[str, str]]:
    """What becomes of a text that is garbled, by kind of garble."""
    yield "word", WORD
    middle = len(text) // 2
    yield "lost", f"{text[:middle]}{LOST}{text[middle + 1 :]}"
    if re.search(r"\d", text):
        yield "letters", text.translate(_LOOKALIKES)
        at = max(found.start() for found in re.finditer(r"\d", text))
        yield "letter", f"{text[:at]}{text[at].translate(_LOOKALIKES)}{text[at + 1 :]}"
    if _DAY.search(text):
        yield "date", _DAY.sub(r"\1-13-45", text)
    if _DOTTED.search(text):
        yield "dots", _DOTTED.sub(r"\1..\2", text)


_LOOKALIKES = str.maketrans("0123456789", "OlZzhSGTXg")
_DAY = re.compile(r"(\d{4})-\d\d-\d\d")
_DOTTED = re.compile(r"(\d+)\.\d+\.(\d+)")


def _garbled(value: Any, path: str) -> Iterator[tuple[str, str, Any]]:
    """`value` with each of its parts garbled in turn: path, kind, and the whole."""
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    for key, part in parts:
        here = f"{path}[{key}]" if isinstance(value, list) else f"{path}.{key}" if path else str(key)
        for kind, other in _otherwise(part):
            yield here, kind, _with(value, key, other)
        if isinstance(part, (dict, list)):
            for below, kind, other in _garbled(part, here):
                yield below, kind, _with(value, key, other)


def _otherwise(part: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(part, str):
        yield from _words(part) if part else ()
        yield "type", [part]
        yield "type", True
    elif isinstance(part, bool):
        yield "word", WORD
        yield "type", 2
        yield "type", [part]
    elif isinstance(part, (int, float)):
        yield "word", WORD
        yield "letter", f"{part}"[:-1] + f"{part}"[-1].translate(_LOOKALIKES)
        yield "type", True
        yield "type", part + 0.5
        yield "type", float("nan")
        yield "type", [part]
    elif part is None:
        yield "type", [WORD]
        yield "type", True
    else:
        yield "word", WORD
        yield "type", [part] if isinstance(part, dict) else {WORD: part}
        yield "type", True


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
