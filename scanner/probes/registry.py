"""Which probes there are, and which of them a node is asked for the checks that were selected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from checks.check import Check
from checks.engine.discovery import in_order, modules_in
from checks.engine.evaluation import applies_to, facts_of
from checks.registry import PRODUCTS
from scanner.probes.contact import CONTACT_PROBES
from scanner.probes.probe import Language, Probe

_ORDER = (
    "windows-version",
    "dotnet-framework",
    "sql-instances",
    "iis-configuration",
    "secret-server-files",
    "encryption-config",
    "database-config",
    "web-config",
    "app-files",
    "windows-connections",
    "computer-name",
    "hardware",
    "app-pool-state",
    "pending-reboot",
    "monitoring-agent",
    "iis-authentication",
    "disks",
    "outbound-access",
    "sql-database",
    "chef-traces",
    "chef-cluster-status",
    "chef-service-status",
    "chef-leader-flags",
    "chef-version",
    "chef-package",
    "chef-staged-package",
    "chef-secrets",
    "chef-secrets-stray",
    "chef-config",
    "chef-leaderl",
    "chef-drbd",
    "chef-frontend-package",
    "chef-frontend-services",
    "chef-frontend-api",
    "chef-frontend-members",
    "chef-search-index",
    "linux-disks",
    "linux-resources",
    "linux-connections",
    "chef-service-ports",
)
"""What a node is asked first, in this order. A probe that is not named here is asked after them."""
_LAST = ("backups", "sql-prelogin", "sql-database-tds")
"""A file share that does not answer keeps nobody else waiting."""


def _probes_in(package: str) -> Iterator[Probe]:
    """The `PROBE` or the `PROBES` of every module in `package`."""
    for module in modules_in(package):
        yield from vars(module).get("PROBES", ())
        if isinstance(one := vars(module).get("PROBE"), Probe):
            yield one


_FOLDERS = ("scanner.probes.linux", *(f"scanner.probes.{product.name.replace('-', '_')}" for product in PRODUCTS))
BUILTIN: tuple[Probe, ...] = (
    *CONTACT_PROBES,
    *in_order((probe for folder in _FOLDERS for probe in _probes_in(folder)), _ORDER, _LAST),
)
"""Every probe that comes with preflight, in the order in which a node is asked."""


class Asked(Protocol):
    """A node, as far as it says what it is asked: the inventory's."""

    @property
    def cluster(self) -> str:
        """The name of its cluster."""

    @property
    def product(self) -> str:
        """The name of its product."""

    @property
    def roles(self) -> tuple[str, ...]:
        """What it does in the cluster."""

    @property
    def transport(self) -> str:
        """How it is reached."""

    @property
    def language(self) -> Language:
        """What it is spoken to in."""

    @property
    def logs_in_to_sql(self) -> bool:
        """Whether the scanner itself asks SQL Server's databases, with a login."""


def select_probes(
    node: Asked, checks: Iterable[Check], probes: Sequence[Probe] = BUILTIN, also: Iterable[type] = ()
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
