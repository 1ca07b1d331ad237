"""What lies in a package is what there is: a module with a `CHECK`, or with `PROBES`, needs to be listed nowhere."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator, Sequence
from types import ModuleType
from typing import Protocol, TypeVar

from checks.check import Check, ClusterCheck, NodeCheck


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


T = TypeVar("T", bound=_HasId)


def modules_in(package: str, *, besides: Sequence[str] = ()) -> Iterator[ModuleType]:
    """Every module of `package` and of the packages in it, by name; but for those called as in `besides`."""
    for found in sorted(pkgutil.iter_modules(importlib.import_module(package).__path__), key=lambda one: one.name):
        if found.name in besides:
            continue
        name = f"{package}.{found.name}"
        if found.ispkg:
            yield from modules_in(name, besides=besides)
        else:
            yield importlib.import_module(name)


def checks_in(package: str) -> tuple[Check, ...]:
    """The `CHECK` of every module in a product's package; the product's own module makes the rest."""
    found = (vars(module).get("CHECK") for module in modules_in(package, besides=("product", "runbook")))
    return tuple(check for check in found if isinstance(check, NodeCheck | ClusterCheck))


def in_order(found: Iterable[T], first: Sequence[str], last: Sequence[str] = ()) -> tuple[T, ...]:
    """`found` by the ids of `first`, then what is named nowhere, then `last`.

    Raises LookupError for two of an id, and for one that is named and was not found: a program that cannot see what
    lies in its packages must not go on without it.
    """
    known: dict[str, T] = {}
    for one in found:
        if known.setdefault(one.id, one) is not one:
            raise LookupError(f"{one.id}: two things have this id")
    missing = [name for name in (*first, *last) if name not in known]
    if missing:
        raise LookupError(f"not found: {', '.join(missing)}; install preflight anew")
    between = [name for name in known if name not in first and name not in last]
    return tuple(known[name] for name in (*first, *between, *last))
