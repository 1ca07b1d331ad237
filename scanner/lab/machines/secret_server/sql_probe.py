"""What sql-database.ps1 answers on a recorded machine, line for line as the script does."""

from __future__ import annotations

from typing import Any

from scanner.lab.machines.secret_server.probes import Session, Value, installed_sql, own_name
from scanner.lab.machines.windows.machine import AccessError
from scanner.lab.machines.windows.sql import SqlError, SqlService
from scanner.probes.secret_server.database.sql_questions import questions


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
        cluster, port = _cluster(session, instance), _port(session, instance)
        endpoint, fallback = cluster or ".", f"{cluster or '127.0.0.1'},{port}" if port else ""
        runs = any(one.name == name for one in session.machine.sql)
        service = ("Running" if runs else "Stopped") if cluster else ""
        if name != "MSSQLSERVER":
            endpoint += f"\\{name}"
        answers: dict[str, Any] = {"server": {"rows": [], "error": "passive: the service does not run on this host"}}
        if service != "Stopped":
            answers["server"] = _asked(session, name, endpoint, "master", "server")
            error = answers["server"]["error"]
            if error and not error.startswith("sql 18") and fallback:
                endpoint = fallback
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
        found[-1] |= {"cluster": cluster, "service": service}
    login = str(options.get("sql_user", ""))
    computer = own_name(session.machine)
    return {"computer": computer, "declared": declared, "instance": wanted, "login": login, "instances": found}


def _asked(session: Session, instance: str, endpoint: str, database: str, question: str) -> dict[str, Any]:
    """sql.ps1: Read-PfSql."""
    try:
        session.machine.enter(f"SQL Server {endpoint}")
        silent = SqlService(name=instance, refuses=dict.fromkeys(questions(), 2))
        service = next((one for one in session.machine.sql if one.name == instance), silent)
        if not service.listens_on(endpoint):
            service = silent
        service.admit(str(session.options.get("sql_user", "")), session.environment, endpoint)
        return {"rows": service.ask(endpoint, database, question), "error": ""}
    except (SqlError, AccessError) as error:
        return {"rows": [], "error": str(error)}


def _cluster(session: Session, instance: dict[str, str]) -> str:
    """sql.ps1: Get-PfSqlClusterName."""
    try:
        value = session.machine.registry_value(instance["key"] + r"\Cluster", "ClusterName")
    except AccessError:
        return ""
    return "" if value is None else str(value).strip()


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
