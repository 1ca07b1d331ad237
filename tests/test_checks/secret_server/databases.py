"""Secret Server's database as the tests of its checks take it, and clusters that have it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from checks.check import ClusterInfo, ClusterView, NodeView
from checks.secret_server.facts.node import AppFiles, FileVersion
from checks.secret_server.facts.sql import SecretServerDatabase, SqlServer

Clusters = Callable[..., ClusterInfo]
Nodes = Callable[..., NodeView]
COLLATION = "SQL_Latin1_General_CP1_CI_AS"
SERVER = SqlServer(
    instance="MSSQLSERVER", name="SQL1", version="15.0.4345.5", collation=COLLATION, edition="Standard Edition"
)
DATABASE = SecretServerDatabase(
    server=SERVER,
    name="SecretServer",
    state="ONLINE",
    level=150,
    collation=COLLATION,
    recovery="FULL",
    version="11.6.000003",
)
COPY = replace(DATABASE, state="RESTORING", collation="", version="", version_problem="it is restoring, not online")
DENIED = (SecretServerDatabase, "SQL Server refuses the login")


def app(version: str) -> AppFiles:
    return AppFiles("C:\\App", (FileVersion("Thycotic.ihawu.Business.dll", version),))


def viewed(
    cluster: Clusters, node: Nodes, web: list[object], databases: list[object], *, phase: str = "before"
) -> ClusterView:
    info = replace(cluster(), phase=phase)
    nodes = [node(info, fact, name=f"web{at}") for at, fact in enumerate(web, 1)]
    nodes += [node(info, fact, name=f"sql{at}", roles=("database",)) for at, fact in enumerate(databases, 1)]
    return ClusterView(info, tuple(nodes))
