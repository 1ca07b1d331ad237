"""A mutant put into a process that has imported everything: the functions stay, and what they do is exchanged."""

from __future__ import annotations

import functools
import gc
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from inspect import CO_NEWLOCALS
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, NamedTuple

from tests.mutate.changes import Mutant


class Key(NamedTuple):
    """What a function's code has in common with the code of the same function that was compiled again."""

    file: str
    name: str
    line: int


class CannotSwapError(Exception):
    """The module has to be imported anew for it."""


Functions = Mapping[Key, list[FunctionType]]


def key_of(code: CodeType) -> Key:
    """The key that the code is found by."""
    return Key(code.co_filename, code.co_qualname, code.co_firstlineno)


def functions(folder: str) -> Functions:
    """Every function that there is of the modules in a folder: methods and those in registries and closures too."""
    found: dict[Key, list[FunctionType]] = {}
    for each in gc.get_objects():
        if isinstance(each, FunctionType) and each.__code__.co_filename.startswith(folder):
            found.setdefault(key_of(each.__code__), []).append(each)
    return found


@dataclass(frozen=True, slots=True)
class Caches:
    """Those of functions, or what is exchanged is not asked again."""

    bounded: list[Any]
    memos: frozenset[CodeType]
    """The code of functions that keep all they ever gave, as others may rely on its being the same."""

    @classmethod
    def found(cls) -> Caches:
        """Every one that there is."""
        every = [each for each in gc.get_objects() if isinstance(each, functools._lru_cache_wrapper)]
        memos = [each for each in every if each.cache_parameters()["maxsize"] is None]
        return cls(
            [each for each in every if each not in memos],
            frozenset(each.__wrapped__.__code__ for each in memos if isinstance(each.__wrapped__, FunctionType)),
        )

    def forget(self) -> None:
        """Empty those that may lose something at any time."""
        for each in self.bounded:
            each.cache_clear()


@functools.cache
def outermost(path: Path, text: bytes) -> list[CodeType]:
    """The code of the functions of a module that are in no other, without a change."""
    return list(_outermost(compile(text, str(path), "exec", dont_inherit=True)))


def swap(mutant: Mutant, existing: Functions) -> None:
    """Exchange what the function in which the change is does, for good."""
    old = outermost(mutant.path, mutant.text)
    new = list(_outermost(compile(mutant.source(), str(mutant.path), "exec", dont_inherit=True)))
    if len(old) != len(new):
        raise CannotSwapError  # twice the same on one line was one, and is two now
    pairs = [pair for one, two in zip(old, new, strict=True) for pair in _differing(one, two)]
    known = [(each, two) for one, two in pairs for each in existing.get(key_of(one), ())]
    if not known or len({key_of(one) for one, _ in pairs}) < len(pairs):
        raise CannotSwapError  # nothing to exchange, or functions of one name on one line
    for each, code in known:
        if each.__code__.co_freevars != code.co_freevars:
            raise CannotSwapError
        each.__code__ = code


def _outermost(code: CodeType) -> Iterator[CodeType]:
    for each in _inner(code):
        if each.co_flags & CO_NEWLOCALS:
            yield each
        else:
            yield from _outermost(each)


def _inner(code: CodeType) -> list[CodeType]:
    return [each for each in code.co_consts if isinstance(each, CodeType)]


def _differing(one: CodeType, two: CodeType) -> Iterator[tuple[CodeType, CodeType]]:
    """The function, and those in it, if they differ. Of one that lacks some of these, itself alone."""
    if _same(one, two):
        return
    yield one, two
    if len(_inner(one)) == len(_inner(two)):
        for each, other in zip(_inner(one), _inner(two), strict=True):
            yield from _differing(each, other)


def _same(one: CodeType, two: CodeType) -> bool:
    """Whether they do the same, wherever their lines have moved to."""
    if (one.co_code, one.co_names, one.co_varnames, one.co_freevars, one.co_cellvars, one.co_flags) != (
        two.co_code,
        two.co_names,
        two.co_varnames,
        two.co_freevars,
        two.co_cellvars,
        two.co_flags,
    ):
        return False
    if len(one.co_consts) != len(two.co_consts):
        return False
    return all(
        _same(a, b) if isinstance(a, CodeType) and isinstance(b, CodeType) else _alike(a, b)
        for a, b in zip(one.co_consts, two.co_consts, strict=True)
    )


def _alike(one: object, two: object) -> bool:
    """Equal, and `True` is not 1."""
    return repr(one) == repr(two) if type(one) is type(two) else False
