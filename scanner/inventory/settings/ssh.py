"""How a node is reached over SSH: in [defaults.ssh], in a cluster, in a node."""

from __future__ import annotations

from checks.common.dataclass import dataclass
from scanner.inventory.settings.common import connect_timeout_setting, file_setting, sudo_setting
from scanner.inventory.settings.setting import secret_setting, setting
from scanner.secrets.secret import Secret
from scanner.secrets.source import SecretSource

_JUMP_HOST = (
    r"(ssh://)?((?!-)[^\s,:\u0000-\u001f\u007f]+@)?(?!-)"
    r"([^\s@:/,\\\[\]!#$^&*()+=?<>|\u0022'`;\u0000-\u001f\u007f]+|\[[0-9A-Fa-f:.]+(%[A-Za-z0-9_.-]+)?\])(:[0-9]{1,5})?/?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SshSettings:
    """How to reach a node over SSH."""

    user: str = setting(
        "",
        doc="Account to log in with.",
        otherwise="what the OpenSSH configuration says, else your own name",
        example="preflight",
        pattern=r"(?!-)[^\s:\u0000-\u001f\u007f]+",
        expects="a user name alone, without blanks and colons",
    )
    port: int | None = setting(
        None,
        doc="TCP port of the SSH server.",
        otherwise="what the OpenSSH configuration says, else 22",
        example=22,
        least=1,
        most=65535,
    )
    key_file: str = file_setting(
        "Private key to log in with.", "~/.ssh/preflight_ed25519", "what the agent and the OpenSSH configuration offer"
    )
    passphrase: SecretSource | Secret | None = secret_setting(
        "the passphrase of the private key", "PREFLIGHT_SSH_PASSPHRASE"
    )
    password: SecretSource | Secret | None = secret_setting("the password", "PREFLIGHT_SSH_PASSWORD")
    agent: bool = setting(default=True, doc="Offer the keys of the SSH agent.")
    known_hosts: str = file_setting(
        "File with the host keys to trust.", "known_hosts", "~/.ssh/known_hosts and /etc/ssh/ssh_known_hosts"
    )
    host_key: str = setting(
        "",
        doc="The one host key to trust, as 'ssh-ed25519 AAAA...' or 'SHA256:...'.",
        otherwise="the known hosts decide",
        example="SHA256:" + "A" * 43,
        may_be_empty=True,
        pattern=r"SHA256:[A-Za-z0-9+/]{43}=?|[a-z][a-z0-9@.-]+ [A-Za-z0-9+/]{16,}={0,2}( [^\u0000-\u001f\u007f]*)?",
        expects="a key as in known_hosts ('ssh-ed25519 AAAA...') or its fingerprint ('SHA256:' and 43 characters)",
    )
    host_key_policy: str = setting(
        "strict",
        doc="accept-new trusts a host that is not known yet, and is shown in every report; a changed key is refused.",
        choices=("strict", "accept-new"),
    )
    legacy_algorithms: bool = setting(
        default=False,
        doc="Accept RSA signatures and a key exchange with SHA-1, for servers of RHEL 6's age; shown in every report.",
    )
    jump: str = setting(
        "",
        doc="Jump host, as [user@]host[:port], or several in order, with commas between or as a list; none: no jump.",
        otherwise="what the OpenSSH configuration says, else none",
        example="preflight@bastion.corp.example",
        may_be_empty=True,
        pattern=rf"{_JUMP_HOST}( *, *{_JUMP_HOST})*",
        expects="one host as [user@]host[:port], or several with commas between",
        chain=True,
    )
    ssh_config: str = setting(
        "~/.ssh/config", doc="OpenSSH configuration to honour; empty: none.", path=True, may_be_empty=True
    )
    sudo: bool = sudo_setting()
    connect_timeout_s: float = connect_timeout_setting()
