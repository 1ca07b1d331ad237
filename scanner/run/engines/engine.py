"""Which engine asks the nodes: threads of this process, or machines elsewhere that are given the calls."""

from __future__ import annotations

from collections.abc import Iterable

from checks.common.dataclass import dataclass
from scanner.inventory.model import Node, NodeKey

THREADS, DASK = "threads", "dask"
HOME, WORKER = "home", "worker"
"""Where secrets come from: the machine that the scan was started on, or whichever asks the node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineChoice:
    """Which engine asks, as the inventory and the command line say."""

    name: str = THREADS
    scheduler: str = ""
    """Address of a scheduler; empty: processes of this machine."""
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    secrets: str = HOME
    folder: str = ""
    """The inventory's."""

    @property
    def elsewhere(self) -> bool:
        """Whether nodes are asked from machines that may be others than this one."""
        return self.name == DASK and bool(self.scheduler)

    @property
    def speaks_tls(self) -> bool:
        """Whether the scheduler is spoken to over TLS: one on this machine need not be, whatever files are there."""
        return self.scheduler.startswith("tls:")

    def secrets_here(self, nodes: Iterable[Node]) -> frozenset[NodeKey]:
        """Those of the nodes whose secrets this machine finds; of others, whoever asks them does so.

        The machine that preflight runs on is asked from here, wherever workers are.
        """
        there = self.name == DASK and self.secrets == WORKER
        return frozenset(node.key for node in nodes if not there or node.transport == "local")
