"""Makes a worker that is told so by a file, or by its environment, eat memory or call itself another version.

Given to `dask worker --preload`; everything else of it is as installed.
"""

from __future__ import annotations

import importlib.metadata
import os
import threading
import time
from pathlib import Path
from typing import Any

_STEP = 8 * 1024 * 1024


def _eat(path: Path) -> None:
    eaten = []
    while True:
        time.sleep(0.05)
        if path.exists():
            eaten.append(os.urandom(1) * _STEP)


def dask_setup(_: Any) -> None:
    """dask's own name for what a preloaded file does to a worker."""
    if path := os.environ.get("WORKER_EATS"):
        threading.Thread(target=_eat, args=(Path(path),), daemon=True).start()
    if version := os.environ.get("WORKER_IS_PREFLIGHT"):
        import scanner

        scanner.__version__ = version
    if version := os.environ.get("WORKER_IS_DISTRIBUTED"):
        kept = importlib.metadata.version
        setattr(importlib.metadata, "version", lambda name: version if name == "distributed" else kept(name))  # noqa: B010  no type tells of it
