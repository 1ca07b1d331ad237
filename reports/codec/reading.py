"""JSON values read as a class says, with the place of every mistake."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reports.codec.shape import PLAIN, Shape, key_of, may_be_left_out, shape_of

_NAME_CHARS = 60


class MalformedError(Exception):
    """The values do not have the shape of the document. The message is one line and begins with the place."""

    def __init__(self, message: str, mistake: Mistake | None = None) -> None:
        super().__init__(message)
        self.mistake = mistake
        """What it tells of, for whoever has words of its own."""


class Mistake(Exception):  # noqa: N818  what is wrong somewhere below, on its way up to where its place is known
    """What is wrong, and the steps to it from the place that it has come up to: to tell them of all that is right
    would take a third of the time of reading it.
    """

    def __init__(self, what: str, value: object = None, *, wanted: str = "", known: Sequence[object] = ()) -> None:
        """`wanted` is what should stand there instead of `value`, `known` are the words or keys that may."""
        super().__init__(what)
        self.what, self.value, self.wanted, self.known = what, value, wanted, tuple(known)
        self.steps: list[str | int] = []

    @property
    def key(self) -> str:
        """The key at which it is; empty where it is no key."""
        return next((step for step in self.steps[:1] if isinstance(step, str)), "")

    @property
    def place(self) -> str:
        """Where it is: `nodes.web1.roles[2]`."""
        place = ""
        for step in reversed(self.steps):
            place = f"{place}[{step}]" if isinstance(step, int) else _at(place, step)
        return place


def read(kind: Any, value: object) -> Any:
    """The value of type `kind` that stands in JSON as `value`. Raises MalformedError."""
    try:
        return _read(shape_of(kind), value)
    except Mistake as mistake:
        raise MalformedError(f"{mistake.place} {mistake.what}".lstrip(), mistake) from None


def _read(shape: Shape, value: Any) -> Any:
    if shape.form:
        try:
            return shape.form.read(value)
        except (ValueError, OverflowError):
            raise _other(shape.form.what, value, shape.form.schema.get("enum", ())) from None
    if shape.several:
        return None if shape.or_null and value is None else _read(_meant(shape.several, value), value)
    if shape.kind is tuple and shape.each:
        return _read_list(shape.each, value)
    if not isinstance(value, dict):
        raise _other("object", value)
    step = ""
    try:
        for step in value if shape.known else ():
            if step not in shape.known:
                raise Mistake(f"is unknown; there are {', '.join(shape.known)}", known=shape.known)  # noqa: TRY301
        if shape.each:
            entries = {}
            for step, each in value.items():
                entries[step] = _read(shape.each, each)
            return entries
        found = {}
        for key, of in shape.keys:
            step = key_of(key)
            if of.about.const:  # says which format it is, which whoever reads it has looked at
                found[key.name] = of.about.const
            elif step in value:
                found[key.name] = _read(of, value[step])
            elif not may_be_left_out(key):
                raise Mistake("is missing")  # noqa: TRY301  its place is this one's
    except Mistake as mistake:
        mistake.steps.append(step)
        raise
    return shape.kind(**found)


def _other(wanted: str, value: object, known: Sequence[object] = ()) -> Mistake:
    return Mistake(f"is no {wanted}", value, wanted=wanted, known=known)


def _read_list(shape: Shape, value: Any) -> tuple[Any, ...]:
    texts = shape.form is PLAIN[str]
    if not isinstance(value, list) or (texts and not all(isinstance(each, str) for each in value)):
        raise _other(f"list{' of texts' if texts else ''}", value)
    if texts:
        return tuple(value)
    found = []
    try:
        for each in value:
            found.append(_read(shape, each))  # noqa: PERF401  how many there are says which was wrong
    except Mistake as mistake:
        mistake.steps.append(len(found))
        raise
    return tuple(found)


def _meant(shapes: tuple[Shape, ...], value: object) -> Shape:
    """Which of several classes a document is: a later one whose first key it has, else the first."""
    for shape in shapes[1:]:
        if isinstance(value, dict) and shape.keys[0][0].name in value:
            return shape
    return shapes[0]


def _at(place: str, key: str) -> str:
    name = " ".join(key.split())[:_NAME_CHARS]  # perhaps one that somebody made up
    return f"{place}.{name}" if place else name
