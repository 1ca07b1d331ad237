"""What a plan has to know of a Secret Server site: its nodes with their folders, pools and addresses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from checks.check import NodeView
from checks.facts import Unknown, UnknownFactError
from checks.groups import enumerate_names
from checks.outcome import Outcome
from checks.plan.model import Command
from checks.plan.names import Names, scan_command
from checks.secret_server.facts import AppFiles, EncryptionConfig, IisApplication, IisConfiguration, WebRoot
from checks.secret_server.file_facts import DatabaseConfig
from checks.secret_server.serving import serving, serving_pools

_TMS = "tms"
TWO_FILES = "database.config encryption.config"
"""What is never copied from node to node."""


@dataclass(frozen=True, slots=True)
class Web:
    """One node with the application on it."""

    name: str
    host: str
    root: str | None
    r"""The application's folder: "C:\\inetpub\\wwwroot\\SecretServer"; None where it is unknown."""
    pools: tuple[str, ...]
    """The application pools that serve it; empty where they are unknown."""
    path: str | None
    """Its virtual path, "/SecretServer"."""
    tms: str | None
    """The folder of TMS, where IIS serves one."""
    efs: bool
    tms_pool: str = ""
    """The application pool of TMS; empty where IIS serves none."""
    why: str = ""
    """Why something of it is unknown."""


@dataclass(frozen=True, slots=True)
class Site:
    """One site, and how its names get into commands."""

    cluster: str
    inventory: str
    webs: tuple[Web, ...]
    """The one that is upgraded first stands first."""
    spares: tuple[Web, ...]
    """The instances for disaster recovery."""
    databases: tuple[str, ...]
    """Names of the nodes that hold the database, the one where it is open first."""
    database: str | None
    """The database's own name."""
    dpapi: str
    """on, off or unknown."""
    integrated: bool | None
    """Whether users log in with Integrated Windows Authentication; None where that is not declared."""
    mirrored: str
    """mirroring, group (an availability group), or empty where the database has no second copy."""
    moot: frozenset[str] = frozenset()
    """Checks that do not concern this site."""
    partner: str = ""
    """Where the mirror is, as SQL Server says it."""
    names: Names = field(default_factory=Names)

    @property
    def first(self) -> Web:
        """The node that is upgraded first."""
        return self.webs[0]

    @property
    def others(self) -> tuple[Web, ...]:
        """The nodes that get its files."""
        return self.webs[1:]

    @property
    def sql(self) -> str:
        """The node where commands in SQL are typed; empty where the inventory names none."""
        return self.databases[0] if self.databases else ""

    @property
    def hosts(self) -> str:
        """Every machine of the site in a sentence, each once."""
        names = dict.fromkeys([*(web.name for web in self.webs), *(self.databases or ("the SQL Server",))])
        return enumerate_names(list(names))

    def saved(self, web: Web, what: str) -> str:
        """Where something of `web` is kept during the window, quoted."""
        return self.names.quoted(f"D:\\Backup\\{web.name}-{what}", f"a folder for the backup of {web.name}")

    def root(self, web: Web) -> str:
        """The application's folder, quoted."""
        return self.names.quoted(web.root, f"the application's folder on {web.name}", web.why)

    def file(self, web: Web, name: str) -> str:
        """A file in the application's folder, quoted."""
        return self.root(web)[:-1] + f'\\{name}"'

    def share(self, web: Web, folder: str | None) -> str:
        r"""A folder of `web` as other machines reach it, quoted: "\\\\web2\\C$\\inetpub\\wwwroot\\SecretServer"."""
        host = self.names.bare(web.host, f"the host of {web.name}")
        if folder is not None and folder[1:3] == ":\\":
            folder = f"{folder[0]}${folder[2:]}"
        path = self.names.quoted(folder, f"the application's folder on {web.name}", web.why)
        return f'"\\\\{host}\\{path[1:]}'

    def pools(self, web: Web) -> tuple[str, ...]:
        """The application pools of `web`, each quoted."""
        what = f"the application pool of {web.name}"
        return tuple(self.names.quoted(pool, what) for pool in web.pools) or (self.names.quoted(None, what, web.why),)

    def served(self, web: Web) -> tuple[str, ...]:
        """The application pools of `web` and that of TMS, each quoted and once."""
        tms = (self.names.quoted(web.tms_pool, f"the application pool of TMS on {web.name}"),) if web.tms_pool else ()
        return tuple(dict.fromkeys((*self.pools(web), *tms)))

    def address(self, web: Web, page: str) -> Command:
        """A page of the application on `web` itself, not through the load balancer."""
        host = self.names.bare(web.host, f"the host of {web.name}")
        host = f"[{host}]" if ":" in host else host
        path = self.names.bare(web.path, f"the address of the application on {web.name}", web.why).rstrip("/")
        return Command(f"https://{host}{path}{page}", "url", web.name)

    def sql_name(self) -> str:
        """The database's name as SQL writes it: [SecretServer]."""
        return f"[{self._database_name()}]"

    def sql_text(self) -> str:
        """The database's name as a text of SQL: N'SecretServer'."""
        return f"N'{self._database_name()}'"

    def _database_name(self) -> str:
        return self.names.bare(self.database, "the database of Secret Server", "it could not be asked")

    def copy(self, source: Web, target: Web) -> Command:
        """The copy of the application folder from one node over another's, without the two files."""
        share = self.share(target, target.root)
        return self.copied(self.root(source), share, source)

    def copied(self, folder: str, target: str, source: Web) -> Command:
        """The copy of a folder on `source` over another, both quoted, without the two files."""
        return Command(f"robocopy {folder} {target} /E /R:2 /W:5 /XF {TWO_FILES}", "cmd", source.name)

    def file_version(self, web: Web) -> Command:
        """What the files on `web` stand for."""
        library = self.file(web, "bin\\Thycotic.ihawu.Business.dll")[1:-1]
        script = f"(Get-Item '{library}').VersionInfo.FileVersion"
        return Command(f'powershell -NoProfile -Command "{script}"', "cmd", web.name)

    def appcmd(self, verb: str, webs: Iterable[Web]) -> tuple[Command, ...]:
        """Appcmd over each pool of `webs`, that of TMS among them: "stop apppool", "start apppool", "list apppool"."""
        program = "%windir%\\System32\\inetsrv\\appcmd.exe"
        slot = "" if verb.startswith("list") else "/apppool.name:"
        return tuple(
            Command(f"{program} {verb} {slot}{pool}", "cmd", web.name) for web in webs for pool in self.served(web)
        )

    def scan(self, *checks: str, phase: str = "window", target: str = "", without: str = "") -> Command:
        """A scan of this cluster for one question, or for all of them but `without`."""
        asked = scan_command(self.names, self.inventory, self.cluster, *checks, phase=phase, target=target)
        if not without or asked.scan is None:
            return asked
        scan = replace(asked.scan, without=(without,))
        return replace(asked, text=f"{asked.text} --skip-check {without}", scan=scan)


def named(webs: Sequence[Web]) -> str:
    """The nodes in a sentence: "web2 and web3"."""
    return enumerate_names([web.name for web in webs])


def read_web(view: NodeView) -> Web:
    """What the node's facts say of the application on it."""
    found = view.look(WebRoot)
    files = view.look(AppFiles)
    root = found.path if isinstance(found, WebRoot) else files.root if isinstance(files, AppFiles) else None
    apps, why = _applications(view)
    if isinstance(found, Unknown):
        why = why or found.reason
    pools: tuple[str, ...] = ()
    if apps:
        seen = serving_pools(view)
        pools, why = (seen, why) if isinstance(seen, tuple) else ((), seen.message)
    iis = view.look(IisConfiguration)
    every = iis.applications if isinstance(iis, IisConfiguration) else ()
    looks = (view.look(EncryptionConfig), view.look(DatabaseConfig))
    tms = next((app for app in every if _is_tms(app)), None)
    return Web(
        view.name,
        view.host,
        root,
        pools,
        apps[0].path if apps else None,
        tms.physical_path if tms else None,
        any(not isinstance(look, Unknown) and look.efs for look in looks),
        tms.pool if tms else "",
        why,
    )


def _applications(view: NodeView) -> tuple[tuple[IisApplication, ...], str]:
    try:
        found = serving(view)
    except UnknownFactError as gap:
        return (), gap.reason
    return ((), found.message) if isinstance(found, Outcome) else (found, "")


def _is_tms(app: IisApplication) -> bool:
    folder = app.physical_path.rstrip("\\").rpartition("\\")[2]
    return _TMS in (app.path.strip("/").lower(), folder.lower())
