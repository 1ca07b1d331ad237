"""Nodes over SSH.

The library that speaks it imports a tool for building software, and half of the standard library behind it, for one
option of a configuration that it is hardly ever asked to read. At the start of each scan that takes a tenth of a
second, more than dozens of nodes do: so that tool is loaded when it is first used.
"""

from __future__ import annotations

import importlib.util
import sys
import threading
from types import ModuleType
from typing import Any

_BUILD_TOOL = "invoke"
_loading = threading.Lock()


class _Later(ModuleType):
    """Stands for a module until somebody looks into it, and then gives its place to it."""

    def __getattr__(self, name: str) -> Any:
        with _loading:
            if sys.modules.get(self.__name__) is self:
                del sys.modules[self.__name__]
            whole = importlib.import_module(self.__name__)
        return getattr(whole, name)


if _BUILD_TOOL not in sys.modules and importlib.util.find_spec(_BUILD_TOOL):
    sys.modules[_BUILD_TOOL] = _Later(_BUILD_TOOL)
