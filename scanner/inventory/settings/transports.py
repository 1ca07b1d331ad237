"""The keys that say how a node is reached. Their defaults are the model's own."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

from scanner.inventory.model import LocalSettings, SshSettings, TdsSettings, WinrmSettings
from scanner.inventory.settings.setting import ENV_NAME, HOST, Key


def secret_keys(
    name: str, what: str, variable: str, *, products: tuple[str, ...] = (), roles: tuple[str, ...] = ()
) -> tuple[Key, ...]:
    """The three keys that say where the secret `name` comes from."""
    keys = (
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
    return tuple(replace(key, products=products, roles=roles) for key in keys)


def _defaults(settings: type[WinrmSettings | SshSettings | LocalSettings | TdsSettings]) -> dict[str, object]:
    return {entry.name: entry.default for entry in dataclasses.fields(settings)}


_W = _defaults(WinrmSettings)
_S = _defaults(SshSettings)
_L = _defaults(LocalSettings)
_T = _defaults(TdsSettings)


def _sudo(default: object) -> Key:
    return Key(
        name="sudo",
        kind="boolean",
        doc="Run what needs root through sudo -n (which never asks for a password). Not on Windows.",
        default=default,
        platforms=("linux",),
    )


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


def _trust(signed: str, verified: str, default: object) -> tuple[Key, ...]:
    """The two keys that say which TLS certificates are believed."""
    return (
        Key(
            name="ca_file",
            kind="path",
            doc=f"File (PEM or DER) with the certificate authority that signed {signed}: root or issuing.",
            otherwise="the operating system's own trust store",
            example="corp-ca.pem",
            may_be_empty=True,
        ),
        Key(
            name="verify",
            kind="boolean",
            doc=f"Verify {verified}; false is shown in every report.",
            default=default,
        ),
    )


WINRM: tuple[Key, ...] = (
    Key(
        name="user",
        kind="text",
        doc="Account to log in with, as 'DOMAIN\\user' (in single quotes) or user@domain. Kerberos can do without.",
        example="CORP\\svc-preflight",
        pattern=r"[^:\u0000-\u001f\u007f]+",
        expects="a user name alone, without a colon",
    ),
    *secret_keys("password", "the password", "PREFLIGHT_WINRM_PASSWORD"),
    Key(
        name="auth",
        kind="text",
        doc="How to log in; kerberos needs the extra preflight-scanner[kerberos].",
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
        name="protocol",
        kind="text",
        doc="winrs: a Windows Remote Shell, for administrators; psrp: PowerShell remoting (Remote Management Users).",
        default=_W["protocol"],
        choices=("winrs", "psrp"),
    ),
    Key(
        name="configuration",
        kind="text",
        doc="Session configuration of psrp; it must allow scripts (LanguageMode FullLanguage).",
        otherwise="Microsoft.PowerShell",
        example="preflight",
        may_be_empty=True,
        pattern=r"[A-Za-z0-9_][A-Za-z0-9_. -]{0,99}",
        expects="the name of a session configuration, as Get-PSSessionConfiguration lists it",
    ),
    *_trust("the nodes' certificates", "the node's certificate", _W["verify"]),
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
        may_be_empty=True,
    ),
    Key(
        name="key_file",
        kind="path",
        doc="Private key of the client certificate in PEM, needed for auth certificate.",
        example="preflight-client.key",
        may_be_empty=True,
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

_JUMP_HOST = (
    r"(ssh://)?((?!-)[^\s,:\u0000-\u001f\u007f]+@)?(?!-)"
    r"([^\s@:/,\\\[\]!#$^&*()+=?<>|\u0022'`;\u0000-\u001f\u007f]+|\[[0-9A-Fa-f:.]+(%[A-Za-z0-9_.-]+)?\])(:[0-9]{1,5})?/?"
)

SSH: tuple[Key, ...] = (
    Key(
        name="user",
        kind="text",
        doc="Account to log in with.",
        otherwise="what the OpenSSH configuration says, else your own name",
        example="preflight",
        pattern=r"(?!-)[^\s:\u0000-\u001f\u007f]+",
        expects="a user name alone, without blanks and colons",
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
    *secret_keys("passphrase", "the passphrase of the private key", "PREFLIGHT_SSH_PASSPHRASE"),
    *secret_keys("password", "the password", "PREFLIGHT_SSH_PASSWORD"),
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
        name="legacy_algorithms",
        kind="boolean",
        doc="Accept RSA signatures and a key exchange with SHA-1, for servers of RHEL 6's age; shown in every report.",
        default=_S["legacy_algorithms"],
    ),
    Key(
        name="jump",
        kind="text",
        doc="Jump host, as [user@]host[:port], or several in order, with commas between or as a list; none: no jump.",
        otherwise="what the OpenSSH configuration says, else none",
        example="preflight@bastion.corp.example",
        may_be_empty=True,
        pattern=rf"{_JUMP_HOST}( *, *{_JUMP_HOST})*",
        expects="one host as [user@]host[:port], or several with commas between",
        chain=True,
    ),
    Key(
        name="ssh_config",
        kind="path",
        doc="OpenSSH configuration to honour; empty: none.",
        default=_S["ssh_config"],
        may_be_empty=True,
    ),
    _sudo(_S["sudo"]),
    _connect_timeout(_S["connect_timeout_s"]),
)
"""How to reach a node over SSH: in [defaults.ssh], in a cluster, in a node."""

LOCAL: tuple[Key, ...] = (_sudo(_L["sudo"]),)
"""How to ask the machine that preflight runs on: in [defaults.local], in a cluster, in a node."""

TDS: tuple[Key, ...] = (
    Key(
        name="encrypt",
        kind="text",
        doc="strict is TDS 8, of SQL Server 2022 and later; mandatory is TLS inside the older protocol.",
        default=_T["encrypt"],
        choices=("mandatory", "strict"),
    ),
    *_trust("SQL Server's certificate, or with that certificate", "SQL Server's certificate", _T["verify"]),
    Key(
        name="certificate_name",
        kind="text",
        doc="The name in SQL Server's certificate, where it is not the host's.",
        otherwise="the host",
        example="sql1.corp.example",
        may_be_empty=True,
        pattern=HOST,
        expects="a host name",
    ),
    _connect_timeout(_T["connect_timeout_s"]),
)
"""How the scanner itself asks SQL Server: in [defaults.tds], in a cluster, in a node."""

TRANSPORTS: dict[str, tuple[Key, ...]] = {"winrm": WINRM, "ssh": SSH, "local": LOCAL, "tds": TDS}
"""The keys of each transport."""


def keys_of(transport: str, platform: str) -> tuple[Key, ...]:
    """The keys that `transport` has for machines of `platform`; "" where that is not known."""
    keys = TRANSPORTS.get(transport, ())
    return tuple(key for key in keys if not key.platforms or not platform or platform in key.platforms)
