"""How `preflight discover` asks: with the engine of a scan, one round trip for each machine, and no check."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from checks.common.dataclass import dataclass
from scanner.inventory.discover.model import NotToldError
from scanner.inventory.model import Inventory, Node
from scanner.inventory.select import Selection, select
from scanner.run.facts import read_facts
from scanner.run.job import ScanRequest
from scanner.run.prepare import build_request
from scanner.transports.answers import Responses

Collect = Callable[[ScanRequest], Responses]
"""Asks what a job is about; every secret that it takes is fetched already."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks machines one after the other, all with one login."""

    job: ScanRequest
    """About the one machine that the command line names, ready to be asked."""
    collect: Collect

    @property
    def node(self) -> Node:
        """The machine that the command line names."""
        return self.job.clusters[0][0].nodes[0]

    @property
    def host(self) -> str:
        """Its name or address."""
        return self.node.host

    def ask(self, kinds: Sequence[type], *, role: str, host: str = "") -> Mapping[type, object]:
        """The facts of `kinds` of a machine in that role. Raises NotToldError."""
        job = self.asked_for(kinds, role=role, host=host)
        collected = self.collect(job)
        (call,) = job.calls()
        said = collected.said.get(call.node.key)
        if said is None or not collected.complete:
            raise KeyboardInterrupt
        if said.failure:
            raise NotToldError(f"{call.node.host}: {said.failure}{f'; {said.hint}' if said.hint else ''}")
        return read_facts(said, call.probes)

    def asked_for(self, kinds: Sequence[type], *, role: str, host: str = "") -> ScanRequest:
        """The job of one question."""
        (cluster, info), *_ = self.job.clusters
        node = replace(self.node, roles=(role,))
        if host and host != node.host:
            node = replace(node, name=host, host=host)
        cluster = replace(cluster, nodes=(node,))
        return replace(
            self.job,
            clusters=((cluster, info),),
            chosen=frozenset({(cluster.name, node.name)}),
            checks=(),
            also={role: tuple(kinds)},
        )


def about(inventory: Inventory) -> tuple[ScanRequest, Selection]:
    """What can be asked of an inventory of one machine. Nothing is contacted."""
    selection = select(inventory)
    return build_request(selection), selection
