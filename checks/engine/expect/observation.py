"""What a node said of an expectation: a kind of fact for each, known or unknown and compared with others by itself."""

from __future__ import annotations

import copyreg
import functools
from collections.abc import Mapping
from dataclasses import field
from typing import Any, ClassVar, cast

from checks.common.dataclass import dataclass


class _ObservationType(type):
    """The type of those kinds. They are made as they are needed, and a copy of one is the one there is."""


@dataclass(frozen=True, slots=True)
class Observation(metaclass=_ObservationType):
    """What was found. Of an expectation called `time-sync` it is a fact of the kind `expect-time-sync`."""

    found: Mapping[str, str]
    """By item: what the node said, such as `mode` "0640"; `exists` and the like are "yes" and "no"."""
    gaps: Mapping[str, str] = field(default_factory=dict)
    """By item: why the node could not say it."""
    shown: str = ""
    """The beginning of what a command printed, for people."""

    NOT_COMPARED: ClassVar[frozenset[str]] = frozenset({"shown"})
    """Fields that drift does not compare."""


@functools.cache
def observation_kind(expectation_id: str) -> type[Observation]:
    """The kind of fact that answers the expectation of that id: always the same class."""
    space: dict[str, Any] = {"__slots__": (), "__module__": __name__, "__doc__": f"What was found of {expectation_id}."}
    kind: Any = _ObservationType(f"expect-{expectation_id}", (Observation,), space)
    return cast("type[Observation]", kind)


def _again(kind: _ObservationType) -> Any:
    """How a kind is pickled: the general one by its name, the others by what they were made from."""
    return kind.__qualname__ if kind is Observation else (observation_kind, (kind.__name__.removeprefix("expect-"),))


copyreg.pickle(_ObservationType, _again)
