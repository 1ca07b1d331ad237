"""What a plan has to know of a Chef Backend cluster: who leads, who follows, and what each node installs with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from checks.check import NodeView
from checks.chef_backend.facts import ClusterStatus
from checks.chef_backend.health import comparable
from checks.chef_backend.node_facts import FrontendPackage, InstalledPackage
from checks.facts import Unknown
from checks.groups import enumerate_names
from checks.plan.model import Command
from checks.plan.names import Names, scan_command


@dataclass(frozen=True, slots=True)
class Machine:
    """One backend or frontend."""

    name: str
    manager: str
    """rpm, deb, or empty where it is unknown."""
    package: str
    """Where the target's package lies ready on it; empty where the inventory does not say."""
    version: str = ""
    """Of a frontend: the installed version of Chef Infra Server; empty where it is unknown."""


@dataclass(frozen=True, slots=True)
class ChefCluster:
    """One cluster, and how its names get into commands."""

    name: str
    inventory: str
    target: str
    leader: Machine
    followers: tuple[Machine, ...]
    frontends: tuple[Machine, ...]
    index: str
    """The version of Elasticsearch that created the search index; empty where it is unknown."""
    settled: bool = True
    """False where nobody knows yet who will lead, and roles stand in the place of names."""
    names: Names = field(default_factory=Names)

    @property
    def backends(self) -> tuple[Machine, ...]:
        """All backends, the leader last."""
        return (*self.followers, self.leader)

    def install(self, machine: Machine, version: str) -> Command:
        """The command that installs `version` of Chef Backend on `machine`."""
        ready = machine.package if version == self.target else None
        what = f"the package of Chef Backend {version} on {machine.name}"
        why = "the inventory names none (`package`)" if version == self.target else "it is a stop on the way"
        path = self.names.shell(ready, what, why)
        if machine.manager:
            tool = "yum install" if machine.manager == "rpm" else "dpkg -i"
        else:
            tool = self.names.bare(
                None, f"yum install, or dpkg -i, on {machine.name}", "its package manager is unknown"
            )
        return Command(f"sudo {tool} {path}", "sh", machine.name)

    def plan(self) -> Command:
        """The command that plans this cluster anew."""
        inventory, name = self.names.shell(self.inventory, "the inventory"), self.names.shell(self.name, "the cluster")
        return Command(f"preflight plan {inventory} --cluster {name}", "sh")

    def scan(self, *checks: str, phase: str = "window", target: str = "") -> Command:
        """A scan of this cluster for one question."""
        return scan_command(self.names, self.inventory, self.name, *checks, phase=phase, target=target)


def on(machine: Machine, text: str) -> Command:
    """A command for a root shell on `machine`."""
    return Command(f"sudo {text}", "sh", machine.name)


def named(machines: Sequence[Machine]) -> str:
    """The machines in a sentence."""
    return enumerate_names([machine.name for machine in machines])


def read_machine(view: NodeView) -> Machine:
    """What the node's facts and its inventory entry say."""
    package = view.look(InstalledPackage)
    front = view.look(FrontendPackage)
    return Machine(
        view.name,
        package.manager if isinstance(package, InstalledPackage) else "",
        str(view.options.get("package", "")),
        front.version if isinstance(front, FrontendPackage) else "",
    )


def once_the_lead_has_changed(cluster: ChefCluster) -> ChefCluster:
    """The cluster with roles in the place of the backends' names, where nobody knows yet who will lead."""
    every = cluster.backends
    managers, packages = {one.manager for one in every}, {one.package for one in every}
    manager = managers.pop() if len(managers) == 1 else ""
    package = packages.pop() if len(packages) == 1 else ""
    leader, *followers = (
        Machine(name, manager, package) for name in ("the leader", "the first follower", "the other follower")
    )
    return replace(cluster, leader=leader, followers=tuple(followers), settled=False)


def find_leader(backends: Sequence[NodeView]) -> NodeView | str:
    """The backend that leads, or why that cannot be told: every backend has to say the same."""
    tables = [(node, node.look(ClusterStatus)) for node in backends]
    silent = [f"{node.name}: {table.reason}" for node, table in tables if isinstance(table, Unknown)]
    if silent:
        return f"who leads is unknown: {'; '.join(silent)}"
    seen = [table for _, table in tables if isinstance(table, ClusterStatus)]
    if len({comparable(table) for table in seen}) > 1:
        return "the backends do not see the same cluster, so who leads is unknown"
    leaders = [row for table in seen[:1] for row in table.members if row.role == "leader"]
    if len(leaders) != 1:
        return f"cluster-status shows {len(leaders)} leaders instead of one"
    row = leaders[0]
    found = [node for node in backends if {node.name, node.host} & {row.name, row.ip}]
    if len(found) != 1:
        return f"the leader {row.name} ({row.ip}) is not one node of the inventory: name the nodes as the cluster does"
    return found[0]
