"""Which parts of the facts a check looked at: where it passes over a loss, whether it went by what was lost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache
from typing import Any

from checks.check import Check, ClusterCheck, ClusterView, NodeCheck, NodeView
from checks.facts import Unknown

Path = tuple[str, ...]
"""Node, class of the fact, then fields and places in tuples: ("web1", "AppFiles", "files", "0", "version")."""


@dataclass(frozen=True, slots=True)
class _Mark:
    path: Path
    reads: set[Path]


def looked_at(check: Check, view: NodeView | ClusterView) -> set[Path]:
    """Judge once more, and tell what was looked at on the way."""
    reads: set[Path] = set()
    if isinstance(check, NodeCheck):
        assert isinstance(view, NodeView)
        check.judge(_traced_view(view, reads))
    elif isinstance(check, ClusterCheck):
        assert isinstance(view, ClusterView)
        check.judge(replace(view, nodes=tuple(_traced_view(node, reads) for node in view.nodes)))
    return reads


def changes(before: object, after: object, path: Path) -> Iterator[Path]:
    """The paths of what differs, each as deep as it can be told."""
    if is_dataclass(before) and type(before) is type(after) and not isinstance(before, Unknown):
        for one in fields(before):
            yield from changes(getattr(before, one.name), getattr(after, one.name), (*path, one.name))
    elif isinstance(before, tuple) and isinstance(after, tuple) and len(before) == len(after):
        for number, pair in enumerate(zip(before, after, strict=True)):
            yield from changes(*pair, (*path, str(number)) if any(map(is_dataclass, pair)) else path)
    elif before != after:
        yield path


class _Facts(dict[type, object]):
    """A node's facts; each that is asked for is noted, and notes what is read of it."""

    def __init__(self, facts: Mapping[type, object], node: str, reads: set[Path]) -> None:
        super().__init__(facts)
        self._node, self._reads = node, reads

    def get(self, kind: type, default: object = None) -> Any:
        path = (self._node, kind.__name__)
        self._reads.add(path)
        found = super().get(kind, default)
        return found if isinstance(found, Unknown) else _traced(found, path, self._reads)


def _traced_view(view: NodeView, reads: set[Path]) -> NodeView:
    return replace(view, facts=_Facts(view.facts, view.name, reads))


def _traced(value: Any, path: Path, reads: set[Path]) -> Any:
    if isinstance(value, tuple) and any(map(is_dataclass, value)):
        return tuple(_traced(one, (*path, str(number)), reads) for number, one in enumerate(value))
    if not is_dataclass(value) or isinstance(value, type):
        return value
    copy: Any = object.__new__(_tracing(type(value)))
    for one in fields(value):
        object.__setattr__(copy, one.name, getattr(value, one.name))
    object.__setattr__(copy, "_mark", _Mark(path, reads))
    return copy


@cache
def _tracing(kind: type) -> type:
    """A subclass that notes which of its fields are read."""
    names = frozenset(one.name for one in fields(kind))

    def read(self: Any, name: str) -> Any:
        value = object.__getattribute__(self, name)
        if name not in names:
            return value
        mark: _Mark | None = object.__getattribute__(self, "__dict__").get("_mark")
        if mark is None:
            return value
        path = (*mark.path, name)
        mark.reads.add(path)
        return _traced(value, path, mark.reads)

    return type(kind.__name__, (kind,), {"__getattribute__": read})
