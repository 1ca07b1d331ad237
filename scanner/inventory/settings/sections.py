"""Every key of an inventory, once: what it takes, its default, where it may stand, what it is for.

Validation, the JSON Schema and the template of `preflight init` are made from these tables.
"""

from __future__ import annotations

from scanner.inventory.products import BUILTIN
from scanner.inventory.settings.acceptance import ATTESTATION, DRIFT_RULE, WAIVER
from scanner.inventory.settings.run import REPORTS, RUN
from scanner.inventory.settings.setting import HOST, NAMES, NAMES_EXPECTED, TEXT, Key
from scanner.inventory.settings.transports import LOCAL, SSH, TDS, TRANSPORTS, WINRM, secret_keys

_TRANSPORT = Key(
    name="transport",
    kind="text",
    doc="How the node is reached; local: it is the machine that preflight runs on; tds: SQL Server alone is asked, "
    "with the login in sql_user, or without one for its version.",
    otherwise=", ".join(f"{product.transports[0]} for {product.name}" for product in BUILTIN),
    example="winrm",
    choices=tuple(TRANSPORTS),
)
_OWNER = Key(
    name="owner",
    kind="text",
    doc="Who answers for it; reports show it, and findings go to it. Of a node: instead of the cluster's.",
    pattern=TEXT,
    example="Vault team",
)
_CONTACT = Key(
    name="contact",
    kind="text",
    doc="How to reach them: an address, a channel, a number.",
    pattern=TEXT,
    example="vault-oncall@corp.example",
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
    Key(
        name="efs",
        kind="text",
        doc="Whether encryption.config is encrypted with EFS, so that the scanner's account cannot read it.",
        default="unknown",
        choices=("on", "off", "unknown"),
        products=("secret-server",),
    ),
    Key(
        name="integrated_windows_auth",
        kind="boolean",
        doc="Whether users log in with Integrated Windows Authentication.",
        otherwise="IIS's authentication is not judged",
        example=True,
        products=("secret-server",),
    ),
    Key(
        name="distributed_engines",
        kind="boolean",
        doc="Whether distributed engines are in use; no node tells.",
        otherwise="a plan has their steps, for the case that they are",
        example=True,
        products=("secret-server",),
    ),
    Key(
        name="rabbitmq",
        kind="boolean",
        doc="Whether RabbitMQ is in use; no node tells.",
        otherwise="a plan has its steps, for the case that it is",
        example=True,
        products=("secret-server",),
    ),
    Key(
        name="saml",
        kind="boolean",
        doc="Whether users log in with SAML; no node tells.",
        otherwise="a plan has its steps, for the case that they do",
        example=True,
        products=("secret-server",),
    ),
    Key(
        name="session_recording",
        kind="boolean",
        doc="Whether advanced session recording is in use; no node tells.",
        otherwise="a plan has its steps, for the case that it is",
        example=True,
        products=("secret-server",),
    ),
    Key(
        name="failover",
        kind="text",
        doc="Whether cluster failover is on, as set-cluster-failover last set it; no command reads it.",
        otherwise="not judged before the window, unknown in it and after it",
        example="on",
        choices=("on", "off"),
        products=("chef-backend",),
    ),
    _OWNER,
    _CONTACT,
    _TRANSPORT,
)
"""Keys of [clusters.NAME], beside those of its transports, its nodes and its rules."""

NODE: tuple[Key, ...] = (
    Key(
        name="host",
        kind="text",
        doc="Host name or IP address.",
        otherwise="the node's name; with transport local, this machine, whatever it is called",
        example="web1.corp.example",
        pattern=HOST,
        expects="a host name or an IP address, without scheme, port or brackets",
    ),
    Key(name="roles", kind="texts", doc="What the node does in the cluster.", required=True, example=("web",)),
    Key(name="current", kind="text", doc=_CURRENT_DOC.format("on this node"), pattern=TEXT, example="10.9.000064"),
    _OWNER,
    _CONTACT,
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
        name="sql_transport",
        kind="text",
        doc="Who asks SQL Server for the database: host, the script there; or tds, the scanner itself, with sql_user.",
        otherwise="host; with transport tds, tds",
        example="tds",
        choices=("host", "tds"),
        products=("secret-server",),
        roles=("database",),
    ),
    Key(
        name="sql_host",
        kind="text",
        doc="Where SQL Server listens, where that is not the node's host: a failover cluster's name, a listener.",
        otherwise="the node's host",
        example="vault-sql.corp.example",
        pattern=HOST,
        expects="a host name or an IP address, without port or brackets",
        products=("secret-server",),
        roles=("database",),
    ),
    Key(
        name="sql_auth",
        kind="text",
        doc="What sql_user is, where the scanner itself logs in: a SQL login, or with ntlm a Windows account.",
        otherwise="sql",
        example="ntlm",
        choices=("sql", "ntlm"),
        products=("secret-server",),
        roles=("database",),
    ),
    Key(
        name="sql_port",
        kind="integer",
        doc="TCP port of SQL Server, asked for its version without a login where the host cannot be read.",
        otherwise="1433 where the scanner itself asks, or what SQL Server Browser tells of a named sql_instance; else "
        "the port is not asked",
        example=1433,
        least=1,
        most=65535,
        products=("secret-server",),
        roles=("database",),
    ),
    Key(
        name="sql_database",
        kind="text",
        doc="Secret Server's database, where several databases on the host may be meant.",
        otherwise="the one that holds dbo.tbVersion",
        example="SecretServer",
        pattern=r"[^\u0000-\u001f\u007f]{1,128}",
        expects="a database's name alone, of at most 128 characters",
        products=("secret-server",),
        roles=("database",),
    ),
    Key(
        name="sql_user",
        kind="text",
        doc="Login to ask SQL Server with, over a connection that nobody else can read only.",
        otherwise="the account that logs in on the host asks, with Windows authentication",
        example="preflight_sql",
        pattern=r"[^\u0000-\u001f\u007f]{1,128}",
        expects="a login's name of at most 128 characters",
        products=("secret-server",),
        roles=("database",),
    ),
    *secret_keys(
        "sql_password",
        "the SQL login's password",
        "PREFLIGHT_SQL_PASSWORD",
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
        roles=("web", "dr"),
    ),
    Key(
        name="online",
        kind="boolean",
        doc="Whether the node's web installer downloads the update, so that it has to reach the vendor's hosts.",
        default=False,
        products=("secret-server",),
        roles=("web",),
    ),
    Key(
        name="package",
        kind="text",
        doc="Where the target's package file lies ready on the node.",
        otherwise="whether it is staged is not looked at",
        example="/srv/chef-backend-2.3.16-1.el7.x86_64.rpm",
        pattern=r"/[^\u0000-\u001f\u007f]+",
        expects="an absolute path on the node",
        products=("chef-backend",),
        roles=("backend",),
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

_WINDOWS_PATH = r"([A-Za-z]:|%[A-Za-z0-9_()]+%|[\\/]{2}[^\\/\u0000-\u001f\u007f]+)[\\/][^\u0000-\u001f\u007f]+"
_WINDOWS_PATH_EXPECTED = "an absolute path such as 'D:\\Backup\\app.zip' or '\\\\server\\share\\folder'"

BACKUP: tuple[Key, ...] = (
    Key(
        name="app_path",
        kind="text",
        doc="The application folder's backup: a .zip, a copy of it, or a folder of such, of which the newest counts.",
        otherwise="it is not looked at",
        example="D:\\Backup\\SecretServer",
        pattern=_WINDOWS_PATH,
        expects=_WINDOWS_PATH_EXPECTED,
        products=("secret-server",),
    ),
    Key(
        name="app_node",
        kind="text",
        doc="The node that looks for it.",
        otherwise="all web nodes, of which one has to find it",
        example="web1",
        pattern=NAMES,
        expects=NAMES_EXPECTED,
        products=("secret-server",),
    ),
    Key(
        name="database_path",
        kind="text",
        doc="The database's backup: a .bak file, or a folder of such, of which the newest counts.",
        otherwise="what msdb knows of it is judged alone, where SQL Server can be queried",
        example="E:\\Backup\\SecretServer",
        pattern=_WINDOWS_PATH,
        expects=_WINDOWS_PATH_EXPECTED,
        products=("secret-server",),
    ),
    Key(
        name="database_node",
        kind="text",
        doc="The node that looks for it.",
        otherwise="all database nodes, of which one has to find it",
        example="sql1",
        pattern=NAMES,
        expects=NAMES_EXPECTED,
        products=("secret-server",),
    ),
    Key(
        name="max_age_hours",
        kind="integer",
        doc="Hours after which a backup is too old for the window.",
        otherwise="24, and more is only a warning",
        example=24,
        least=1,
        most=8760,
        products=("secret-server",),
    ),
    Key(
        name="max_full_age_hours",
        kind="integer",
        doc="Hours after which the full backup beneath the newest differential or log backup is too old.",
        otherwise="192, and more is only a warning",
        example=192,
        least=1,
        most=8760,
        products=("secret-server",),
    ),
)
"""Keys of [clusters.NAME.backup]: where the backups lie that the vendor asks for before an upgrade."""

SECTIONS: dict[str, tuple[Key, ...]] = {
    "[defaults.winrm]": WINRM,
    "[defaults.ssh]": SSH,
    "[defaults.local]": LOCAL,
    "[defaults.tds]": TDS,
    "[clusters.NAME]": CLUSTER,
    "[clusters.NAME.nodes.NODE]": (*NODE, *OPTIONS),
    "[clusters.NAME.backup]": BACKUP,
    "[clusters.NAME.rules.ID]": RULE,
    "[run]": RUN,
    "[reports]": REPORTS,
    "[[waivers]]": WAIVER,
    "[[attestations]]": ATTESTATION,
    "[drift.rules.FACT]": DRIFT_RULE,
}
"""All tables by where they stand."""
