"""How the cluster of each product is found, and as what the machine is asked that the command line names."""

from __future__ import annotations

from collections.abc import Mapping

from checks.chef_backend.facts.cluster import ChefBackendVersion, ClusterStatus
from checks.common.connection_facts import ServicePorts, TcpConnections
from checks.common.dataclass import dataclass
from checks.secret_server.facts.sql import SecretServerDatabase
from scanner.inventory.discover import chef_backend, secret_server
from scanner.inventory.discover.model import Discover


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One product's."""

    role: str
    """Of the machine that is named."""
    discover: Discover
    questions: Mapping[str, tuple[type, ...]]
    """Role to what its machines may be asked, for whoever wants to see it beforehand."""


WAYS: Mapping[str, Way] = {
    "chef-backend": Way(
        role="backend",
        discover=chef_backend.discover,
        questions={"backend": (ClusterStatus, ChefBackendVersion, TcpConnections, ServicePorts)},
    ),
    "secret-server": Way(
        role="web",
        discover=secret_server.discover,
        questions={"web": (TcpConnections,), "database": (SecretServerDatabase,)},
    ),
}
"""By product. A plugin's product has none: `preflight init --product` writes an inventory to fill in."""
