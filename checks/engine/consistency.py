"""Who differs from whom: nodes grouped by a value, and the minority named."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

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


def group(pairs: Iterable[tuple[str, V]]) -> Groups[V]:
    """Group `(node, value)` pairs by value."""
    by_value: dict[V, list[str]] = {}
    for name, value in pairs:
        by_value.setdefault(value, []).append(name)
    ranked = sorted(by_value.items(), key=lambda item: -len(item[1]))
    return Groups(tuple((value, tuple(names)) for value, names in ranked))


def enumerate_names(names: Sequence[str]) -> str:
    """Names in a sentence: "web1", "web1 and web2", "web1, web2 and web3"."""
    return " and ".join([*([", ".join(names[:-1])] if names[:-1] else []), *names[-1:]])


def group_by_reason(reasons: Iterable[tuple[str, str]]) -> list[str]:
    """`(node, reason)` pairs with each reason once: "web1 and web2: not answered"."""
    names: dict[str, list[str]] = {}
    for name, reason in reasons:
        names.setdefault(reason, []).append(name)
    return [f"{enumerate_names(those)}: {reason}" for reason, those in names.items()]
