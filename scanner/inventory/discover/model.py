"""What is found out about a cluster, before it is written down."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from checks.common.dataclass import dataclass
from scanner.errors import PreflightError


class NotToldError(PreflightError):
    """The machine did not answer, or not what it takes: nothing can be written. Exit code 3."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundNode:
    """One machine."""

    name: str
    """What the inventory should call it; it is made usable and unlike the others' where it is written."""
    host: str
    """Empty where nobody could say it: a blank to fill in."""
    roles: tuple[str, ...]
    is_asked: bool = False
    """Whether it is the machine that told of the others."""
    notes: tuple[str, ...] = ()
    """What stands above it; each is a paragraph."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundCluster:
    """The cluster that the machine belongs to, as far as it could tell."""

    nodes: tuple[FoundNode, ...]
    asked: str
    """What the machine that was asked is called."""
    version: str = ""
    """What is installed there; empty where that was not told."""
    missing: tuple[str, ...] = ()
    """What could not be found out, each with what to do about it; they are said on the terminal as well."""
    blanks: tuple[str, ...] = ()
    """Keys of the cluster that only people know the value of."""


class Asking(Protocol):
    """How a machine is asked, with the login of the command line."""

    @property
    def host(self) -> str:
        """The machine that the command line names."""
        ...

    def ask(self, kinds: Sequence[type], *, role: str, host: str = "") -> Mapping[type, object]:
        """The facts of `kinds` of a machine in that role; `host` where it is another one.

        Raises NotToldError where it cannot be asked.
        """
        ...


Discover = Callable[[Asking], FoundCluster]
"""Finds the cluster of the machine that is asked. Raises NotToldError, and UsageError where it is none of the
product's."""
