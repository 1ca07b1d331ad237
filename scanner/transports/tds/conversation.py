"""What sql-database.ps1 asks on the host, asked by the scanner itself: the same questions, the same form of answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field

from checks.common.dataclass import dataclass
from checks.secret_server.facts.node import SqlPrelogin
from scanner.errors import DeadlineError, NodeError
from scanner.probes.secret_server.database.sql_questions import questions
from scanner.transports.tds.session import Row, SqlError, SqlSession

_MOST_VERSIONS = 5
_TIMEOUT = -2
"""The number that .NET gives a question that took too long."""
_DEFAULT_INSTANCE = "MSSQLSERVER"


@dataclass(slots=True)
class _Asking:
    session: SqlSession
    endpoint: str
    over: str = ""
    """Why nothing more can be asked; empty while the session stands."""
    answers: dict[str, dict[str, object]] = field(default_factory=dict)

    def ask(self, query: str, database: str = "") -> dict[str, object]:
        """One question's rows, or the error it ended in."""
        if self.over:
            return {"rows": [], "error": self.over}
        try:
            if database:
                self.session.use(database)
            return {"rows": self.session.rows(query), "error": ""}
        except SqlError as error:
            return {"rows": [], "error": f"sql {error.number}: {self.endpoint}: {error}"}
        except DeadlineError as error:
            self.over = "late: the questions before it took too long"
            return {"rows": [], "error": f"sql {_TIMEOUT}: {self.endpoint}: {error}"}
        except NodeError as error:
            self.over = f"sql 0: {self.endpoint}: {error}"
            return {"rows": [], "error": self.over}

    def rows(self, name: str) -> list[Row]:
        """The rows that a question gave."""
        found = self.answers[name]["rows"]
        return found if isinstance(found, list) else []


def converse(session: SqlSession, options: dict[str, str]) -> dict[str, object]:
    """Ask everything. The first question has to be answered: NodeError says why it was not."""
    target = session.target
    declared, wanted = options.get("sql_database", ""), options.get("sql_instance", "")
    endpoint = f"{target.host},{target.port}"
    asking = _Asking(session, endpoint)
    texts = questions()
    try:
        asking.answers["server"] = {"rows": session.rows(texts["server"]), "error": ""}
    except SqlError as error:
        asking.answers["server"] = {"rows": [], "error": f"sql {error.number}: {endpoint}: {error}"}
    found = _instance_name(asking.rows("server"), wanted)
    if wanted and found.lower() != wanted.lower():
        told = f"{endpoint} leads to the instance {found}, not to {wanted} (`sql_instance`): correct `sql_port`"
        asking.answers["server"] = {"rows": [], "error": told}
    versions: list[dict[str, object]] = []
    if asking.rows("server"):
        for name in _order(texts, asking.rows("server")[0]):
            if name == "versions":
                versions = list(_versions(asking, declared, texts[name]))
            else:
                asking.answers[name] = asking.ask(texts[name])
    instance = {
        "name": found,
        "endpoint": endpoint,
        "answers": asking.answers,
        "versions": versions,
        # Known to the host alone; as a failover cluster's, the name that was asked leads to where it runs.
        "cluster": "",
        "service": "",
    }
    return {"computer": "", "declared": declared, "instance": wanted, "login": target.user, "instances": [instance]}


def greeting(session: SqlSession) -> SqlPrelogin:
    """What the listener said before the login, as a fact."""
    major, minor, build, sub_build = session.version
    return SqlPrelogin(port=session.target.port, major=major, minor=minor, build=build, sub_build=sub_build)


def _order(texts: Mapping[str, str], server: Row) -> Iterator[str]:
    """Those that may be long, or wait for somebody's lock, last."""
    last = ("sessions", "backups")
    grouped = ("grouped", "replicas")
    yield "databases"
    yield "versions"
    for name in texts:
        if name in ("server", "databases", "versions", *last) or (name in grouped and server.get("hadr") != 1):
            continue
        yield name
    yield from last


def _versions(asking: _Asking, declared: str, query: str) -> Iterator[dict[str, object]]:
    likely = [
        row
        for row in asking.rows("databases")
        if (
            str(row.get("name", "")).lower() == declared.lower() and row.get("state") == "ONLINE"
            if declared
            else row.get("table_id") is not None
        )
    ]
    for row in likely[:_MOST_VERSIONS]:
        name = str(row.get("name", ""))
        already_there = asking.session.target.database.lower() == name.lower()
        said = asking.ask(query, "" if already_there and len(likely) == 1 else name)
        yield {"database_id": row.get("database_id"), **said}


def _instance_name(server: list[Row], wanted: str) -> str:
    """The instance's part of SERVERPROPERTY('ServerName'): "SQL1\\VAULT" is VAULT, "SQL1" the default one."""
    told = str(server[0].get("server_name", "")) if server else ""
    return told.partition("\\")[2] or (wanted if not told else "") or _DEFAULT_INSTANCE
