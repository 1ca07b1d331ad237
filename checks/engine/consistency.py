"""The words of every check that compares nodes: who differs from whom, who lacks it, of whom it is not known.

A check says what of a fact is compared (`compare`), and what becomes of each kind of finding:

    found = compare(view, EncryptionConfig, hash_of)
    outcomes = [
        *found.lacking(lambda names: failed(f"encryption.config is missing on {names}")),
        *found.differing(lambda who: failed(f"encryption configs do not match: {who}")),
    ]

The engine turns a pass over nodes whose fact is unknown into an error by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Generic, TypeVar

from checks.check import ClusterView
from checks.common.dataclass import dataclass
from checks.engine.wording import enumerate_names, group_by_reason
from checks.facts import Unknown
from checks.outcome import Outcome

F = TypeVar("F")
V = TypeVar("V", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Groups(Generic[V]):
    """Nodes by value, the largest group first; equal sizes in inventory order."""

    members: tuple[tuple[V, tuple[str, ...]], ...]

    @property
    def agree(self) -> bool:
        """Whether all nodes have the same value."""
        return len(self.members) <= 1

    @property
    def outliers(self) -> tuple[str, ...]:
        """The nodes outside the one largest group; none where no group is the largest."""
        if self.agree or len(self.members[0][1]) == len(self.members[1][1]):
            return ()
        return tuple(name for _, names in self.members[1:] for name in names)

    def sentence(self) -> str:
        """Who differs from whom, in words."""
        if self.outliers:
            verb = "differs" if len(self.outliers) == 1 else "differ"
            return f"{enumerate_names(self.outliers)} {verb} from {enumerate_names(self.members[0][1])}"
        return " against ".join(enumerate_names(names) for _, names in self.members)


@dataclass(frozen=True, slots=True)
class Missing:
    """The node has no such thing, and is known not to."""


@dataclass(frozen=True, slots=True)
class Denied:
    """The node has it, and does not let it be compared."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison(Generic[V]):
    """What the nodes have of one thing, in inventory order."""

    values: tuple[tuple[str, V], ...]
    """Each node that has it, with what it is there."""
    missing: tuple[str, ...]
    denied: tuple[tuple[str, str], ...]
    """Each node that does not let it be compared, with the reason."""
    gaps: tuple[tuple[str, str], ...]
    """Each node of which it is not known, with the reason."""

    @property
    def groups(self) -> Groups[V]:
        """The nodes that have it, by what it is."""
        return group(self.values)

    @property
    def agree(self) -> bool:
        """Whether all that have it have the same."""
        return self.groups.agree

    @property
    def not_compared(self) -> list[str]:
        """Why it was not compared everywhere, each reason once."""
        return group_by_reason([*self.denied, *self.gaps])

    def differing(self, say: Callable[[str], Outcome]) -> list[Outcome]:
        """What `say` makes of who differs from whom; nothing where all have the same."""
        return [] if self.agree else [say(self.groups.sentence())]

    def lacking(
        self, say: Callable[[str], Outcome], *, nobody: Callable[[str], Outcome] | None = None
    ) -> list[Outcome]:
        """What `say` makes of those that lack it, or `nobody` where no node has it; nothing where none lacks it."""
        return naming(self.missing, say if self.values or self.denied else nobody or say)

    def closed(self, say: Callable[[str], Outcome]) -> list[Outcome]:
        """What `say` makes of those that do not let it be compared; nothing where none is."""
        return naming([name for name, _ in self.denied], say)


def compare(view: ClusterView, kind: type[F], value: Callable[[F], V | Missing | Denied | Unknown]) -> Comparison[V]:
    """Compare what `value` takes out of each node's fact."""
    looks = ((node.name, node.get(kind)) for node in view.nodes)
    return compared((name, found if isinstance(found, Unknown) else value(found)) for name, found in looks)


def compared(pairs: Iterable[tuple[str, V | Missing | Denied | Unknown]]) -> Comparison[V]:
    """Compare what is beside the nodes' names."""
    values: list[tuple[str, V]] = []
    missing: list[str] = []
    denied: list[tuple[str, str]] = []
    gaps: list[tuple[str, str]] = []
    for name, value in pairs:
        match value:
            case Missing():
                missing.append(name)
            case Denied(why):
                denied.append((name, why))
            case Unknown(reason=reason):
                gaps.append((name, reason))
            case _:
                values.append((name, value))
    return Comparison(values=tuple(values), missing=tuple(missing), denied=tuple(denied), gaps=tuple(gaps))


def naming(names: Sequence[str], say: Callable[[str], Outcome]) -> list[Outcome]:
    """What `say` makes of the `names` in a sentence; nothing where there are none."""
    return [say(enumerate_names(names))] if names else []


def group(pairs: Iterable[tuple[str, V]]) -> Groups[V]:
    """Group `(node, value)` pairs by value."""
    by_value: dict[V, list[str]] = {}
    for name, value in pairs:
        by_value.setdefault(value, []).append(name)
    ranked = sorted(by_value.items(), key=lambda item: -len(item[1]))
    return Groups(tuple((value, tuple(names)) for value, names in ranked))
