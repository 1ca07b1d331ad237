"""How long what the dask engine waits for is waited for."""

from __future__ import annotations

from checks.common.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long what is waited for, in seconds."""

    look: float = 0.5
    """Between two looks at the workers."""
    worker: float = 30.0
    """For a worker of a site."""
    silence: float = 30.0
    """For a sign of life of a worker."""
    scheduler: float = 30.0
    """For a scheduler that was lost."""
    farewell: float = 5.0
    """For the shells to be closed when a scan is interrupted."""


PATIENCE = Patience()
