"""Every key of an inventory, once: what it takes, its default, where it may stand, what it is for.

Validation, the JSON Schema, the template of `preflight init` and the README's reference are made from these tables.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal

from scanner.inventory.model import SshSettings, WinrmSettings
from scanner.inventory.products import BUILTIN

Kind = Literal["text", "path", "integer", "number", "boolean", "texts"]

NAMES = (
    r"(?!\.{1,2}$)[^\s/\\\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]"
    r"([^\t-\r/\\\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]{0,98}"
    r"[^\s/\\\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff])?"
)
"""Names of clusters and nodes, in full. All patterns here mean the same to Python and to ECMA-262 (JSON Schema)."""
NAMES_EXPECTED = "1 to 100 characters without slashes, control characters, or blanks at either end"
TEXT = r"[^\u0000-\u001f\u007f]+"
HOST = (
    r"[A-Za-z0-9_\u00a1-\u1fff\u3040-\ud7ff][A-Za-z0-9_.\u00a1-\u1fff\u3040-\ud7ff-]{0,252}"
    r"|[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(%[A-Za-z0-9_.-]+)?"
)
"""A name (international ones too), an IPv4 or an IPv6 address; nothing that a program could take for an option."""
ENV_NAME = r"[A-Za-z_][A-Za-z0-9_]*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key."""

    name: str
    kind: Kind
    doc: str
    """One line, for people."""
    default: object = None
    """What holds where the key is left out; None: nothing, or what `otherwise` says."""
    otherwise: str = ""
    """What happens where the key is left out, in words, where the default is no plain value."""
    example: object = None
    """A value for the template, where there is no default to show."""
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    pattern: str = ""
    """What a text must match in full."""
    expects: str = ""
    """What `pattern` wants, in words that go on after "expected"."""
    may_be_empty: bool = False
    """True where "" stands for "none", whatever the cluster or the defaults say."""
    required: bool = False
    products: tuple[str, ...] = ()
    """The products whose clusters and nodes may have it. Empty: all."""
    roles: tuple[str, ...] = ()
    """The roles that a node must have one of. Empty: any."""
    field: str = ""
    """The model's name for it, where that is another."""
    secret: str = ""
    """password or passphrase, for the keys that say where one comes from. Their values are never shown."""

    @property
    def model_field(self) -> str:
        """The attribute of the model that the key ends up in."""
        return self.secret or self.field or self.name


def _secret(name: str, what: str, variable: str) -> tuple[Key, ...]:
    return (
        Key(
            name=f"{name}_env",
            kind="text",
            doc=f"Name of the environment variable that holds {what}.",
            example=variable,
            pattern=ENV_NAME,
            may_be_empty=True,
            expects="the NAME of an environment variable (letters, digits and _, without $)",
            secret=name,
        ),
        Key(
            name=f"{name}_file",
            kind="path",
            doc=f"File that holds {what} and nothing else, readable by its owner only.",
            example=f"~/.config/preflight/{name}",
            may_be_empty=True,
            secret=name,
        ),
        Key(
            name=f"{name}_command",
            kind="text",
            doc=f"Command that prints {what}, run without a shell on the scanner's own machine.",
            example=f"pass show preflight/{name}",
            may_be_empty=True,
            secret=name,
        ),
    )


def _defaults(settings: type[WinrmSettings | SshSettings]) -> dict[str, object]:
    return {entry.name: entry.default for entry in dataclasses.fields(settings)}


_W = _defaults(WinrmSettings)
_S = _defaults(SshSettings)


def _connect_timeout(default: object) -> Key:
    return Key(
        name="connect_timeout",
        kind="number",
        doc="Seconds to wait for the TCP connection.",
        default=default,
        least=0.1,
        most=600,
        field="connect_timeout_s",
    )


WINRM: tuple[Key, ...] = (
    Key(
        name="user",
        kind="text",
        doc="Account to log in with, as 'DOMAIN\\user' (in single quotes) or user@domain. Kerberos can do without.",
        example="CORP\\svc-preflight",
        pattern=TEXT,
    ),
    *_secret("password", "the password", "PREFLIGHT_WINRM_PASSWORD"),
    Key(
        name="auth",
        kind="text",
        doc="How to log in; kerberos and credssp need the extras preflight-scanner[kerberos] and [credssp].",
        default=_W["auth"],
        choices=("ntlm", "kerberos", "credssp", "certificate", "basic"),
    ),
    Key(
        name="scheme",
        kind="text",
        doc="http is for ntlm, kerberos and credssp, which encrypt their messages themselves.",
        default=_W["scheme"],
        choices=("https", "http"),
    ),
    Key(
        name="port",
        kind="integer",
        doc="TCP port of the WinRM listener.",
        otherwise="5986, or 5985 with scheme http",
        example=_W["port"],
        least=1,
        most=65535,
    ),
    Key(
        name="path",
        kind="text",
        doc="Path of the WinRM endpoint.",
        default=_W["path"],
        pattern=r"/[!-~]*",
        expects="a path that starts with /",
    ),
    Key(
        name="ca_file",
        kind="path",
        doc="PEM file with the certificate authority that signed the nodes' certificates.",
        otherwise="the authorities that Python's requests trusts",
        example="corp-ca.pem",
        may_be_empty=True,
    ),
    Key(
        name="verify",
        kind="boolean",
        doc="Verify the node's certificate; false is shown in every report.",
        default=_W["verify"],
    ),
    Key(
        name="insecure",
        kind="boolean",
        doc="Allow Basic over http, where anybody on the way can read the password; shown in every report.",
        default=_W["insecure"],
    ),
    Key(
        name="cert_file",
        kind="path",
        doc="Client certificate in PEM, needed for auth certificate.",
        example="preflight-client.pem",
    ),
    Key(
        name="key_file",
        kind="path",
        doc="Private key of the client certificate in PEM, needed for auth certificate.",
        example="preflight-client.key",
    ),
    Key(
        name="service",
        kind="text",
        doc="Class of the Kerberos service principal.",
        default=_W["service"],
        choices=("HTTP", "WSMAN"),
    ),
    Key(
        name="kerberos_hostname",
        kind="text",
        doc="Name in the Kerberos service principal, where it is not the node's host.",
        otherwise="the node's host",
        example="web1.corp.example",
        may_be_empty=True,
        pattern=HOST,
        expects="a host name",
    ),
    Key(
        name="delivery",
        kind="text",
        doc="stdin sends the script as plain text, where endpoint protection dislikes a compressed one.",
        default=_W["delivery"],
        choices=("auto", "stdin"),
    ),
    _connect_timeout(_W["connect_timeout_s"]),
)
"""How to reach a node over WinRM: in [defaults.winrm], in a cluster, in a node."""

SSH: tuple[Key, ...] = (
    Key(
        name="user",
        kind="text",
        doc="Account to log in with.",
        otherwise="what the OpenSSH configuration says, else your own name",
        example="preflight",
        pattern=r"(?!-)[^\s\u0000-\u001f\u007f]+",
        expects="a user name without blanks",
    ),
    Key(
        name="port",
        kind="integer",
        doc="TCP port of the SSH server.",
        otherwise="what the OpenSSH configuration says, else 22",
        example=22,
        least=1,
        most=65535,
    ),
    Key(
        name="key_file",
        kind="path",
        doc="Private key to log in with.",
        otherwise="what the agent and the OpenSSH configuration offer",
        example="~/.ssh/preflight_ed25519",
        may_be_empty=True,
    ),
    *_secret("passphrase", "the passphrase of the private key", "PREFLIGHT_SSH_PASSPHRASE"),
    *_secret("password", "the password", "PREFLIGHT_SSH_PASSWORD"),
    Key(name="agent", kind="boolean", doc="Offer the keys of the SSH agent.", default=_S["agent"]),
    Key(
        name="known_hosts",
        kind="path",
        doc="File with the host keys to trust.",
        otherwise="~/.ssh/known_hosts and /etc/ssh/ssh_known_hosts",
        example="known_hosts",
        may_be_empty=True,
    ),
    Key(
        name="host_key",
        kind="text",
        doc="The one host key to trust, as 'ssh-ed25519 AAAA...' or 'SHA256:...'.",
        otherwise="the known hosts decide",
        example="SHA256:" + "A" * 43,
        may_be_empty=True,
        pattern=r"SHA256:[A-Za-z0-9+/]{43}=?|[a-z][a-z0-9@.-]+ [A-Za-z0-9+/]{16,}={0,2}( [^\u0000-\u001f\u007f]*)?",
        expects="a key as in known_hosts ('ssh-ed25519 AAAA...') or its fingerprint ('SHA256:' and 43 characters)",
    ),
    Key(
        name="host_key_policy",
        kind="text",
        doc="accept-new trusts a host that is not known yet, and is shown in every report; a changed key is refused.",
        default=_S["host_key_policy"],
        choices=("strict", "accept-new"),
    ),
    Key(
        name="jump",
        kind="text",
        doc="Jump host, as [user@]host[:port].",
        otherwise="what the OpenSSH configuration says, else none",
        example="preflight@bastion.corp.example",
        may_be_empty=True,
        pattern=r"((?!-)[^\s@\u0000-\u001f\u007f]+@)?(?!-)([^\s@:/\\\[\]\u0000-\u001f\u007f]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?",
        expects="one host as [user@]host[:port]",
    ),
    Key(
        name="ssh_config",
        kind="path",
        doc="OpenSSH configuration to honour; empty: none.",
        default=_S["ssh_config"],
        may_be_empty=True,
    ),
    Key(
        name="sudo",
        kind="boolean",
        doc="Run what needs root through sudo -n (which never asks for a password).",
        default=_S["sudo"],
    ),
    _connect_timeout(_S["connect_timeout_s"]),
)
"""How to reach a node over SSH: in [defaults.ssh], in a cluster, in a node."""

TRANSPORTS: dict[str, tuple[Key, ...]] = {"winrm": WINRM, "ssh": SSH, "tds": ()}
"""The keys of each transport. tds asks a SQL Server listener for its version without a login, and has none."""

_TRANSPORT = Key(
    name="transport",
    kind="text",
    doc="How the node is reached; tds only asks a SQL Server listener for its version, without any login.",
    otherwise=", ".join(f"{product.transports[0]} for {product.name}" for product in BUILTIN),
    example="winrm",
    choices=tuple(TRANSPORTS),
)
_CURRENT_DOC = "The version that is installed {}, where it cannot be read there."

CLUSTER: tuple[Key, ...] = (
    Key(
        name="product",
        kind="text",
        doc="What the cluster runs.",
        required=True,
        pattern=TEXT,
        example="secret-server",
    ),
    Key(
        name="target",
        kind="text",
        doc="The version to upgrade to; --target stands in for it.",
        otherwise="rules that depend on the target are not evaluated",
        pattern=TEXT,
        example="11.7.000049",
    ),
    Key(
        name="current",
        kind="text",
        doc=_CURRENT_DOC.format("on the nodes"),
        pattern=TEXT,
        example="10.9.000064",
    ),
    Key(
        name="dpapi",
        kind="text",
        doc="Whether encryption.config is protected with DPAPI, which makes it differ on every node.",
        default="unknown",
        choices=("on", "off", "unknown"),
        products=("secret-server",),
    ),
    _TRANSPORT,
)
"""Keys of [clusters.NAME], beside those of its transports, its nodes and its rules."""

NODE: tuple[Key, ...] = (
    Key(
        name="host",
        kind="text",
        doc="Host name or IP address.",
        otherwise="the node's name",
        example="web1.corp.example",
        pattern=HOST,
        expects="a host name or an IP address, without scheme, port or brackets",
    ),
    Key(name="roles", kind="texts", doc="What the node does in the cluster.", required=True, example=("web",)),
    Key(name="current", kind="text", doc=_CURRENT_DOC.format("on this node"), pattern=TEXT, example="10.9.000064"),
    _TRANSPORT,
)
"""Keys of [clusters.NAME.nodes.NAME], beside those of its transport and `OPTIONS`."""

OPTIONS: tuple[Key, ...] = (
    Key(
        name="sql_instance",
        kind="text",
        doc="The SQL Server instance that counts, MSSQLSERVER for the default one.",
        otherwise="every instance on the host counts",
        example="MSSQLSERVER",
        pattern=r"[A-Za-z_#&\u00c0-\uffff][A-Za-z0-9_#$&\u00c0-\uffff]{0,15}",
        expects="an instance's name alone, without the host (MSSQLSERVER for the default one)",
        products=("secret-server",),
        roles=("database",),
    ),
    Key(
        name="sql_port",
        kind="integer",
        doc="TCP port of SQL Server, asked for its version without a login where the host cannot be read.",
        otherwise="1433 with transport tds; else the port is not asked",
        example=1433,
        least=1,
        most=65535,
        products=("secret-server",),
        roles=("database",),
    ),
    Key(
        name="web_root",
        kind="text",
        doc="The application's folder on the node (a path there, in single quotes).",
        otherwise="found through the registry and IIS",
        example="C:\\inetpub\\wwwroot\\SecretServer",
        pattern=TEXT,
        products=("secret-server",),
        roles=("web",),
    ),
)
"""Product keys that go with a node; in the cluster they hold for all its nodes that have the role."""

RULE: tuple[Key, ...] = (
    Key(
        name="reason",
        kind="text",
        doc="Why the vendor's rule is overridden.",
        required=True,
        pattern=r"[^\u0000]*\S[^\u0000]*",
        expects="a reason",
    ),
    Key(name="requires", kind="text", doc="What is required instead.", example=">=4.7.2", may_be_empty=True),
    Key(
        name="target",
        kind="text",
        doc="The targets that the rule is for; empty: any.",
        example=">=10.9.000005",
        may_be_empty=True,
    ),
    Key(name="effect", kind="text", doc="What a breach amounts to.", choices=("fail", "warn"), example="warn"),
    Key(name="off", kind="boolean", doc="Switch the rule off.", default=False),
)
"""Keys of [clusters.NAME.rules.ID], an override of one of the vendor's rules."""

RUN: tuple[Key, ...] = (
    Key(
        name="parallel",
        kind="integer",
        doc="Nodes that are asked at the same time.",
        otherwise="32",
        example=32,
        least=1,
        most=512,
    ),
    Key(
        name="timeout",
        kind="number",
        doc="Seconds for one node, from its login to its last answer.",
        otherwise="60",
        example=60,
        least=1,
        most=3600,
    ),
    Key(name="strict", kind="boolean", doc="Count a warning as a failure.", default=False),
)
"""Keys of [run]: defaults of the command line's options."""

REPORTS: tuple[Key, ...] = (
    Key(name="html", kind="text", doc="A page for people.", example="preflight-report.html", pattern=TEXT),
    Key(name="junit", kind="text", doc="JUnit XML, for CI.", example="preflight-junit.xml", pattern=TEXT),
    Key(name="json", kind="text", doc="Results for programs.", example="preflight-results.json", pattern=TEXT),
    Key(
        name="markdown",
        kind="text",
        doc="A summary for tickets and chats.",
        example="preflight-summary.md",
        pattern=TEXT,
    ),
)
"""Keys of [reports]: what a plain scan writes, relative to the working directory."""

SECTIONS: dict[str, tuple[Key, ...]] = {
    "[defaults.winrm]": WINRM,
    "[defaults.ssh]": SSH,
    "[clusters.NAME]": CLUSTER,
    "[clusters.NAME.nodes.NODE]": (*NODE, *OPTIONS),
    "[clusters.NAME.rules.ID]": RULE,
    "[run]": RUN,
    "[reports]": REPORTS,
}
"""All tables by where they stand."""


def by_name(*tables: tuple[Key, ...]) -> dict[str, Key]:
    """The keys of `tables` by name; the first one wins."""
    found: dict[str, Key] = {}
    for table in tables:
        for key in table:
            found.setdefault(key.name, key)
    return found
