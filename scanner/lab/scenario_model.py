"""A scenario after reading: the simulated nodes, what is wrong with them, and what a scan must find."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated

from checks.check import PHASES
from checks.common.dataclass import dataclass
from checks.scan import CONNECTIVITY
from reports.codec.shape import Form, one_of
from scanner.lab.machines.chef_backend.cluster import Backend, CommandOutput
from scanner.lab.machines.chef_backend.host import LinuxNode
from scanner.lab.machines.windows.machine import Machine
from scanner.lab.servers.tds.responder import FAULTS as TDS_FAULTS
from scanner.lab.servers.tds.responder import parse_sql_version
from scanner.lab.servers.tds.server import FAULTS as SQL_FAULTS
from scanner.lab.servers.wsman.account_rights import Right
from scanner.lab.tables import CLOSED

_SQL_FAULTS = tuple(dict.fromkeys((*TDS_FAULTS, *SQL_FAULTS)))


def _sql_version(text: str) -> str:
    parse_sql_version(text)
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlPort:
    """A SQL Server port of a node."""

    version: Annotated[str, Form("a version such as 13.0.5026.0", _sql_version, {})] = "15.0.2000.5"
    fault: Annotated[str, one_of(*_SQL_FAULTS, "")] = ""
    instance: str = ""
    """The instance of the machine that listens there; empty: its first."""
    strict: bool = False
    """TDS 8 alone."""
    routes: bool = False
    """Sends each login on to another port, as Azure SQL's gateway and a listener do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeScenario:
    """One simulated node."""

    cluster: str
    name: str
    roles: tuple[str, ...]
    transport: str
    """winrm, ssh or tds."""
    inventory: Mapping[str, object] = field(default_factory=dict)
    """Further keys of the inventory's node, as they are."""
    fault: str = ""
    scheme: str = "https"
    auth: str = "ntlm"
    login: str = "key"
    account: str = Right.ADMINISTRATOR.value
    """What the account is on a Windows node over WinRM: a `Right`."""
    default_shell: str = "cmd"
    """DefaultShell of its OpenSSH, where it is a Windows node over SSH: cmd or powershell."""
    machine: Machine | None = None
    """What a Windows node is, over WinRM or SSH."""
    linux: LinuxNode = field(default_factory=LinuxNode)
    """What a Linux node is, beside a backend's view of its cluster."""
    answers: Mapping[str, CommandOutput] = field(default_factory=dict)
    """Literal answers by probe."""
    error_output: Mapping[str, str] = field(default_factory=dict)
    """What goes to standard error beside the node's own answers, by probe."""
    slow: Mapping[str, float] = field(default_factory=dict)
    sql_port: SqlPort | None = None

    @property
    def logs_in_to_sql(self) -> bool:
        """Whether the scanner itself asks its SQL Server, with a login."""
        return "sql_user" in self.inventory and "tds" in (self.transport, self.inventory.get("sql_transport"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterScenario:
    """One simulated cluster."""

    name: str
    product: str
    nodes: tuple[NodeScenario, ...]
    inventory: Mapping[str, object] = field(default_factory=dict)
    backends: Mapping[str, Backend] = field(default_factory=dict)
    """The Chef backends among the nodes, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedResult:
    """One result that a scan of the scenario must have."""

    check: str
    status: Annotated[str, one_of("fail", "error", "warn", "waived", "skip")]
    message: str
    """A part of the result's message."""
    node: str | None = None
    """None for a cluster's result."""
    cluster: str | None = None
    """None: in any cluster."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a scan of the scenario must end with."""

    exit_code: Annotated[int, one_of(0, 1, 2, 3)]
    results: tuple[Annotated[ExpectedResult, CLOSED], ...] = ()
    """All results that are fail, error, warn or waived, and any skips that matter; what follows from `gaps` may be left
    out."""
    phase: Annotated[str, one_of(*PHASES)] = "before"
    """What `--phase` the scan is made with."""

    @property
    def gaps(self) -> tuple[str, ...]:
        """The nodes that cannot be asked, or do not answer fully: those whose connectivity is expected to be an error.

        What follows from them is the engine's to tell and no scenario's to list, so that a new check touches none: the
        node's own checks are not evaluated, and no check over the cluster passes.
        """
        found = (row.node for row in self.results if (row.check, row.status) == (CONNECTIVITY, "error"))
        return tuple(name for name in found if name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A whole scenario, checked and ready to be played by `scanner.lab.lab.Lab`."""

    name: str
    title: str
    clusters: tuple[ClusterScenario, ...]
    about: str = ""
    run: Mapping[str, object] = field(default_factory=dict)
    accepted: Mapping[str, object] = field(default_factory=dict)
    """The inventory's `waivers` and `attestations`, as they are."""
    expect: Expectation | None = None

    @property
    def nodes(self) -> tuple[NodeScenario, ...]:
        """All nodes, in order."""
        return tuple(node for cluster in self.clusters for node in cluster.nodes)
