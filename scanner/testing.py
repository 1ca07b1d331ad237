"""For the tests of whoever writes a check: views of nodes and clusters, answers read as a scan reads them, and a scan
over the lab's nodes, whose servers are real ones on loopback.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from checks.check import Check, ClusterInfo, ClusterView, NodeView
from checks.engine import connectivity
from checks.facts import Unknown
from checks.outcome import Result
from scanner.inventory.credentials import resolve
from scanner.inventory.select import select
from scanner.lab.lab import Lab
from scanner.lab.scenario import Scenario, load_scenario, parse_scenario
from scanner.loading.inventory import load_inventory
from scanner.probes.probe import Answer, Probe, UnreadableError
from scanner.probes.registry import BUILTIN as BUILTIN_PROBES
from scanner.run.collect import scan
from scanner.run.prepare import build_request

__all__ = ["Answer", "cluster_view", "load_scenario", "node_view", "parse_scenario", "read", "scan_lab"]


def node_view(
    cluster: ClusterInfo | str,
    *facts: object,
    name: str = "node-1",
    roles: Iterable[str] = (),
    unknown: Mapping[type, str] | None = None,
    absence: str = "",
    options: Mapping[str, object] | None = None,
) -> NodeView:
    """One node as a check sees it. `cluster` may be a product's name alone.

    `unknown` holds facts that could not be read, each with the reason; `absence` says why nobody was asked.
    """
    return NodeView(
        cluster=cluster if isinstance(cluster, ClusterInfo) else ClusterInfo("cluster", cluster),
        name=name,
        host=name,
        roles=frozenset(roles),
        facts={
            **{type(fact): fact for fact in facts},
            **{kind: Unknown(reason) for kind, reason in (unknown or {}).items()},
        },
        absence=absence,
        options=options or {},
    )


def cluster_view(cluster: ClusterInfo | str, nodes: Mapping[str, object], *, roles: Iterable[str] = ()) -> ClusterView:
    """A cluster as a check sees it: each node's name with its fact, a list of facts, or `Unknown` for a silent node."""
    info = cluster if isinstance(cluster, ClusterInfo) else ClusterInfo("cluster", cluster)
    asked = tuple(roles)
    views = []
    for name, found in nodes.items():
        facts = list(found) if isinstance(found, list | tuple) else [found]
        silent = next((fact.reason for fact in facts if isinstance(fact, Unknown)), "")
        views.append(node_view(info, *([] if silent else facts), name=name, roles=asked, absence=silent))
    return ClusterView(info, tuple(views))


def read(probe: Probe, answer: Answer | None = None) -> dict[type, object]:
    """The facts that a probe's readers make of an answer; of its own sample, where none is given.

    What a reader refuses is `Unknown`, with what it says.
    """
    found: dict[type, object] = {}
    for kind, reader in probe.readers:
        try:
            found[kind] = reader(answer or Answer(probe.sample, 0, error_output=probe.sample_errors))
        except UnreadableError as refused:
            found[kind] = Unknown(str(refused))
    return found


def scan_lab(
    scenario: Scenario | str | Path, *, checks: Sequence[Check], probes: Sequence[Probe] = (), phase: str = "before"
) -> tuple[Result, ...]:
    """What `checks`, and connectivity, come to on the nodes of a lab's scenario, asked over its real servers.

    `probes` are asked beside the built-in ones. A node answers each with what the scenario says under `answers` or
    `canned`, else with the probe's sample.
    """
    ours = {probe.id for probe in probes}
    known = (*(probe for probe in BUILTIN_PROBES if probe.id not in ours), *probes)
    with tempfile.TemporaryDirectory(prefix="preflight-testing-") as folder, Lab(scenario, probes=known) as lab:
        selection = select(load_inventory(lab.write(Path(folder))))
        selection = replace(selection, inventory=resolve(selection.inventory))
        job = build_request(selection, phase=phase)
        job = replace(job, checks=(connectivity.CHECK, *checks), probes=known, failures=(), whole=False)
        return scan(job).results
