"""What facts show of a step: a sign to be looked for, as data that a file can keep, and what was seen of it."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from typing import TypeVar

from packaging.version import Version

from checks.check import NodeView
from checks.common.dataclass import dataclass
from checks.facts import Unknown
from checks.versions import VersionError

F = TypeVar("F")


class State(enum.StrEnum):
    """What became of a step, as far as facts tell."""

    DONE = "done"
    NOT_DONE = "not done"
    CANNOT_TELL = "cannot tell"


_GRAVEST = (State.NOT_DONE, State.CANNOT_TELL, State.DONE)
SCAN = "scan"
"""The kind of sign that is a whole scan's verdict and no single fact."""


@dataclass(frozen=True, slots=True)
class Sign:
    """Something that is so once a step is done."""

    kind: str
    """Which question it is: one of `checks.runbook.following.KINDS`, or SCAN."""
    nodes: tuple[str, ...] = ()
    """The nodes that are asked, by their names in the inventory; empty for SCAN, which asks all."""
    want: Mapping[str, object] = field(default_factory=dict)
    """What the answer has to be: JSON values only."""
    asks: Kind | None = field(default=None, compare=False, repr=False)
    """The kind itself, as the product's runbook, or a kept plan's reader, knows it; None: a built-in one."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of a sign, and one line that says so."""

    state: State
    words: str


@dataclass(frozen=True, slots=True)
class Kind:
    """How signs of one kind are judged."""

    facts: tuple[type, ...]
    """What the nodes are asked for."""
    judge: Callable[[Sequence[NodeView], Mapping[str, object]], Seen]
    """From the nodes that the sign names, in the inventory's order, and what is wanted."""
    told: Callable[[Mapping[str, object]], str]
    """What is wanted, in words."""
    wants: Mapping[str, type] = field(default_factory=dict)
    """What `want` has to hold: key to type; a list is one of texts."""


SCAN_WANTS: Mapping[str, type] = {"phase": str}
SCAN_MAY_WANT: Mapping[str, type] = {"checks": list, "without": list, "target": str}


def wrong_want(want: Mapping[str, object], has: Mapping[str, type], may: Mapping[str, type] = {}) -> str:
    """Why `want`, read from a file, cannot be used; empty where it can."""
    for key, kind in {**has, **may}.items():
        if key not in want:
            if key in has:
                return f"`want` has no `{key}`"
        elif not isinstance(want[key], kind):
            return f"`{key}` is of another type than it has to be"
        elif kind is list and not all(isinstance(item, str) for item in list_of(want[key])):
            return f"`{key}` has to be a list of texts"
    return ""


def list_of(value: object) -> list[object]:
    """The items of a list or tuple; none of anything else."""
    return list(value) if isinstance(value, list | tuple) else []


def each(judge: Callable[[NodeView, Mapping[str, object]], Seen]) -> Callable[..., Seen]:
    """The judge of several nodes, from that of one: every one of them has to show the sign."""

    def judge_all(views: Sequence[NodeView], want: Mapping[str, object]) -> Seen:
        found = [(view.name, judge(view, want)) for view in views]
        return together(Seen(seen.state, f"{name}: {seen.words}") for name, seen in found)

    return judge_all


def each_with(kind: type[F], judge: Callable[[F, Mapping[str, object]], Seen]) -> Callable[..., Seen]:
    """The judge of several nodes, from that of one fact: where it is unknown, nobody can tell."""

    def judge_one(view: NodeView, want: Mapping[str, object]) -> Seen:
        found = view.get(kind)
        return cannot_tell(found) if isinstance(found, Unknown) else judge(found, want)

    return each(judge_one)


def together(seen: Iterable[Seen]) -> Seen:
    """Several as one: nothing is done where a part is not, nor known where a part is unknown. Nothing seen tells none.

    All that bears on it is told, what is missing first.
    """
    rows = sorted(seen, key=lambda one: _GRAVEST.index(one.state))
    if not rows:
        return Seen(State.CANNOT_TELL, "nothing was looked at")
    return Seen(rows[0].state, "; ".join(dict.fromkeys(one.words for one in rows)))


def reached(version: str, want: Mapping[str, object], words: str, parse: Callable[[str], Version]) -> Seen:
    """Whether `version` is the wanted one, or beyond it: a later hop undoes no earlier one, but the way back does."""
    try:
        at, wanted = parse(version), parse(str(want["version"]))
    except VersionError as error:
        return cannot_tell(str(error))
    enough = at == wanted if want.get("exact") else at >= wanted
    return done(words) if enough else not_done(words)


def done(words: str) -> Seen:
    """It is so."""
    return Seen(State.DONE, words)


def not_done(words: str) -> Seen:
    """It is known not to be so."""
    return Seen(State.NOT_DONE, words)


def cannot_tell(why: str | Unknown) -> Seen:
    """Nobody knows, and why."""
    return Seen(State.CANNOT_TELL, why.reason if isinstance(why, Unknown) else why)
