"""An inventory after validation: what is scanned, and how each node is reached. Every default is already applied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from checks.engine.acceptance.model import Attestation, Waiver
from scanner.inventory.products import Platform
from scanner.probes.probe import Language
from scanner.secrets import Secret


@dataclass(frozen=True, slots=True)
class SecretSource:
    """Where a secret comes from; exactly one of these is set. It is resolved once, before the scan."""

    env: str = ""
    file: str = ""
    command: str = ""
    prompt: str = ""
    """What to ask with on the terminal. No key of an inventory: a file cannot count on somebody who sits there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WinrmSettings:
    """How to reach a node over WinRM."""

    user: str = ""
    password: SecretSource | Secret | None = None
    """A source as written; a `Secret` once resolved."""
    auth: str = "ntlm"
    """ntlm, kerberos, credssp, certificate or basic."""
    scheme: str = "https"
    port: int = 5986
    path: str = "/wsman"
    protocol: str = "winrs"
    """winrs: a Windows Remote Shell; psrp: a session of PowerShell remoting."""
    configuration: str = ""
    """The session configuration of psrp; empty: Microsoft.PowerShell."""
    ca_file: str = ""
    verify: bool = True
    insecure: bool = False
    """Allows http without message encryption (Basic over http)."""
    cert_file: str = ""
    """PEM client certificate, for auth = "certificate"."""
    key_file: str = ""
    """Its PEM private key."""
    service: str = "HTTP"
    """Kerberos service principal's class (HTTP, or WSMAN)."""
    kerberos_hostname: str = ""
    """Name in the service principal where it is not `host`."""
    delivery: str = "auto"
    """auto, or stdin: plain text on standard input, where endpoint protection dislikes a gzip bootstrap."""
    connect_timeout_s: float = 10.0

    @property
    def keeps_secrets(self) -> bool:
        """Whether what is sent can be read by the node alone.

        The logins that encrypt the messages themselves do so over https, too; the others rest on a proven certificate.
        """
        if self.auth in ("ntlm", "kerberos", "credssp"):
            return self.scheme == "https" or not self.insecure
        return self.scheme == "https" and self.verify


@dataclass(frozen=True, slots=True, kw_only=True)
class SshSettings:
    """How to reach a node over SSH."""

    user: str = ""
    """Empty: what ~/.ssh/config says, else the local user's name."""
    port: int | None = None
    """None: what ~/.ssh/config says, else 22."""
    key_file: str = ""
    passphrase: SecretSource | Secret | None = None
    password: SecretSource | Secret | None = None
    agent: bool = True
    known_hosts: str = ""
    """Empty: ~/.ssh/known_hosts and /etc/ssh/ssh_known_hosts."""
    host_key: str = ""
    """A pinned key, as `ssh-ed25519 AAAA...` or `SHA256:...`."""
    host_key_policy: str = "strict"
    """strict, or accept-new."""
    legacy_algorithms: bool = False
    """Accept RSA signatures and a key exchange with SHA-1, as of OpenSSH before 7.2."""
    jump: str = ""
    """`[user@]host[:port]` of a jump host, or of several with commas between; none: no jump, whatever the file says."""
    ssh_config: str = "~/.ssh/config"
    """Empty: none is read."""
    sudo: bool = False
    connect_timeout_s: float = 10.0


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """How to ask the machine that preflight itself runs on."""

    sudo: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TdsSettings:
    """How the scanner itself connects to a SQL Server."""

    encrypt: str = "mandatory"
    """mandatory: TLS inside TDS 7.x; strict: TDS 8, TLS before anything else."""
    ca_file: str = ""
    verify: bool = True
    certificate_name: str = ""
    """The name that the certificate is for, where it is not `host`."""
    auth: str = "sql"
    """sql, or ntlm for a Windows account."""
    connect_timeout_s: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One machine of a cluster."""

    cluster: str
    name: str
    host: str
    product: str
    roles: tuple[str, ...]
    transport: str
    """winrm, ssh, local (this machine itself) or tds (a database host of which SQL Server alone is asked)."""
    winrm: WinrmSettings | None = None
    ssh: SshSettings | None = None
    local: LocalSettings | None = None
    tds: TdsSettings | None = None
    """Where the scanner itself asks SQL Server: over the transport tds, or beside another with `sql_transport`."""
    platform: Platform = "linux"
    """What its product's machines are, linux or windows."""
    current: str | None = None
    """Declared version of this node, else None; the cluster's is not copied here."""
    owner: str = ""
    """Who answers for it; the cluster's where the node has none of its own."""
    contact: str = ""
    """How to reach them: an address, a channel, a number."""
    options: Mapping[str, str | int | bool] = field(default_factory=dict)
    """Product keys that probes and checks read: sql_instance, sql_port, web_root. Only those that are set."""
    sql_password: SecretSource | Secret | None = None
    """Of the login in the option `sql_user`. It goes out where `keeps_secrets` says so, or over TLS to SQL Server."""

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
    product: str
    nodes: tuple[Node, ...]
    target: str | None = None
    target_from: str = "inventory"
    """Whoever said the target: "inventory", or "command line"."""
    owner: str = ""
    contact: str = ""
    current: str | None = None
    options: Mapping[str, str | int | bool] = field(default_factory=dict)
    """Product keys that checks read: dpapi ("on", "off", "unknown"), always set for secret-server."""
    rules: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """Overrides of the vendor's rules, as written."""
    skip: Mapping[str, str] = field(default_factory=dict)
    """Ids of checks that are not judged here, each with the reason."""
    open_ended: bool = False
    """True where the command line named its machines, and did not say that they are all of it."""


@dataclass(frozen=True, slots=True)
class RunSettings:
    """`[run]`: defaults of the command line's options. None: not said there."""

    parallel: int | None = None
    timeout: float | None = None
    """Seconds for one node, from its login to its last answer."""
    strict: bool | None = None
    history: str = ""
    """The file that runs are recorded in, as an absolute path; empty where none is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPaths:
    """`[reports]`: files that a plain scan writes, relative to the working directory; empty where none is asked for."""

    html: str = ""
    junit: str = ""
    json: str = ""
    markdown: str = ""
    csv: str = ""
    prometheus: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """A whole inventory."""

    path: Path
    clusters: tuple[Cluster, ...]
    run: RunSettings = field(default_factory=RunSettings)
    reports: ReportPaths = field(default_factory=ReportPaths)
    waivers: tuple[Waiver, ...] = ()
    """Findings that are accepted; expired ones too."""
    attestations: tuple[Attestation, ...] = ()
    """What people vouch for; expired ones too."""
    drift_rules: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """[drift.rules]: by pattern, how values are compared with the baseline instead of as shipped."""
    digest: str = ""
    """SHA-256 of its text in UTF-8 without a mark in front, in hexadecimal."""
