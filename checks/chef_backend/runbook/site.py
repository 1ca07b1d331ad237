"""What a plan has to know of a Chef Backend cluster: who leads, who follows, and what each node installs with."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import field, replace

from checks.check import NodeView
from checks.chef_backend.backend.health import comparable
from checks.chef_backend.facts.cluster import ClusterStatus, Member
from checks.chef_backend.facts.machine import ConfigDigest, FrontendApi, FrontendPackage, InstalledPackage
from checks.chef_backend.machine_names import is_same_machine
from checks.common.dataclass import dataclass
from checks.engine.wording import enumerate_names, group_by_reason
from checks.facts import Unknown
from checks.runbook.commands import sh_on
from checks.runbook.model import Command, Proof
from checks.runbook.names import CommandQuoter, plan_command, scan_command

LEFTOVERS = ("postgresql.shmmax", "postgresql.shmall")
"""Settings of chef-backend.rb that mean nothing since 1.2.5; its release notes ask for their removal."""

_COPIED_THERE = "downloads.chef.io has it; copy it to the machine, and write where it lies"
SEARCH_PORT = "9200"
"""Elasticsearch's port where chef-backend.rb sets none, by the vendor's list of settings."""

_GOOD = 2
"""The first digit of a code of HTTP that says yes."""

_RPM_RELEASE = re.compile(r"\.(el|amzn|sles)\d")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One backend or frontend."""

    name: str
    manager: str
    """rpm, deb, or empty where it is unknown."""
    package: str
    """Where the target's package lies ready on it; empty where the inventory does not say."""
    version: str = ""
    """Of a frontend: the installed version of Chef Infra Server; empty where it is unknown."""
    unread: str = ""
    """Why the package of the machine, and so its version or its package manager, is unknown; empty where it is not."""
    member: str = ""
    """What the cluster itself calls it; empty where that is its name."""
    addons: tuple[str, ...] | None = None
    """Of a frontend: the packages of add-ons that are installed; None where that is unknown."""
    api: str = ""
    """Of a frontend: where it answered on the machine itself, "https://127.0.0.1:443"; empty where it did not."""
    search_port: str = ""
    """Of a backend: the port of its Elasticsearch; empty where its configuration names one, or was not read."""
    search_unread: str = ""
    """Why that is unknown."""
    leftovers: tuple[str, ...] = ()
    """Of a backend: settings of its chef-backend.rb that the vendor wants taken out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChefCluster:
    """One cluster, and how its names get into commands."""

    name: str
    inventory: str
    target: str
    leader: Machine
    followers: tuple[Machine, ...]
    frontends: tuple[Machine, ...]
    """Never empty: stand-ins where the inventory names none, since every cluster has frontends."""
    index: str
    """The version of Elasticsearch that created the search index; empty where it is unknown."""
    index_unread: str = ""
    """Why that is unknown."""
    search_port: str = ""
    """The port of Elasticsearch on the leader; empty where it is unknown."""
    search_unread: str = ""
    """Why that is unknown."""
    settled: bool = True
    """False where nobody knows yet who will lead, and roles stand in the place of names."""
    known_frontends: bool = True
    """False where `frontends` are stand-ins."""
    names: CommandQuoter = field(default_factory=CommandQuoter)

    @property
    def backends(self) -> tuple[Machine, ...]:
        """All backends, the leader last."""
        return (*self.followers, self.leader)

    @property
    def anyone(self) -> Machine:
        """A backend for commands that may be typed on any of them."""
        return self.leader if self.settled else Machine(name="any backend", manager="", package="")

    def install(self, machine: Machine, version: str) -> Command:
        """The command that installs `version` of Chef Backend on `machine`."""
        ready = machine.package if version == self.target else None
        what = f"the package of Chef Backend {version} on {machine.name}"
        why = "the inventory names none (`package`)" if version == self.target else "it is a stop on the way"
        path = self.names.posix(ready, what, why, _COPIED_THERE)
        return on(machine, f"{self.tool(machine, 'yum install', 'dpkg -i')} {path}")

    def install_frontend(self, machine: Machine, version: str) -> Command:
        """The command that installs Chef Infra Server, `version` in words, on a frontend."""
        what = f"the package of Chef Infra Server {version} for {machine.name}"
        path = self.names.posix(
            None, what, "the inventory names none, and which version it is is yours to choose", _COPIED_THERE
        )
        return on(machine, f"{self.tool(machine, 'rpm -Uvh --nopostun', 'dpkg -iEG')} {path}")

    def install_addon(self, machine: Machine, addon: str) -> Command:
        """The command that installs a version of `addon` that goes with the chosen Chef Infra Server."""
        what = f"the package of {addon} that goes with the chosen version, for {machine.name}"
        path = self.names.posix(None, what, "the inventory names none", _COPIED_THERE)
        return on(machine, f"{self.tool(machine, 'rpm -Uvh', 'dpkg -i')} {path}")

    def tool(self, machine: Machine, rpm: str, deb: str) -> str:
        """What installs a package on `machine`, by the kind of its packages."""
        if machine.manager:
            return rpm if machine.manager == "rpm" else deb
        return self.names.posix(
            None,
            f"{rpm} or {deb}, whichever suits {machine.name}",
            machine.unread or "its package manager is unknown",
            "rpm where rpm -q chef-backend or chef-server-core finds one, else dpkg",
        )

    def frontends_run(self) -> Proof:
        """That every frontend serves."""
        looks = tuple(on(machine, "chef-server-ctl status") for machine in self.frontends)
        if not self.known_frontends:
            return Proof("every service runs, and postgresql and elasticsearch are connected OK", looks)
        return Proof("pass", (self.scan("chef-frontend-status"),))

    def plan(self) -> Command:
        """The command that plans this cluster anew."""
        return plan_command(self.names, self.inventory, self.name)

    def scan(self, *checks: str, phase: str = "window", target: str = "", without: tuple[str, ...] = ()) -> Command:
        """A scan of this cluster for one question."""
        return scan_command(self.names, self.inventory, self.name, *checks, phase=phase, target=target, without=without)


PLACEHOLDER_FRONTENDS = (
    Machine(name="the first frontend", manager="", package=""),
    Machine(name="each other frontend", manager="", package=""),
)
"""For the frontends of a cluster of which the inventory names none."""


def on(machine: Machine, text: str) -> Command:
    """A command for a root shell on `machine`."""
    return sh_on(machine.name, f"sudo {text}")


def named(machines: Sequence[Machine]) -> str:
    """The machines in a sentence."""
    return enumerate_names([machine.name for machine in machines])


def read_machine(view: NodeView) -> Machine:
    """What the node's facts and its inventory entry say."""
    package = view.get(InstalledPackage)
    front = view.get(FrontendPackage)
    config = view.get(ConfigDigest)
    settings = {key for key, _ in (*config.named, *config.unclear)} if isinstance(config, ConfigDigest) else set[str]()
    leftovers = tuple(key for key in LEFTOVERS if key in settings)
    port, port_unread = _search_port(config)
    if not isinstance(front, FrontendPackage):
        manager = package.manager if isinstance(package, InstalledPackage) else ""
        own = front if "frontend" in view.roles else package
        unread = own.reason if isinstance(own, Unknown) else ""
        ready = view.declared("package")
        return Machine(
            name=view.name,
            manager=manager,
            package=ready,
            unread=unread,
            search_port=port,
            search_unread=port_unread,
            leftovers=leftovers,
        )
    # Answers of before told no manager; a release of RPM's names the system that it was built for.
    manager = front.manager or ("rpm" if _RPM_RELEASE.search(front.version) else "")
    # `package` of the inventory is that of Chef Backend.
    return Machine(
        name=view.name, manager=manager, package="", version=front.version, addons=front.addons, api=_answering(view)
    )


def _answering(view: NodeView) -> str:
    """Where the frontend answered when it was asked on itself."""
    found = view.get(FrontendApi)
    if isinstance(found, Unknown) or not found.asked or found.code is None or found.code // 100 != _GOOD:
        return ""
    return found.asked[-1].removesuffix("/_status")


def _search_port(config: ConfigDigest | Unknown) -> tuple[str, str]:
    """The port of Elasticsearch by chef-backend.rb, whose values are told as hashes; or why it is unknown."""
    if isinstance(config, Unknown):
        return "", config.reason
    named = {key for key, _ in (*config.named, *config.unclear)}
    if config.state != "read" or config.cut or "-" in named:
        return "", "chef-backend.rb could not be read as a whole"
    return ("", "chef-backend.rb sets it") if "elasticsearch.port" in named else (SEARCH_PORT, "")


def once_the_lead_has_changed(cluster: ChefCluster) -> ChefCluster:
    """The cluster with roles in the place of the backends' names, where nobody knows yet who will lead."""
    every = cluster.backends
    managers, packages = {one.manager for one in every}, {one.package for one in every}
    manager = managers.pop() if len(managers) == 1 else ""
    package = packages.pop() if len(packages) == 1 else ""
    leader, *followers = (
        Machine(name=name, manager=manager, package=package)
        for name in ("the leader", "the first follower", "the other follower")
    )
    return replace(cluster, leader=leader, followers=tuple(followers), settled=False)


def find_leader(backends: Sequence[NodeView]) -> tuple[NodeView, str] | str:
    """The backend that leads and what the cluster calls it, or why that cannot be told.

    Every backend has to say the same, and the cluster's members have to be the inventory's: a member that the plan did
    not know of would be left on the old version.
    """
    tables = [(node, node.get(ClusterStatus)) for node in backends]
    silent = group_by_reason((node.name, table.reason) for node, table in tables if isinstance(table, Unknown))
    if silent:
        return f"who leads is unknown: {'; '.join(silent)}"
    seen = [table for _, table in tables if isinstance(table, ClusterStatus)]
    if len({comparable(table) for table in seen}) > 1:
        return "the backends do not see the same cluster, so who leads is unknown"
    rows = [row for table in seen[:1] for row in table.members]
    leaders = [row for row in rows if row.role == "leader"]
    if len(leaders) != 1:
        return f"cluster-status shows {len(leaders)} leaders instead of one"
    owners = [(row, _owners(row, backends)) for row in rows]
    strangers = [f"{row.name} ({row.ip})" for row, nodes in owners if len(nodes) != 1]
    if strangers:
        return (
            f"cluster-status shows {enumerate_names(strangers)}, which is not one backend of the inventory: name each"
            " backend there as the cluster does, or give its address as `host`"
        )
    missing = [node.name for node in backends if not any(node in nodes for _, nodes in owners)]
    if missing:
        return f"cluster-status does not show {enumerate_names(missing)}, which the inventory names"
    return next((nodes[0], row.name) for row, nodes in owners if row.role == "leader")


def _owners(row: Member, backends: Sequence[NodeView]) -> list[NodeView]:
    """Which nodes a row of cluster-status may be: one of them may have the full name, the other the short one.

    A node that has the very name or address is meant, whoever else has a name that begins alike.
    """
    exact = [node for node in backends if {node.name, node.host} & {row.name, row.ip}]
    words = (row.name, row.ip)
    return exact or [
        node for node in backends if any(is_same_machine(word, own) for word in words for own in (node.name, node.host))
    ]
