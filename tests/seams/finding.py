"""The seams: every function of the product that a scan calls, by the name under which it can be replaced."""

from __future__ import annotations

import functools
import importlib
import pkgutil
import sys
import threading
from collections.abc import Callable, Iterator
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any, Self

ROOMS = ("scanner", "reports", "checks")
_NOT_OURS = ("scanner.lab", "scanner.__main__", "scanner.cli.process.supervisor")
"""The lab is what is scanned; and the parent process knows no secret."""


def seams() -> dict[str, FunctionType]:
    """Name to function, in a fixed order, wherever a class or a decorator keeps it."""
    found: dict[str, FunctionType] = {}
    for room in ROOMS:
        package = importlib.import_module(room)
        for each in pkgutil.walk_packages(package.__path__, f"{room}."):
            if not each.name.startswith(_NOT_OURS):
                found |= dict(_functions(importlib.import_module(each.name)))
    return found


def _functions(module: ModuleType) -> Iterator[tuple[str, FunctionType]]:
    for name, value in sorted(vars(module).items()):
        if isinstance(value, type) and value.__module__ == module.__name__:
            for part, held in sorted(vars(value).items()):
                for function in _held(held):
                    if function.__code__.co_filename == module.__file__:
                        yield f"{module.__name__}:{name}.{part}", function
        else:
            for function in _held(value):
                if function.__module__ == module.__name__ and function.__code__.co_filename == module.__file__:
                    yield f"{module.__name__}:{name}", function


def _held(value: Any) -> Iterator[FunctionType]:
    if isinstance(value, staticmethod | classmethod):
        value = value.__func__
    if isinstance(value, property):
        value = value.fget
    if isinstance(value, functools.cached_property):
        value = value.func
    # What `contextmanager`, `cache` and their like wrap; the function itself is what is called in the end.
    while hasattr(value, "__wrapped__"):
        value = value.__wrapped__
    if isinstance(value, FunctionType):
        yield value


class Calls:
    """Which code is run meanwhile: in the main thread, and in others."""

    def __init__(self) -> None:
        self.main: set[CodeType] = set()
        self.others: set[CodeType] = set()

    def __enter__(self) -> Self:
        threading.setprofile(self._recorder(self.others))
        sys.setprofile(self._recorder(self.main))
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)
        threading.setprofile(None)

    @staticmethod
    def _recorder(seen: set[CodeType]) -> Callable[[FrameType, str, Any], None]:
        def record(frame: FrameType, event: str, _: Any) -> None:
            if event == "call":
                seen.add(frame.f_code)

        return record
