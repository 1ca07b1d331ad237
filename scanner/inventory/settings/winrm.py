"""How a node is reached over WinRM: in [defaults.winrm], in a cluster, in a node."""

from __future__ import annotations

from checks.common.dataclass import dataclass
from scanner.inventory.settings.common import ca_file_setting, connect_timeout_setting, file_setting, verify_setting
from scanner.inventory.settings.setting import HOST, secret_setting, setting
from scanner.secrets.secret import Secret
from scanner.secrets.source import SecretSource


@dataclass(frozen=True, slots=True, kw_only=True)
class WinrmSettings:
    """How to reach a node over WinRM."""

    user: str = setting(
        "",
        doc="Account to log in with, as 'DOMAIN\\user' (in single quotes) or user@domain. Kerberos can do without.",
        example="CORP\\svc-preflight",
        pattern=r"[^:\u0000-\u001f\u007f]+",
        expects="a user name alone, without a colon",
    )
    password: SecretSource | Secret | None = secret_setting("the password", "PREFLIGHT_WINRM_PASSWORD")
    """A source as written; a `Secret` once resolved."""
    auth: str = setting(
        "ntlm",
        doc="How to log in; kerberos needs the extra preflight-scanner[kerberos].",
        choices=("ntlm", "kerberos", "credssp", "certificate", "basic"),
    )
    scheme: str = setting(
        "https",
        doc="http is for ntlm, kerberos and credssp, which encrypt their messages themselves.",
        choices=("https", "http"),
    )
    port: int = setting(
        5986,
        doc="TCP port of the WinRM listener.",
        otherwise="5986, or 5985 with scheme http",
        least=1,
        most=65535,
    )
    path: str = setting(
        "/wsman", doc="Path of the WinRM endpoint.", pattern=r"/[!-~]*", expects="a path that starts with /"
    )
    protocol: str = setting(
        "winrs",
        doc="winrs: a Windows Remote Shell, for administrators; psrp: PowerShell remoting (Remote Management Users).",
        choices=("winrs", "psrp"),
    )
    configuration: str = setting(
        "",
        doc="Session configuration of psrp; it must allow scripts (LanguageMode FullLanguage).",
        otherwise="Microsoft.PowerShell",
        example="preflight",
        may_be_empty=True,
        pattern=r"[A-Za-z0-9_][A-Za-z0-9_. -]{0,99}",
        expects="the name of a session configuration, as Get-PSSessionConfiguration lists it",
    )
    ca_file: str = ca_file_setting("the nodes' certificates")
    verify: bool = verify_setting("the node's certificate")
    insecure: bool = setting(
        default=False,
        doc="Allow Basic over http, where anybody on the way can read the password; shown in every report.",
    )
    cert_file: str = file_setting("Client certificate in PEM, needed for auth certificate.", "preflight-client.pem")
    key_file: str = file_setting(
        "Private key of the client certificate in PEM, needed for auth certificate.", "preflight-client.key"
    )
    service: str = setting("HTTP", doc="Class of the Kerberos service principal.", choices=("HTTP", "WSMAN"))
    kerberos_hostname: str = setting(
        "",
        doc="Name in the Kerberos service principal, where it is not the node's host.",
        otherwise="the node's host",
        example="web1.corp.example",
        may_be_empty=True,
        pattern=HOST,
        expects="a host name",
    )
    delivery: str = setting(
        "auto",
        doc="stdin sends the script as plain text, where endpoint protection dislikes a compressed one.",
        choices=("auto", "stdin"),
    )
    connect_timeout_s: float = connect_timeout_setting()

    @property
    def keeps_secrets(self) -> bool:
        """Whether what is sent can be read by the node alone.

        The logins that encrypt the messages themselves do so over https, too; the others rest on a proven certificate.
        """
        if self.auth in ("ntlm", "kerberos", "credssp"):
            return self.scheme == "https" or not self.insecure
        return self.scheme == "https" and self.verify
