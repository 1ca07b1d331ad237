"""Which probes there are, and which of them a node is asked for the checks that were selected."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from checks.check import Check
from checks.engine.evaluation import applies_to, facts_of
from checks.registry import PRODUCTS
from scanner.inventory.model import Node
from scanner.probes.chef_backend import cluster, frontend, search_index, service_ports, traces
from scanner.probes.chef_backend import node as chef_node
from scanner.probes.contact import CONTACT_PROBES
from scanner.probes.linux import connections, disks, resources
from scanner.probes.probe import Probe
from scanner.probes.secret_server import probes as secret_server

BUILTIN: tuple[Probe, ...] = (
    *CONTACT_PROBES,
    *secret_server.PROBES,
    traces.PROBE,
    *cluster.PROBES,
    *chef_node.PROBES,
    *frontend.PROBES,
    search_index.PROBE,
    *disks.PROBES,
    *resources.PROBES,
    connections.PROBE,
    service_ports.PROBE,
)
"""Every probe that comes with preflight, in the order in which a node is asked."""


def select_probes(
    node: Node, checks: Iterable[Check], probes: Sequence[Probe] = BUILTIN, also: Iterable[type] = ()
) -> tuple[Probe, ...]:
    """The probes that `node` is asked: those that give a fact which a check concerned with it reads, each once.

    `also` are facts that are wanted beside those. Always among the probes are the contact probe of its language, so
    that every node is really spoken to, and those that tell a machine which is none of a built-in product's.
    """
    wanted = {
        kind
        for check in checks
        if applies_to(check, node.product, node.roles, node.cluster)
        for kind in facts_of(check, node.product)
    } | set(also)
    wanted |= {kind for one in PRODUCTS if one.name == node.product and one.identity for kind in one.identity.facts}
    spoken = {node.language, "tds"}
    replaced = {probe.instead_of for probe in probes if node.logs_in_to_sql and probe.instead_of}
    return tuple(
        probe
        for probe in probes
        if probe.language in spoken
        and probe.id not in replaced
        and (not probe.instead_of or node.logs_in_to_sql)
        and (not probe.roles or not set(probe.roles).isdisjoint(node.roles))
        and (probe in CONTACT_PROBES or node.transport == "tds" or not wanted.isdisjoint(probe.facts))
    )
