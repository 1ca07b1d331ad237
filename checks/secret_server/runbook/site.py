"""What a plan has to know of a Secret Server site: its nodes with their folders, pools and addresses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace

from checks.common.dataclass import dataclass
from checks.engine.wording import enumerate_names
from checks.runbook.commands import cmd_on, powershell_on, sql_on
from checks.runbook.model import Command
from checks.runbook.names import CommandQuoter, scan_command
from checks.runbook.windows_paths import is_on_a_share, share_host, shared, url_host
from checks.secret_server.iis.appcmd import APPCMD

TWO_FILES = "database.config encryption.config"
"""What is never copied from node to node."""

_HERE = "HOST"
_ASK_IIS = "IIS Manager shows it there, or appcmd list app /config"


@dataclass(frozen=True, slots=True)
class Tms:
    """The applications of TMS on a node: those at or below its path, and those in its folder."""

    root: str
    """The folder of the topmost one."""
    path: str
    """Its virtual path, "/TMS"."""
    pools: tuple[str, ...]
    """Every application pool of them, each once."""
    nameless: bool = False
    """Whether one of them names no pool, and no default does."""


@dataclass(frozen=True, slots=True, kw_only=True)
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
    efs: bool
    reach: str = ""
    """What other machines call it; empty where that is not known."""
    site: str = ""
    """The site of IIS that it belongs to; empty where it is unknown."""
    tms: Tms | None = None
    """TMS, where IIS serves one; None, too, where IIS could not be asked."""
    tms_unread: str = ""
    """Why it is not known whether IIS serves a TMS; empty where it is known."""
    backups: str | None = None
    """A folder for backups, as the inventory names one or the drives suggest it; None where neither does."""
    backups_from: str = ""
    """Why that folder was chosen."""
    settings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Of each of its pools what appcmd calls a setting, with the value that it has now."""
    why: str = ""
    """Why something of it is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
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
    traits: Mapping[str, bool | None] = field(default_factory=dict)
    """What decides which steps concern the site, by the words of `version_tasks`; None where it is not known."""
    mirrored: str = ""
    """mirroring, group (an availability group), or empty where the database has no second copy."""
    group: str = ""
    """The availability group's name; empty where there is none, or where it was not told."""
    copies: tuple[str, ...] = ()
    """Where the database has its second copies: nodes by name, and in words those that the inventory does not name."""
    moot: frozenset[str] = frozenset()
    """Checks that do not concern this site."""
    partner: str = ""
    """Where the mirror is, as SQL Server says it."""
    sql_backups: str | None = None
    """A folder for the database's backups; None where nothing suggests one."""
    sql_backups_from: str = ""
    """Why that folder was chosen."""
    names: CommandQuoter = field(default_factory=CommandQuoter)

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
        leaf = f"{web.name}-{what}"
        if web.backups is not None:
            return self.names.cmd(f"{web.backups}\\{leaf}", f"a folder for the backup of {web.name}")
        folder = self.names.cmd(
            None,
            f"a folder for backups on {web.name}",
            "the inventory names none, and its drives could not be read",
            "any that has room and outlives the machine; the same throughout",
        )
        return self._below(folder, leaf, f"a name for the backup of {web.name}")

    def _below(self, folder: str, leaf: str, what: str) -> str:
        return f"{folder[:-1]}\\{self.names.cmd(leaf, what)[1:]}"

    def root(self, web: Web) -> str:
        """The application's folder, quoted."""
        what = f"the application's folder on {web.name}"
        return self.names.cmd(web.root, what, web.why, "IIS Manager, the application, Basic Settings")

    def file(self, web: Web, name: str) -> str:
        """A file in the application's folder, quoted."""
        return below(self.root(web), name)

    def folder_in_powershell(self, web: Web) -> str:
        """The application's folder as PowerShell takes it."""
        what = f"the application's folder on {web.name}"
        return self.names.powershell(web.root, what, web.why, "IIS Manager, the application, Basic Settings")

    def share(self, web: Web, folder: str | None, what: str = "application's") -> str:
        r"""A folder of `web` as other machines reach it, quoted: "\\\\web2\\C$\\inetpub\\wwwroot\\SecretServer"."""
        named = f"the {what} folder on {web.name}"
        find = "IIS Manager, the application, Basic Settings"
        if folder is None:
            path = self.names.cmd(None, named, web.why, find)
            return f'"\\\\{self.reached(web)}\\{path[1:]}'
        # Host and folder are checked each by itself: the host may be a placeholder, which no check of a name passes.
        seen = shared(_HERE, folder)
        if seen is None or is_on_a_share(folder):
            return self.names.cmd(seen, named, "it is on no drive and on no share", find)
        rest = self.names.cmd(seen.removeprefix(f"\\\\{_HERE}\\"), named, web.why, find)
        return f'"\\\\{share_host(self.reached(web))}\\{rest[1:]}'

    def reached(self, web: Web) -> str:
        """What other machines call `web`."""
        why = f"{web.host} means another machine wherever it is typed" if not web.reach else ""
        find = f"type hostname on {web.name}"
        return self.names.path(web.reach, f"the name of {web.name} in the network", why, find)

    def pools(self, web: Web) -> tuple[str, ...]:
        """The application pools of `web`, each quoted."""
        what = f"the application pool of {web.name}"
        found = tuple(self.names.cmd(pool, what, find=_ASK_IIS) for pool in web.pools)
        return found or (self.names.cmd(None, what, web.why, _ASK_IIS),)

    def served(self, web: Web) -> tuple[str, ...]:
        """The application pools of `web` and those of TMS, each quoted and once."""
        what = f"an application pool of TMS on {web.name}"
        tms = web.tms.pools if web.tms else ()
        quoted = [self.names.cmd(pool, what, find=_ASK_IIS) for pool in tms]
        if web.tms and web.tms.nameless:
            quoted.append(self.names.cmd(None, what, "one of its applications names none", _ASK_IIS))
        # IIS takes a name in capitals for the same.
        return tuple({pool.lower(): pool for pool in reversed((*self.pools(web), *quoted))}.values())[::-1]

    def address(self, web: Web, page: str) -> Command:
        """A page of the application on `web` itself, not through the load balancer."""
        host = web.reach if "%" in web.host and web.reach else web.host
        host = self.names.path(host, f"the host of {web.name}")
        what = f"the address of the application on {web.name}"
        path = self.names.path(web.path, what, web.why, _ASK_IIS).rstrip("/")
        return Command(
            text=f"https://{url_host(host)}{path and '/' * (path[0] != '/')}{path}{page}",
            language="url",
            where=web.name,
        )

    def application(self, web: Web) -> str:
        """The application as appcmd calls it, quoted: "Default Web Site/SecretServer"."""
        name = f"{web.site}{web.path}".rstrip("/") if web.path else None
        return self.names.cmd(name, f"site and path of the application on {web.name}", web.why, _ASK_IIS)

    def sql_name(self) -> str:
        """The database's name as SQL writes it: [SecretServer]."""
        return self.names.sql_name(self.database, *_DATABASE)

    def sql_text(self) -> str:
        """The database's name as a text of SQL: N'SecretServer'."""
        return self.names.sql_text(self.database, *_DATABASE)

    def sql_file(self, what: str) -> str:
        r"""The file of a backup of the database as a text of SQL: N'D:\Backup\SecretServer-11.7.000049.bak'."""
        if self.sql_backups is not None:
            path = f"{self.sql_backups}\\SecretServer-{what}.bak"
            return self.names.sql_text(path, "a file for the backup of the database")
        folder = self.names.sql_text(
            None,
            "a folder for the database's backups",
            "the inventory names none, and the drives of the SQL Server could not be read",
            "any that SQL Server may write to, with room; the same throughout",
        )
        return f"{folder[:-1]}\\SecretServer-{what}.bak'"

    def state(self, where: str) -> Command:
        """Whether the database on the server `where` is open, and to whom."""
        columns = "name, state_desc, user_access_desc"
        return sql_on(
            where,
            f"SELECT {columns} FROM sys.databases WHERE name = {self.sql_text()};",  # noqa: S608  typed by a person
        )

    def file_version(self, web: Web) -> Command:
        """What the files on `web` stand for."""
        text = f"{self.folder_in_powershell(web)[:-1]}\\bin\\Thycotic.ihawu.Business.dll'"
        return powershell_on(web.name, f"(Get-Item -LiteralPath {text}).VersionInfo.FileVersion")

    def appcmd(self, verb: str, webs: Iterable[Web]) -> tuple[Command, ...]:
        """Appcmd over each pool of `webs`, those of TMS among them: "stop apppool", "start apppool", "list apppool"."""
        slot = "" if verb.startswith("list") else "/apppool.name:"
        return tuple(cmd_on(web.name, f"{APPCMD} {verb} {slot}{pool}") for web in webs for pool in self.served(web))

    def scan(self, *checks: str, phase: str = "window", target: str = "", without: str = "") -> Command:
        """A scan of this cluster for one question, or for all of them but `without`."""
        asked = scan_command(self.names, self.inventory, self.cluster, *checks, phase=phase, target=target)
        if not without or asked.scan is None:
            return asked
        scan = replace(asked.scan, without=(without,))
        return replace(asked, text=f"{asked.text} --skip-check {without}", scan=scan)


_DATABASE = (
    "the database of Secret Server",
    "it could not be asked",
    "the page Admin, Database of Secret Server names it",
)


def below(quoted: str, name: str) -> str:
    """A file or folder in a folder that is quoted already."""
    return f'{quoted[:-1]}\\{name}"'


def named(webs: Sequence[Web]) -> str:
    """The nodes in a sentence: "web2 and web3"."""
    return enumerate_names([web.name for web in webs])
