"""The keys of Secret Server's clusters and nodes, and its example."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from checks.common.dataclass import dataclass
from scanner.inventory.expect.keys import ABOUT_EXPECT, EXPECT
from scanner.inventory.products import Product
from scanner.inventory.settings.acceptance import RULE
from scanner.inventory.settings.catalogue import Catalogue, ProductSettings
from scanner.inventory.settings.setting import (
    HOST,
    NAMES,
    NAMES_EXPECTED,
    TEXT,
    by_name,
    secret_setting,
    setting,
    settings_of,
)
from scanner.inventory.writing import tables
from scanner.secrets.secret import Secret

_DATABASE = ("database",)
_WINDOWS_PATH = r"([A-Za-z]:|%[A-Za-z0-9_()]+%|[\\/]{2}[^\\/\u0000-\u001f\u007f]+)[\\/][^\u0000-\u001f\u007f]+"
_WINDOWS_PATH_EXPECTED = "an absolute path such as 'D:\\Backup\\app.zip' or '\\\\server\\share\\folder'"


def _in_use(what: str, otherwise: str, known: str = "; no node tells") -> Any:
    return setting(None, doc=f"Whether {what}{known}.", otherwise=otherwise, example=True)


def _protection(how: str) -> Any:
    return setting("unknown", doc=f"Whether encryption.config is {how}.", choices=("on", "off", "unknown"))


def _backup_path(doc: str, otherwise: str, example: str) -> Any:
    return setting(
        "", doc=doc, otherwise=otherwise, example=example, pattern=_WINDOWS_PATH, expects=_WINDOWS_PATH_EXPECTED
    )


def _backup_node(role: str, example: str) -> Any:
    return setting(
        "",
        doc="The node that looks for it.",
        otherwise=f"all {role} nodes, of which one has to find it",
        example=example,
        pattern=NAMES,
        expects=NAMES_EXPECTED,
    )


def _hours(doc: str, usual: int) -> Any:
    otherwise = f"{usual}, and more is only a warning"
    return setting(None, doc=doc, otherwise=otherwise, example=usual, least=1, most=8760)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterKeys:
    """What no node tells of a cluster."""

    dpapi: str = _protection("protected with DPAPI, which makes it differ on every node")
    efs: str = _protection("encrypted with EFS, so that the scanner's account cannot read it")
    integrated_windows_auth: bool | None = _in_use(
        "users log in with Integrated Windows Authentication", "IIS's authentication is not judged", known=""
    )
    distributed_engines: bool | None = _in_use(
        "distributed engines are in use", "a plan has their steps, for the case that they are"
    )
    rabbitmq: bool | None = _in_use("RabbitMQ is in use", "a plan has its steps, for the case that it is")
    saml: bool | None = _in_use("users log in with SAML", "a plan has its steps, for the case that they do")
    session_recording: bool | None = _in_use(
        "advanced session recording is in use", "a plan has its steps, for the case that it is"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeKeys:
    """How a database is asked, and what a web node cannot tell."""

    sql_instance: str = setting(
        "",
        doc="The SQL Server instance that counts, MSSQLSERVER for the default one.",
        otherwise="every instance on the host counts",
        example="MSSQLSERVER",
        pattern=r"[A-Za-z_#&\u00c0-\uffff][A-Za-z0-9_#$&\u00c0-\uffff]{0,15}",
        expects="an instance's name alone, without the host (MSSQLSERVER for the default one)",
        roles=_DATABASE,
    )
    sql_transport: str = setting(
        "",
        doc="Who asks SQL Server for the database: host, the script there; or tds, the scanner itself, with sql_user.",
        otherwise="host; with transport tds, tds",
        example="tds",
        choices=("host", "tds"),
        roles=_DATABASE,
    )
    sql_host: str = setting(
        "",
        doc="Where SQL Server listens, where that is not the node's host: a failover cluster's name, a listener.",
        otherwise="the node's host",
        example="vault-sql.corp.example",
        pattern=HOST,
        expects="a host name or an IP address, without port or brackets",
        roles=_DATABASE,
    )
    sql_auth: str = setting(
        "",
        doc="What sql_user is, where the scanner itself logs in: a SQL login, or with ntlm a Windows account.",
        otherwise="sql",
        example="ntlm",
        choices=("sql", "ntlm"),
        roles=_DATABASE,
    )
    sql_port: int | None = setting(
        None,
        doc="TCP port of SQL Server, asked for its version without a login where the host cannot be read.",
        otherwise="1433 where the scanner itself asks, or what SQL Server Browser tells of a named sql_instance; else "
        "the port is not asked",
        example=1433,
        least=1,
        most=65535,
        roles=_DATABASE,
    )
    sql_database: str = setting(
        "",
        doc="Secret Server's database, where several databases on the host may be meant.",
        otherwise="the one that holds dbo.tbVersion",
        example="SecretServer",
        pattern=r"[^\u0000-\u001f\u007f]{1,128}",
        expects="a database's name alone, of at most 128 characters",
        roles=_DATABASE,
    )
    sql_user: str = setting(
        "",
        doc="Login to ask SQL Server with, over a connection that nobody else can read only.",
        otherwise="the account that logs in on the host asks, with Windows authentication",
        example="preflight_sql",
        pattern=r"[^\u0000-\u001f\u007f]{1,128}",
        expects="a login's name of at most 128 characters",
        roles=_DATABASE,
    )
    sql_password: Secret | None = secret_setting("the SQL login's password", "PREFLIGHT_SQL_PASSWORD", roles=_DATABASE)
    web_root: str = setting(
        "",
        doc="The application's folder on the node (a path there, in single quotes).",
        otherwise="found through the registry and IIS",
        example="C:\\inetpub\\wwwroot\\SecretServer",
        pattern=TEXT,
        roles=("web", "dr"),
    )
    online: bool = setting(
        default=False,
        doc="Whether the node's web installer downloads the update, so that it has to reach the vendor's hosts.",
        roles=("web",),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupKeys:
    """Where the backups lie that the vendor asks for before an upgrade."""

    app_path: str = _backup_path(
        "The application folder's backup: a .zip, a copy of it, or a folder of such, of which the newest counts.",
        "it is not looked at",
        "D:\\Backup\\SecretServer",
    )
    app_node: str = _backup_node("web", "web1")
    database_path: str = _backup_path(
        "The database's backup: a .bak file, or a folder of such, of which the newest counts.",
        "what msdb knows of it is judged alone, where SQL Server can be queried",
        "E:\\Backup\\SecretServer",
    )
    database_node: str = _backup_node("database", "sql1")
    max_age_hours: int | None = _hours("Hours after which a backup is too old for the window.", 24)
    max_full_age_hours: int | None = _hours(
        "Hours after which the full backup beneath the newest differential or log backup is too old.", 192
    )


def _example(product: Product, known: Catalogue) -> str:
    cluster = f"clusters.{SETTINGS.example_cluster}"
    about = "A Secret Server cluster. The name is yours to choose, and appears in every report."
    own = {"product": product.name, "target": product.version_example}
    node = by_name(known.node, known.options)
    ways = replace(node["transport"], choices=product.transports, otherwise=product.transports[0])
    node["transport"] = ways
    nodes = f"{cluster}.nodes"
    keys = [key for key in known.cluster if key.is_for(product.name)]
    sql = [key for key in known.options if key.name.startswith("sql_") and key.name not in ("sql_instance", "sql_port")]
    first = (
        "Its nodes, each with a name of its own. Any key of [defaults.winrm] may stand here, too, for this node alone."
    )
    return "\n".join(
        [
            tables.table(cluster, about, [ways if key.name == "transport" else key for key in keys], own),
            tables.table(
                f"{cluster}.backup", "The backups that the vendor asks for before an upgrade.", known.backup, {}
            ),
            tables.switched_off(
                f"{cluster}.rules.dotnet-48",
                "A rule of the vendor that does not hold for you can be overridden, with the reason, which every "
                "report shows. `preflight explain` lists a check's rules.",
                RULE,
                {"reason": "4.8 comes in the same window, change 4711", "effect": "warn"},
            ),
            tables.left_out(f"{cluster}.skip", "database-mirroring"),
            tables.switched_off(f"[{cluster}.expect]", ABOUT_EXPECT, EXPECT, {}),
            tables.table(
                f"{nodes}.web1",
                first,
                [key for key in node.values() if (not key.roles or "web" in key.roles) and key.is_for(product.name)],
                {"host": "web1.corp.example", "roles": ("web",)},
                notes={"roles": tables.roles_of(product)},
            ),
            tables.brief(f"{nodes}.web2", {"host": "web2.corp.example", "roles": ("web",)}),
            tables.table(
                f"{nodes}.sql1",
                "",
                [node["host"], node["roles"], node["sql_instance"], node["sql_port"], *sql],
                {"host": "sql1.corp.example", "roles": ("database",)},
                silent=("host", "roles"),
            ),
        ],
    )


SETTINGS = ProductSettings(
    product="secret-server",
    cluster=settings_of(ClusterKeys),
    node=settings_of(NodeKeys),
    backup=settings_of(BackupKeys),
    example_cluster="vault-prod",
    example_nodes={"web": ("web1", "web2"), "database": ("sql1",)},
    example=_example,
)
