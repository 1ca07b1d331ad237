"""What a run is going to do, settled before anything is contacted, and what came of asking."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from checks.check import Check, ClusterInfo
from checks.common.dataclass import dataclass
from checks.engine.acceptance.model import Attestation, Waiver
from checks.engine.left_out import judged_in
from checks.outcome import Result
from checks.product import identity_of, version_facts
from checks.scan import FailOn
from scanner.inventory.model import Cluster, Node, NodeKey
from scanner.probes.probe import Probe
from scanner.probes.registry import select_probes
from scanner.run.engines.engine import EngineChoice
from scanner.run.node import NodeRequest
from scanner.transports.protocol import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRequest:
    """What a scan is going to do, settled before anything is contacted."""

    inventory_name: str
    clusters: tuple[tuple[Cluster, ClusterInfo], ...]
    chosen: frozenset[NodeKey]
    checks: tuple[Check, ...]
    probes: tuple[Probe, ...]
    limits: Limits = field(default_factory=Limits)
    parallel: int = 32
    engine: EngineChoice = field(default_factory=EngineChoice)
    """What asks the nodes."""
    strict: bool = False
    notices: tuple[str, ...] = ()
    failures: tuple[Result, ...] = ()
    """Results that stand beforehand: plugins that did not load."""
    waivers: tuple[Waiver, ...] = ()
    attestations: tuple[Attestation, ...] = ()
    """Those that concern what is selected."""
    phase: str = "before"
    """One of checks.check.PHASES."""
    fail_on: FailOn = FailOn.ANY
    """What the exit code follows."""
    inventory_digest: str = ""
    """SHA-256 of the inventory's text, in hexadecimal."""
    whole: bool = False
    """True where all nodes are asked and all checks are made, before the window and for the inventory's own targets: a
    waiver that is good for nothing then is good for nothing."""

    also: Mapping[str, tuple[type, ...]] = field(default_factory=dict)
    """Role to facts that are gathered of its nodes whatever the checks read: those that a plan is made of."""

    _selected: dict[tuple[object, ...], tuple[Probe, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """What nodes that are alike in all that it depends on are asked: of thousands, nearly all are."""

    def calls(self) -> list[NodeRequest]:
        """One call per chosen node, in inventory order."""
        return [call for cluster, info in self.clusters for call in self.calls_of(cluster, info)]

    def calls_of(self, cluster: Cluster, info: ClusterInfo) -> list[NodeRequest]:
        """Those to the nodes of one cluster."""
        version = version_facts(info.definition, self.checks)
        return [
            NodeRequest(node, self._probes_of(node, info, version), self.limits, site=cluster.site)
            for node in cluster.nodes
            if (cluster.name, node.name) in self.chosen
        ]

    def _probes_of(self, node: Node, info: ClusterInfo, version: tuple[type, ...]) -> tuple[Probe, ...]:
        also = self._also(node, info) + (version if info.definition.carrier in node.roles else ())
        own = node.cluster if any(check.clusters for check in self.checks) else ""
        skip = tuple(info.skip)
        key = (node.product, node.roles, node.language, node.transport, node.logs_in_to_sql, also, own, skip)
        if key not in self._selected:
            self._selected[key] = select_probes(node, judged_in(self.checks, info.skip), self.probes, also)
        return self._selected[key]

    def _also(self, node: Node, info: ClusterInfo) -> tuple[type, ...]:
        identity = identity_of(info.definition)
        wanted = tuple(kind for role in node.roles for kind in self.also.get(role, ()))
        return wanted + (identity.facts if identity else ())
