"""How the scanner itself asks SQL Server: in [defaults.tds], in a cluster, in a node."""

from __future__ import annotations

from checks.common.dataclass import dataclass
from scanner.inventory.settings.common import ca_file_setting, connect_timeout_setting, verify_setting
from scanner.inventory.settings.setting import HOST, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class TdsSettings:
    """How the scanner itself connects to a SQL Server."""

    encrypt: str = setting(
        "mandatory",
        doc="strict is TDS 8, of SQL Server 2022 and later; mandatory is TLS inside the older protocol.",
        choices=("mandatory", "strict"),
    )
    ca_file: str = ca_file_setting("SQL Server's certificate, or with that certificate")
    verify: bool = verify_setting("SQL Server's certificate")
    certificate_name: str = setting(
        "",
        doc="The name in SQL Server's certificate, where it is not the host's.",
        otherwise="the host",
        example="sql1.corp.example",
        may_be_empty=True,
        pattern=HOST,
        expects="a host name",
    )
    auth: str = "sql"
    """sql, or ntlm for a Windows account; as the node's `sql_auth` says."""
    connect_timeout_s: float = connect_timeout_setting()
