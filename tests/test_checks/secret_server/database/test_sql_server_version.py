from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from checks.check import ClusterInfo, NodeView
from checks.engine.rules import RuleSet
from checks.outcome import Outcome, Status
from checks.secret_server.database.sql_server_version import CHECK, judge
from checks.secret_server.facts.node import SqlInstance, SqlInstances, SqlPrelogin
from checks.secret_server.facts.sql import SecretServerDatabase
from tests.test_checks.secret_server.databases import DATABASE, SERVER

Clusters = Callable[..., ClusterInfo]
Nodes = Callable[..., NodeView]

DENIED = (SqlInstances, "access is denied")


def sql(version: str, name: str = "MSSQLSERVER", patch_level: str = "") -> SqlInstance:
    return SqlInstance(name=name, instance_id=f"MSSQL11.{name}", version=version, patch_level=patch_level)


def host(*instances: SqlInstance) -> SqlInstances:
    return SqlInstances(instances)


@pytest.fixture
def judged(cluster: Clusters, node: Nodes) -> Callable[..., Outcome]:
    def run(*facts: object, target: str | None = "11.7.000049", rules: object = None, **options: object) -> Outcome:
        info = cluster(target, overrides=rules)
        return judge(node(info, *facts, name="sql1", roles=("database",), **options))

    return run


Judged = Callable[..., Outcome]


@pytest.mark.parametrize(
    ("version", "name", "status"),
    [
        ("8.00.2039", "SQL Server 2000", "fail"),
        ("9.00.5000.00", "SQL Server 2005", "fail"),
        ("10.0.6000.29", "SQL Server 2008", "fail"),
        ("10.50.6000.34", "SQL Server 2008 R2", "fail"),
        ("11.0.2100.60", "SQL Server 2012", "pass"),
        ("12.0.6024.0", "SQL Server 2014", "pass"),
        ("16.0.1000.6", "SQL Server 2022", "pass"),
    ],
)
def test_the_registry_tells_the_product(judged: Judged, version: str, name: str, status: str) -> None:
    outcome = judged(host(sql(version)))
    assert outcome.status == status
    assert f"MSSQLSERVER is {name} ({version})" in outcome.message


def test_too_old_says_what_a_rollback_costs(judged: Judged) -> None:
    outcome = judged(host(sql("10.50.6000.34")))
    assert "11.7.000049 needs SQL Server 2012 (11.0) or later" in outcome.message
    assert "the old installation would not work after rolling back" in outcome.message
    twice = judged(host(sql("9.0.5000.0"))).message
    assert "needs SQL Server 2008" in twice
    assert "needs SQL Server 2012" in twice
    assert twice.count("rolling back") == 1
    assert outcome.expected == "SQL Server 2012 (11.0) or later"
    assert outcome.evidence["target"] == "11.7.000049"


def test_a_stop_on_the_way_is_named_where_it_is_the_first_to_ask(cluster: Clusters, node: Nodes) -> None:
    view = node(cluster(current="8.3.000000"), host(sql("9.0.5000.0")), roles=("database",))
    assert "10.9.000005, on the way to 11.7.000049, needs SQL Server 2012" in judge(view).message


@pytest.mark.parametrize("target", ["10.6.000027", "10.2.000000"])
def test_an_older_target_asks_for_less(judged: Judged, target: str) -> None:
    assert judged(host(sql("10.0.6000.29")), target=target).status is Status.PASS


def test_the_threshold_is_exact(judged: Judged) -> None:
    assert judged(host(sql("10.50.6000.34")), target="10.6.999999").status is Status.PASS
    assert judged(host(sql("10.50.6000.34")), target="10.7.000000").status is Status.FAIL


def test_a_target_without_a_requirement_is_not_applicable(judged: Judged) -> None:
    assert judged(host(sql("9.0.5000.0")), target="9.1.000001").status is Status.SKIP


def test_the_patch_level_counts_more_than_the_setup_version(judged: Judged) -> None:
    assert "(11.4.7001.0)" in judged(host(sql("11.0.2100.60", patch_level="11.4.7001.0"))).message


def test_one_old_instance_among_several_fails_and_is_named(judged: Judged) -> None:
    outcome = judged(host(sql("13.0.5026.0"), sql("10.50.6000.34", "LEGACY")))
    assert outcome.status is Status.FAIL
    assert "LEGACY is SQL Server 2008 R2" in outcome.message
    assert "MSSQLSERVER" not in outcome.message
    assert outcome.remediation
    assert "name the one that does with `sql_instance`" in outcome.remediation.summary


def test_which_instance_is_meant_is_asked_only_where_one_of_several_is_too_old(judged: Judged) -> None:
    assert judged(host(sql("10.50.6000.34"))).remediation is None  # the check's own
    assert judged(host(sql("13.0.5026.0"), sql("13.0.5026.0", "OTHER"))).remediation is None
    assert judged(host(sql("eleven"), sql("13.0.5026.0", "OTHER"))).remediation is None


def test_a_server_that_tells_no_version_is_an_error(judged: Judged) -> None:
    outcome = judged(DENIED, replace(DATABASE, server=replace(SERVER, version="eleven")))
    assert (outcome.status, outcome.observed) == (Status.ERROR, "eleven")


@pytest.mark.parametrize("wanted", ["VAULT", "vault", r"SQL1\VAULT"])
def test_a_named_instance_alone_is_judged(judged: Judged, wanted: str) -> None:
    found = host(sql("13.0.5026.0", "VAULT"), sql("10.50.6000.34", "LEGACY"))
    assert judged(found, sql_instance=wanted).status is Status.PASS


def test_a_named_instance_that_is_not_there_is_an_error_with_those_that_are(judged: Judged) -> None:
    outcome = judged(host(sql("13.0.5026.0")), sql_instance="VAULT")
    assert outcome.status is Status.ERROR
    assert outcome.message == "no instance is called VAULT (`sql_instance`); found: MSSQLSERVER"


def test_a_database_node_without_sql_server_is_an_error(judged: Judged) -> None:
    outcome = judged(host())
    assert outcome.status is Status.ERROR
    assert "no SQL Server instance" in outcome.message


@pytest.mark.parametrize("version", ["", "eleven", "\x00\x01"])
def test_a_garbled_version_is_an_error(judged: Judged, version: str) -> None:
    assert judged(host(sql(version))).status is Status.ERROR


def test_a_garbled_instance_does_not_hide_an_old_one(judged: Judged) -> None:
    assert judged(host(sql(""), sql("9.0.5000.0", "LEGACY"))).status is Status.FAIL


def test_the_port_stands_in_for_an_unreadable_host(judged: Judged) -> None:
    outcome = judged(DENIED, SqlPrelogin(port=1433, major=13, minor=0, build=5026), sql_port=1433)
    assert outcome.status is Status.PASS
    assert outcome.message == "SQL Server 2016 (13.0.5026), as port 1433 tells before login"
    assert judged(DENIED, SqlPrelogin(port=1433, major=10, minor=50, build=6000), sql_port=1433).status is Status.FAIL


def test_twelve_from_the_port_alone_may_be_azure(judged: Judged) -> None:
    outcome = judged(DENIED, SqlPrelogin(port=1433, major=12, minor=0, build=2000), sql_port=1433)
    assert outcome.status is Status.WARN
    assert "Azure SQL Database" in outcome.message
    sharper = {"sql-server-2012": {"requires": ">=13.0", "reason": "our standard"}}
    assert (
        judged(DENIED, SqlPrelogin(port=1433, major=12, minor=0, build=2000), sql_port=1433, rules=sharper).status
        is Status.ERROR
    )


def test_neither_registry_nor_port_gives_both_reasons(judged: Judged) -> None:
    outcome = judged(DENIED, (SqlPrelogin, "connection refused"), sql_port=1433)
    assert outcome.status is Status.ERROR
    assert outcome.message == "access is denied; port 1433: connection refused"


def test_without_a_port_the_way_out_is_named(judged: Judged) -> None:
    assert "set `sql_port`" in judged(DENIED).message


def test_no_target_cannot_be_judged(judged: Judged) -> None:
    outcome = judged(host(sql("13.0.5026.0")), target=None)
    assert outcome.status is Status.ERROR
    assert outcome.message == "no target version: set `target` in the inventory, or --target prod=VERSION"


def test_a_malformed_target_says_what_is_wrong(judged: Judged) -> None:
    outcome = judged(host(sql("13.0.5026.0")), target="10.9000005")
    assert outcome.status is Status.ERROR
    assert "'10.9000005' is no Secret Server version" in outcome.message


def test_an_overridden_rule_is_judged_and_shown(judged: Judged) -> None:
    rules = {"sql-server-2012": {"requires": ">=10.50", "reason": "approved by the vendor"}}
    outcome = judged(host(sql("10.50.6000.34")), rules=rules)
    assert outcome.status is Status.PASS
    assert "rule sql-server-2012 overridden in the inventory: approved by the vendor" in outcome.message
    assert any(row.get("override") for row in outcome.evidence["rules"])  # type: ignore[attr-defined]


def test_a_rule_that_makes_no_sense_is_an_error(cluster: Clusters, node: Nodes) -> None:
    info = cluster()
    rules = RuleSet(tuple(replace(rule, requires="2012 or so") for rule in info.rules.of(CHECK.id)))
    outcome = judge(node(replace(info, rules=rules), host(sql("13.0.5026.0")), roles=("database",)))
    assert outcome.status is Status.ERROR
    assert "no version specifier" in outcome.message


@pytest.mark.parametrize("name", ["MICROSOFT##SSEE", "MICROSOFT##WID"])
def test_the_internal_database_of_another_role_does_not_count(judged: Judged, name: str) -> None:
    internal = sql("9.00.5000.00", name)
    assert judged(host(internal, sql("15.0.2000.5"))).status is Status.PASS
    alone = judged(host(internal))
    assert alone.status is Status.ERROR
    assert alone.message == "no SQL Server instance is installed on this database node"
    assert judged(host(internal), sql_instance=name).status is Status.FAIL


def test_an_instance_whose_key_is_closed_says_so(judged: Judged) -> None:
    closed = replace(sql(""), problem="access to HKLM is denied")
    outcome = judged(host(closed, sql("15.0.2000.5", "OTHER")))
    assert outcome.status is Status.ERROR
    assert outcome.message == "MSSQLSERVER: access to HKLM is denied"
    assert judged(host(closed, sql("15.0.2000.5", "OTHER")), sql_instance="OTHER").status is Status.PASS


@pytest.mark.parametrize(
    ("patch_level", "name", "status"),
    [
        ("9.4.5000", "SQL Server 2005", "fail"),
        ("10.3.5500.0", "SQL Server 2008", "fail"),
        ("10.53.6000.34", "SQL Server 2008 R2", "fail"),
        ("11.4.7001.0", "SQL Server 2012", "pass"),
    ],
)
def test_the_patch_level_of_a_service_pack_is_of_its_product(
    judged: Judged, patch_level: str, name: str, status: str
) -> None:
    outcome = judged(host(sql("11.0.0.0" if status == "fail" else "9.0.0.0", patch_level=patch_level)))
    assert outcome.status == status
    assert name in outcome.message


@pytest.mark.parametrize(("target", "status"), [("10.6.999999", "pass"), ("10.7.000000", "fail")])
def test_the_rule_begins_with_10_7(judged: Judged, target: str, status: str) -> None:
    assert judged(host(sql("10.50.6000.34")), target=target).status == status


def test_rules_switched_off_leave_nothing_to_judge(judged: Judged) -> None:
    rules = {name: {"off": True, "reason": "hosted by the vendor"} for name in ("sql-server-2008", "sql-server-2012")}
    outcome = judged(host(sql("9.0.5000.0")), rules=rules)
    assert outcome.status is Status.SKIP
    assert "hosted by the vendor" in outcome.message


def test_either_source_of_the_version_is_optional() -> None:
    assert CHECK.facts == ()
    assert set(CHECK.optional_facts) == {SqlInstances, SqlPrelogin, SecretServerDatabase}


NEWER = {"sql-server-2012": {"requires": ">=13.0", "reason": "stricter here"}}
MANAGED = [(5, "Azure SQL Database"), (8, "Azure SQL Managed Instance")]


def held(version: str, engine_edition: int = 2) -> SecretServerDatabase:
    return replace(DATABASE, server=replace(SERVER, version=version, engine_edition=engine_edition))


@pytest.mark.parametrize(("number", "service"), MANAGED)
@pytest.mark.parametrize(
    "facts", [(DENIED, SqlPrelogin(port=1433, major=12, minor=0, build=2000)), (host(),)], ids=["port", "registry"]
)
def test_a_managed_services_12_is_no_sql_server_2014(
    judged: Judged, number: int, service: str, facts: tuple[object, ...]
) -> None:
    outcome = judged(*facts, held("12.0.2000.8", number), rules=NEWER)
    assert outcome.status is Status.PASS
    assert f"SQL1 is {service}, which Microsoft keeps current" in outcome.message


def test_an_installed_12_is_sql_server_2014(judged: Judged) -> None:
    outcome = judged(DENIED, SqlPrelogin(port=1433, major=12, minor=0, build=6024), held("12.0.6024.0"), rules=NEWER)
    assert outcome.status is Status.FAIL
    assert "SQL1 is SQL Server 2014 (12.0.6024.0)" in outcome.message


@pytest.mark.parametrize(
    "facts",
    [
        (DENIED, SqlPrelogin(port=1433, major=0, minor=0, build=0)),
        (DENIED, SqlPrelogin(port=1433, major=15, minor=0, build=2000), held("0.0.0")),
        (host(sql("0.0.0")),),
    ],
    ids=["port", "login", "registry"],
)
def test_version_zero_is_nobodys_version(judged: Judged, facts: tuple[object, ...]) -> None:
    outcome = judged(*facts)
    assert outcome.status is Status.ERROR
    assert "which no SQL Server has" in outcome.message


def test_the_instance_that_holds_the_database_alone_counts(judged: Judged) -> None:
    both = host(sql("15.0.2000.5"), sql("10.50.6000.34", "BACKUPEXEC"))
    assert judged(both, DATABASE).status is Status.PASS
    there = replace(DATABASE, server=replace(SERVER, instance="BACKUPEXEC"))
    outcome = judged(both, there)
    assert outcome.status is Status.FAIL
    assert "BACKUPEXEC is SQL Server 2008 R2" in outcome.message


def test_where_the_holder_is_not_known_the_remedy_names_the_key(judged: Judged) -> None:
    both = host(sql("15.0.2000.5"), sql("10.50.6000.34", "BACKUPEXEC"))
    outcome = judged(both, (SecretServerDatabase, "SQL Server refuses the login"))
    assert outcome.status is Status.FAIL
    assert outcome.remediation
    assert "`sql_instance`" in outcome.remediation.summary
    named = judged(both, DATABASE, sql_instance="BACKUPEXEC")
    assert named.status is Status.FAIL


def test_an_instance_that_the_registry_does_not_name_leaves_all_of_them(judged: Judged) -> None:
    elsewhere = replace(DATABASE, server=replace(SERVER, instance="OTHER"))
    assert judged(host(sql("10.50.6000.34")), elsewhere).status is Status.FAIL
