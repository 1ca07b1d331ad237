"""An inventory after validation: what is scanned, and how each node is reached. Every default is already applied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from checks.check import Platform
from checks.common.dataclass import dataclass
from checks.engine.acceptance.model import Attestation, Waiver
from checks.product import Product
from scanner.inventory.loaded import Loaded
from scanner.inventory.settings.local import LocalSettings
from scanner.inventory.settings.setting import HOST, TEXT, product_keys, setting
from scanner.inventory.settings.ssh import SshSettings
from scanner.inventory.settings.tds import TdsSettings
from scanner.inventory.settings.transports import TRANSPORTS
from scanner.inventory.settings.winrm import WinrmSettings
from scanner.probes.probe import Language
from scanner.secrets.secret import Secret
from scanner.secrets.source import SecretSource

__all__ = [
    "Cluster",
    "Inventory",
    "LocalSettings",
    "Node",
    "RunSettings",
    "SecretSource",
    "SshSettings",
    "TdsSettings",
    "WinrmSettings",
]

_TRANSPORT_DOC = (
    "How the node is reached; local: it is the machine that preflight runs on; tds: SQL Server alone is asked, "
    "with the login in sql_user, or without one for its version."
)
_CURRENT_DOC = "The version that is installed {}, where it cannot be read there."

NodeKey = tuple[str, str]
"""Cluster name and node name."""


def _current(where: str) -> Any:
    return setting(None, doc=_CURRENT_DOC.format(where), pattern=TEXT, example="10.9.000064")


def _owner() -> Any:
    return setting(
        "",
        doc="Who answers for it; reports show it, and findings go to it. Of a node: instead of the cluster's.",
        pattern=TEXT,
        example="Vault team",
    )


def _contact() -> Any:
    return setting(
        "",
        doc="How to reach them: an address, a channel, a number.",
        pattern=TEXT,
        example="vault-oncall@corp.example",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One machine of a cluster."""

    cluster: str
    name: str
    host: str = setting(
        doc="Host name or IP address.",
        otherwise="the node's name; with transport local, this machine, whatever it is called",
        example="web1.corp.example",
        pattern=HOST,
        expects="a host name or an IP address, without scheme, port or brackets",
    )
    product: str
    roles: tuple[str, ...] = setting(doc="What the node does in the cluster.", required=True, example=("web",))
    current: str | None = _current("on this node")
    """The cluster's is not copied here."""
    owner: str = _owner()
    """The cluster's where the node has none of its own."""
    contact: str = _contact()
    transport: str = setting(
        doc=_TRANSPORT_DOC,
        otherwise="the product's own",
        example="winrm",
        choices=tuple(TRANSPORTS),
    )
    winrm: WinrmSettings | None = None
    ssh: SshSettings | None = None
    local: LocalSettings | None = None
    tds: TdsSettings | None = None
    """Where the scanner itself asks SQL Server: over the transport tds, or beside another with `sql_transport`."""
    platform: Platform = "linux"
    """What its product's machines are, linux or windows."""
    options: Mapping[str, str | int | bool] = product_keys()
    """What probes and checks read: sql_instance, sql_port, web_root. Only those that are set."""
    sql_password: SecretSource | Secret | None = None
    """Of the login in the option `sql_user`. It goes out where `keeps_secrets` says so, or over TLS to SQL Server."""

    @property
    def key(self) -> NodeKey:
        """What it is told apart by from all others of the inventory."""
        return self.cluster, self.name

    @property
    def language(self) -> Language:
        """What it is spoken to in: over SSH and on this machine that is a matter of its platform."""
        if self.transport == "tds":
            return "tds"
        return "powershell" if self.transport == "winrm" or self.platform == "windows" else "sh"

    @property
    def sql_host(self) -> str:
        """Where SQL Server is asked by the scanner itself."""
        return str(self.options.get("sql_host", self.host))

    @property
    def logs_in_to_sql(self) -> bool:
        """Whether the scanner itself asks SQL Server's databases, with a login."""
        return self.tds is not None and "sql_user" in self.options

    @property
    def keeps_secrets(self) -> bool:
        """Whether what is sent there can be read by nobody on the way, nor by whoever stands in for the node."""
        if self.winrm:
            return self.winrm.keeps_secrets
        if self.ssh:
            return self.ssh.host_key_policy == "strict" or bool(self.ssh.host_key)
        return self.transport == "local"

    @property
    def sudo(self) -> bool:
        """Whether what needs root goes through sudo -n. Never on Windows, which has none."""
        settings = self.local if self.transport == "local" else self.ssh
        return self.language == "sh" and settings is not None and settings.sudo


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Machines that are upgraded together."""

    name: str
    product: str = setting(doc="What the cluster runs.", required=True, pattern=TEXT, example="secret-server")
    nodes: tuple[Node, ...]
    target: str | None = setting(
        None,
        doc="The version to upgrade to; --target stands in for it.",
        otherwise="rules that depend on the target are not evaluated",
        pattern=TEXT,
        example="11.7.000049",
    )
    target_from: str = "inventory"
    """Whoever said the target: "inventory", or "command line"."""
    current: str | None = _current("on the nodes")
    options: Mapping[str, str | int | bool] = product_keys()
    """What checks read: dpapi ("on", "off", "unknown"), always set for secret-server."""
    owner: str = _owner()
    contact: str = _contact()
    rules: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """Overrides of the vendor's rules, as written."""
    skip: Mapping[str, str] = field(default_factory=dict)
    """Ids of checks that are not judged here, each with the reason."""
    site: str = setting(
        "",
        doc="With an engine that has workers at several sites: its nodes are asked by those of this one alone.",
        otherwise="any worker asks them",
        example="emea",
        pattern=r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}",
        expects="letters, digits, . _ and -, as a worker's --resources takes them",
    )
    open_ended: bool = False
    """True where the command line named its machines, and did not say that they are all of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """`[run]`: defaults of the command line's options. None: not said there."""

    parallel: int | None = setting(
        None, doc="Nodes that are asked at the same time.", otherwise="32", example=32, least=1, most=512
    )
    timeout: float | None = setting(
        None,
        doc="Seconds for one node, from its login to its last answer.",
        otherwise="60",
        example=60,
        least=1,
        most=3600,
    )
    engine: str = setting(
        "threads",
        doc="What asks the nodes: threads of this process; dask: processes of this machine, or a scheduler's workers.",
        choices=("threads", "dask"),
    )
    scheduler: str = setting(
        "",
        doc="With the engine dask: address of the scheduler. Without TLS only on this machine.",
        otherwise="processes of this machine",
        example="tls://scheduler.corp.example:8786",
        pattern=r"(tls|tcp)://([^\s/:@\[\]]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}",
        expects="tls://HOST:PORT",
    )
    ca_file: str = setting(
        "",
        doc="File (PEM) with the certificate authority of the scheduler and its workers, and of nobody else.",
        path=True,
        example="dask-ca.pem",
    )
    cert_file: str = setting(
        "", doc="File (PEM) with the certificate to show to the scheduler.", path=True, example="dask-scanner.pem"
    )
    key_file: str = setting(
        "", doc="File (PEM) with the private key of that certificate.", path=True, example="dask-scanner.key"
    )
    secrets: str = setting(
        "home",
        doc="worker: whichever worker asks a node finds passwords and passphrases on its own machine; none is sent.",
        choices=("home", "worker"),
    )
    strict: bool | None = setting(None, doc="Count a warning as a failure.", assumed=False)
    history: str = setting(
        "",
        doc="The file that keeps each run's results, so that reports say what is new and since when.",
        otherwise="no history is kept",
        path=True,
        example="preflight.db",
        pattern=TEXT,
    )
    """Absolute once it is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """A whole inventory."""

    path: Path
    clusters: tuple[Cluster, ...]
    run: RunSettings = field(default_factory=RunSettings)
    reports: Mapping[str, str] = field(default_factory=dict)
    """[reports]: format to the file that a plain scan writes, relative to the working directory."""
    waivers: tuple[Waiver, ...] = ()
    """Findings that are accepted; expired ones too."""
    attestations: tuple[Attestation, ...] = ()
    """What people vouch for; expired ones too."""
    drift_rules: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """[drift.rules]: by pattern, how values are compared with the baseline instead of as shipped."""
    text: str = field(default="", repr=False)
    """As it was read; a scan may take an hour, and the file be another by then."""
    products: Mapping[str, Product] = field(default_factory=dict, repr=False)
    """The products there were when it was read, those of plugins included, by name."""
    own: Loaded = field(default_factory=Loaded)
    """The checks that it brings along: what it expects of its nodes, and what lies in `checks.d` beside it."""
    digest: str = ""
    """SHA-256 of its text in UTF-8 without a mark in front, in hexadecimal."""
