"""A remedy is that of its cause: with the site's own names, with what to do first, and nothing beside the point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from checks.check import ClusterInfo, ClusterView, NodeView
from checks.facts import Unknown
from checks.outcome import Outcome, Remediation, Status, combine, failed, warned
from checks.registry import BUILTIN
from checks.secret_server.database import compatibility, web_nodes_known
from checks.secret_server.database.access import CANNOT_CONNECT, REFUSES_LOGIN, remedy
from checks.secret_server.facts.host import PoolStates
from checks.secret_server.facts.node import (
    AppPool,
    AppPools,
    IisApplication,
    IisConfiguration,
    PoolSetting,
    PoolSettings,
    WebRoot,
)
from checks.secret_server.facts.sql import SqlSession
from checks.secret_server.iis import app_pool_settings, app_pool_state, integrated_pipeline
from checks.secret_server.iis.appcmd import APPCMD
from checks.secret_server.iis.locks import locked_out
from checks.secret_server.iis.places import AuthenticationPlace, ConfigSection, IisAuthentication
from tests.test_checks.secret_server.databases import DATABASE, SERVER
from tests.test_scanner.remedies import PARSES

Clusters = Callable[..., ClusterInfo]
Nodes = Callable[..., NodeView]

ROOT = WebRoot("D:\\SS", ("registry",), ())
POOL = "Vault's Pool (new)"


def iis(*names: str) -> IisConfiguration:
    pools = tuple(AppPool(name, "Classic", "pool") for name in names)
    applications = tuple(
        IisApplication(site="Main Site", path=f"/{at}", physical_path="D:\\SS", pool=name)
        for at, name in enumerate(names)
    )
    return IisConfiguration(path="C:\\a.config", shared=False, pools=pools, applications=applications)


def fix(outcome: Outcome) -> Remediation:
    assert outcome.remediation is not None
    return outcome.remediation


@pytest.mark.parametrize("check", [check for check in BUILTIN if check.remediation.command], ids=lambda check: check.id)
def test_what_a_check_gives_to_be_typed_says_where_and_parses(check: object) -> None:
    fixed: Remediation = check.remediation  # type: ignore[attr-defined]
    assert PARSES[fixed.language](fixed.command)


def test_the_pool_that_is_classic_is_named(cluster: Clusters, node: Nodes) -> None:
    found = fix(integrated_pipeline.judge(node(cluster(), ROOT, iis(POOL))))
    assert found.command == f'{APPCMD} set apppool /apppool.name:"{POOL}" /managedPipelineMode:Integrated'
    assert POOL in found.summary


def test_several_pools_are_set_on_one_line(cluster: Clusters, node: Nodes) -> None:
    found = fix(integrated_pipeline.judge(node(cluster(), ROOT, iis("One", "Two"))))
    assert found.command.count(" & ") == 1
    assert '"One" /managedPipelineMode:Integrated & ' in found.command
    assert PARSES["cmd"](found.command)


@pytest.mark.parametrize("name", ['x" & shutdown /r & "', "%COMSPEC%", "a\nb", "\u02ba & x"])
def test_a_pool_that_could_be_code_is_not_written(cluster: Clusters, node: Nodes, name: str) -> None:
    found = fix(integrated_pipeline.judge(node(cluster(), ROOT, iis(name))))
    assert found.command == f'{APPCMD} set apppool /apppool.name:"<pool>" /managedPipelineMode:Integrated'


def test_only_what_is_wrong_with_a_pool_is_set(cluster: Clusters, node: Nodes) -> None:
    setting = PoolSetting("v4.0", "pool")
    sound = PoolSettings(
        name=POOL,
        runtime=setting,
        load_user_profile=PoolSetting("true", "pool"),
        max_processes=PoolSetting("", "default"),
        identity_type=PoolSetting("3", "pool"),
    )

    def judged(pool: PoolSettings) -> Outcome:
        return app_pool_settings.judge(node(cluster(), ROOT, iis(POOL), AppPools((pool,))))

    assert judged(sound).status is not Status.FAIL
    found = fix(judged(replace(sound, load_user_profile=PoolSetting("false", "pool"))))
    assert found.command == f'{APPCMD} set apppool /apppool.name:"{POOL}" /processModel.loadUserProfile:true'
    found = fix(judged(replace(sound, runtime=PoolSetting("v2.0", "pool"), max_processes=PoolSetting("4", "pool"))))
    assert f'"{POOL}" /managedRuntimeVersion:v4.0' in found.command
    assert f'"{POOL}" /processModel.maxProcesses:1' in found.command
    assert "loadUserProfile" not in found.command
    assert ".NET CLR version" in found.summary
    assert "worker processes" in found.summary


def states(cluster: Clusters, node: Nodes, phase: str, *found: int | None) -> ClusterView:
    info = replace(cluster(), phase=phase)
    nodes = [
        node(
            info, ROOT, iis(POOL), PoolStates(((POOL.lower(), state),) if state else (), state is None), name=f"web{at}"
        )
        for at, state in enumerate(found, 1)
    ]
    return ClusterView(info, tuple(nodes))


def test_the_pool_that_rests_is_started_where_it_rests_first(cluster: Clusters, node: Nodes) -> None:
    found = fix(app_pool_state.judge(states(cluster, node, "after", 1, 3, 3)))
    assert found.command == f'{APPCMD} start apppool /apppool.name:"{POOL}"'
    assert found.summary == (f"First start {POOL} on web2, and see that the site answers there; then likewise on web3.")


def test_in_the_window_nothing_is_started(cluster: Clusters, node: Nodes) -> None:
    found = fix(app_pool_state.judge(states(cluster, node, "window", 1, 1, 3)))
    assert found.command == f'{APPCMD} stop apppool /apppool.name:"{POOL}"'
    assert found.summary.startswith("First decide which node is upgraded first; if that is web1, stop")
    assert "on web2" in found.summary


@pytest.mark.parametrize("phase", ["before", "window", "after"])
def test_where_iis_does_not_tell_the_feature_is_what_is_missing(cluster: Clusters, node: Nodes, phase: str) -> None:
    found = fix(app_pool_state.judge(states(cluster, node, phase, 1, None)))
    assert found.language == "powershell"
    assert "Add-WindowsFeature Web-Scripting-Tools" in found.command
    assert "web2" in found.summary


def test_a_locked_section_is_unlocked_for_the_application_alone() -> None:
    app = IisApplication(site="Main Site", path="/SecretServer", physical_path="D:\\SS", pool=POOL)
    name = "security/authentication/windowsAuthentication"
    own = AuthenticationPlace(path="D:\\SS", enabled=(), sections=(ConfigSection(name, ("enabled",)),))
    (outcome,) = locked_out(IisAuthentication((), (), denied=(name,)), own, [app], [app])
    assert fix(outcome).command == (
        f'{APPCMD} unlock config "Main Site/SecretServer" -section:system.webServer/{name} -commit:apphost'
    )
    above = AuthenticationPlace(
        path="", enabled=(), sections=(ConfigSection(name, locks=(("lockAttributes", "enabled"),)),)
    )
    (outcome,) = locked_out(IisAuthentication((above,), ()), own, [app], [app])
    assert fix(outcome).command == "", "what locks single attributes is not unlocked with the section"


def test_the_database_s_own_name_and_level(cluster: Clusters, node: Nodes) -> None:
    low = replace(DATABASE, name="Vault Prod", level=100)
    found = fix(compatibility.judge(node(cluster(), low, name="sql1", roles=("database",))))
    assert found.command == "ALTER DATABASE [Vault Prod] SET COMPATIBILITY_LEVEL = 110"
    odd = replace(low, name="x]; DROP DATABASE y; --")
    found = fix(compatibility.judge(node(cluster(), odd, name="sql1", roles=("database",))))
    assert found.command == "ALTER DATABASE [<database>] SET COMPATIBILITY_LEVEL = 110"


def test_no_command_is_given_against_a_collation(cluster: Clusters, node: Nodes) -> None:
    other = replace(DATABASE, server=replace(SERVER, collation="Latin1_General_CI_AS"))
    found = fix(compatibility.judge(node(cluster(), other, name="sql1", roles=("database",))))
    assert found.command == ""
    assert "migration" in found.summary


def test_strangers_are_asked_for_in_the_database_that_they_use(cluster: Clusters, node: Nodes) -> None:
    info = cluster()
    database = replace(DATABASE, name="O'Vault", session_hosts=("web1", "web9"), sessions=(SqlSession("web9", "x"),))
    nodes = (node(info, name="web1"), node(info, database, name="sql1", roles=("database",)))
    found = fix(web_nodes_known.judge(ClusterView(info, nodes)))
    assert found.command.endswith("WHERE database_id = DB_ID(N'O''Vault')")
    assert "SQL Server on sql1" in found.summary


def test_grants_are_for_the_login_and_the_database_that_are_declared(cluster: Clusters, node: Nodes) -> None:
    host = replace(node(cluster(), name="sql1"), options={"sql_user": "CORP\\svc", "sql_database": "Vault"})
    found = remedy(Unknown(REFUSES_LOGIN), host)
    assert found
    assert found.command.startswith("CREATE LOGIN [CORP\\svc] FROM WINDOWS; ")
    assert "USE [Vault]; CREATE USER [CORP\\svc]; " in found.command
    assert "<" not in found.command
    own = remedy(Unknown(REFUSES_LOGIN), replace(host, options={"sql_user": "preflight"}))
    assert own
    assert own.command.startswith("CREATE LOGIN [preflight] WITH PASSWORD = N'<password>'; ")
    assert all(PARSES["sql"](each.command) for each in (found, own))


@pytest.mark.parametrize(
    ("instance", "service"),
    [
        ("VAULT", "'MSSQL$VAULT'"),
        ("mssqlserver", "'mssqlserver'"),
        ("", "'MSSQLSERVER', 'MSSQL$*'"),
        ("a'; x", "'MSSQL$a''; x'"),
    ],
)
def test_the_service_of_the_declared_instance_is_asked(
    cluster: Clusters, node: Nodes, instance: str, service: str
) -> None:
    host = replace(node(cluster(), name="sql1"), options={"sql_instance": instance} if instance else {})
    found = remedy(Unknown(CANNOT_CONNECT), host)
    assert found
    assert found.command == f"Get-Service {service}"
    assert PARSES["powershell"](found.command)


def test_the_remedies_of_several_findings_are_told_together() -> None:
    def broken(summary: str, command: str, language: str) -> Outcome:
        return failed(summary, remediation=Remediation(summary, command, url="https://a.example/", language=language))

    whole = combine(
        [
            broken("One.", "a", "cmd"),
            broken("Two.", "b", "cmd"),
            broken("Two.", "b", "cmd"),
            broken("Three.", "c", "powershell"),
            warned("less", remediation=Remediation("No.", "no", language="cmd")),
        ]
    )
    assert whole.remediation == Remediation("One. Two. Three.", "a & b", url="https://a.example/", language="cmd")
