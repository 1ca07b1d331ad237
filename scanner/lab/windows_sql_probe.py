"""What sql-database.ps1 answers on a recorded machine, line for line as the script does."""

from __future__ import annotations

from typing import Any

from scanner.lab.windows_machine import AccessError
from scanner.lab.windows_probes import Session, Value, installed_sql
from scanner.lab.windows_sql import SqlError, SqlService, questions


def sql_database(session: Session) -> Value:
    """sql-database.ps1."""
    options = session.options
    declared, wanted = str(options.get("sql_database", "")), str(options.get("sql_instance", ""))
    found: list[Value] = []
    for instance in installed_sql(session.machine):
        name = instance["name"]
        other = bool(wanted) and name.lower() != wanted.lower()
        if len(found) >= 8 or other or (not wanted and name.startswith("MICROSOFT##")):
            continue
        endpoint = "." if name == "MSSQLSERVER" else f".\\{name}"
        answers = {"server": _asked(session, name, endpoint, "master", "server")}
        error, port = answers["server"]["error"], _port(session, instance)
        if error and not error.startswith("sql 18") and port:
            endpoint = f"127.0.0.1,{port}"
            answers["server"] = _asked(session, name, endpoint, "master", "server")
        versions: list[Value] = []
        if not answers["server"]["error"]:
            for question in ("databases", "mirroring", "sessions", "backups"):
                answers[question] = _asked(session, name, endpoint, "master", question)
            if answers["server"]["rows"][0]["hadr"] == 1:
                for question in ("grouped", "replicas"):
                    answers[question] = _asked(session, name, endpoint, "master", question)
            for row in answers["databases"]["rows"]:
                likely = row["table_id"] is not None
                if declared:
                    likely = row["name"].lower() == declared.lower() and row["state"] == "ONLINE"
                if likely and len(versions) < 5:
                    said = _asked(session, name, endpoint, row["name"], "versions")
                    versions.append({"database_id": row["database_id"], **said})
        found.append({"name": name, "endpoint": endpoint, "answers": answers, "versions": versions})
    login = str(options.get("sql_user", ""))
    return {"declared": declared, "instance": wanted, "login": login, "instances": found}


def _asked(session: Session, instance: str, endpoint: str, database: str, question: str) -> dict[str, Any]:
    """sql.ps1: Read-PfSql."""
    try:
        silent = SqlService(instance, refuses=dict.fromkeys(questions(), 2))
        service = next((one for one in session.machine.sql if one.name == instance), silent)
        service.admit(str(session.options.get("sql_user", "")), session.environment, endpoint)
        return {"rows": service.ask(endpoint, database, question), "error": ""}
    except SqlError as error:
        return {"rows": [], "error": str(error)}


def _port(session: Session, instance: dict[str, str]) -> str:
    """sql.ps1: Get-PfSqlPort."""
    key = instance["key"] + r"\MSSQLServer\SuperSocketNetLib\Tcp\IPAll"
    try:
        for name in ("TcpPort", "TcpDynamicPorts"):
            value = session.machine.registry_value(key, name)
            port = ("" if value is None else str(value)).split(",")[0].strip()
            if port not in ("", "0"):
                return port
    except AccessError:
        return ""
    return ""
