"""Which probes there are, and which of them a node is asked for the checks that were selected."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from checks.check import Check
from checks.engine.evaluation import concerns
from checks.registry import IDENTITIES
from scanner.inventory.model import Node
from scanner.probes import (
    chef_backend,
    chef_frontend,
    chef_node,
    chef_search_index,
    chef_traces,
    linux_disks,
    linux_resources,
    secret_server,
)
from scanner.probes.contact import CONTACT_PROBES
from scanner.probes.probe import Probe

BUILTIN: tuple[Probe, ...] = (
    *CONTACT_PROBES,
    *secret_server.PROBES,
    chef_traces.PROBE,
    *chef_backend.PROBES,
    *chef_node.PROBES,
    *chef_frontend.PROBES,
    chef_search_index.PROBE,
    *linux_disks.PROBES,
    *linux_resources.PROBES,
)
"""Every probe that comes with preflight, in the order in which a node is asked."""


def select_probes(
    node: Node, checks: Iterable[Check], probes: Sequence[Probe] = BUILTIN, also: Iterable[type] = ()
) -> tuple[Probe, ...]:
    """The probes that `node` is asked: those that give a fact which a check concerned with it reads, each once.

    `also` are facts that are wanted beside those. Always among the probes are the contact probe of its language, so
    that every node is really spoken to, and those that tell a machine which is none of the product's.
    """
    wanted = {
        kind
        for check in checks
        if concerns(check, node.product, node.roles)
        for kind in check.facts + check.optional_facts
    } | set(also)
    wanted |= {kind for identity in IDENTITIES if identity.product == node.product for kind in identity.facts}
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
