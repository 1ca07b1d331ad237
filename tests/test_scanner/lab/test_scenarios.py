from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from checks.registry import BUILTIN
from scanner.errors import UsageError
from scanner.inventory.writing import toml_text
from scanner.lab import fault_names, scenario, scenario_tables
from scanner.lab.machines.chef_backend import cluster as chef
from scanner.lab.machines.chef_backend import host
from scanner.lab.machines.windows import table as windows_table
from scanner.lab.scenario import (
    Expectation,
    ExpectedResult,
    Scenario,
    ScenarioError,
    SqlPort,
    load_scenario,
    parse_scenario,
    scenario_names,
    scenario_text,
    scenario_title,
)
from scanner.lab.servers.tds.responder import FAULTS as TDS_FAULTS
from scanner.lab.servers.tds.server import FAULTS as SQL_FAULTS

FIELD = Path(__file__).parents[2] / "field" / "secret_server"
VAULT = """
title = "A vault"
[clusters.vault]
product = "secret-server"
[clusters.vault.nodes.web1]
roles = ["web"]
"""
CHEF = """
title = "A kitchen"
[clusters.chef]
product = "chef-backend"
[clusters.chef.nodes.b1]
roles = ["backend"]
[clusters.chef.nodes.b2]
roles = ["backend"]
[clusters.chef.nodes.b3]
roles = ["backend"]
"""


@pytest.mark.parametrize("name", scenario_names())
def test_every_scenario_loads_and_says_what_a_scan_must_find(name: str) -> None:
    scenario = load_scenario(name)
    assert scenario.title == scenario_title(name)
    assert not scenario.title.endswith(".")
    assert scenario.expect is not None
    statuses = {result.status for result in scenario.expect.results}
    code = 1 if "fail" in statuses else 3 if "error" in statuses else 0
    assert scenario.expect.exit_code == code
    assert all(result.message.strip("? ") for result in scenario.expect.results)


@pytest.mark.parametrize("name", scenario_names())
def test_a_scenario_is_short_enough_to_be_copied(name: str) -> None:
    lines = scenario_text(name).partition("[expect]")[0].splitlines()
    assert len(lines) <= 60


def test_the_three_that_the_commands_name_are_there() -> None:
    assert {"demo", "secret-server-healthy", "chef-healthy"} <= set(scenario_names())


def test_every_check_can_be_seen_to_end_in_every_way_it_has() -> None:
    sites = sorted(map(str, FIELD.glob("[!p]*.toml")))
    expected = [load_scenario(name).expect for name in (*scenario_names(), *sites)]
    seen = {(result.check, result.status) for each in expected if each for result in each.results}
    never_alone = {"efs-encryption", "dpapi-encryption", "pending-reboot", "monitoring-agent"}
    never_alone |= {"chef-frontend-members", "secret-server-resources", "pool-identity-match", "iwa-folders"}
    never_alone |= {"web-nodes-known", "database-support"}
    blocking = {check.id for check in BUILTIN} - {"connectivity"} - never_alone
    assert {(check, "fail") for check in blocking} <= seen
    assert ("connectivity", "error") in seen
    unclear = {"sql-server-version", "iis-integrated-pipeline", "stepping-stone"}
    unclear |= {"encryption-config-match", "app-version-match", "chef-cluster-status"}
    assert {(check, "error") for check in unclear} <= seen
    warning = never_alone | {"windows-version", "dotnet-framework", "app-version-match", "encryption-config-match"}
    assert {(check, "warn") for check in warning | {"stepping-stone", "chef-cluster-status"}} <= seen


def test_every_fault_has_a_scenario() -> None:
    nodes = [node for name in scenario_names() for node in load_scenario(name).nodes]
    used = {(node.transport, node.fault) for node in nodes}
    for transport, known in fault_names.BY_TRANSPORT.items():
        assert {(transport, fault) for fault in known} <= used


def test_a_child_says_only_what_is_different() -> None:
    healthy, child = load_scenario("secret-server-healthy"), load_scenario("encryption-outlier")
    changed = [one.name for one, two in zip(child.nodes, healthy.nodes, strict=True) if one != two]
    assert changed == ["web3"]
    assert child.clusters[0].inventory == healthy.clusters[0].inventory


def test_expectations_are_not_inherited(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('title = "Mine"\nextends = "encryption-outlier"\n')
    assert load_scenario(tmp_path / "mine.toml").expect is None


def test_a_file_extends_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "base.toml").write_text(VAULT)
    (tmp_path / "mine.toml").write_text(
        'title = "Mine"\nextends = "base.toml"\n[clusters.vault.nodes.web2]\nroles = ["web"]'
    )
    scenario = load_scenario(tmp_path / "mine.toml")
    assert scenario.name == "mine"
    assert [node.name for node in scenario.nodes] == ["web1", "web2"]


def test_an_inherited_node_can_be_taken_away() -> None:
    text = 'title = "Two"\nextends = "chef-healthy"\n[clusters.chef.nodes.backend-2]\nabsent = true\n'
    scenario = parse_scenario(text)
    assert [node.name for node in scenario.nodes] == ["backend-1", "backend-3"]
    assert set(scenario.clusters[0].backends) == {"backend-1", "backend-3"}


def test_a_circle_is_named(tmp_path: Path) -> None:
    for one, other in (("a", "b"), ("b", "a")):
        (tmp_path / f"{one}.toml").write_text(f'title = "x"\nextends = "{other}.toml"\n')
    with pytest.raises(ScenarioError, match=r"circle: .*a\.toml -> b\.toml -> a\.toml"):
        load_scenario(tmp_path / "a.toml")


def test_what_copy_writes_plays_the_same(tmp_path: Path) -> None:
    (tmp_path / "demo.toml").write_text(scenario_text("demo"), encoding="utf-8")
    assert load_scenario(tmp_path / "demo.toml") == load_scenario("demo")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title = ", "is no TOML"),
        ('title = "x"', "clusters: a scenario needs at least one cluster with a node"),
        (VAULT.replace('title = "A vault"', ""), "title: say in one line"),
        (VAULT + "[cluster]", "cluster: unknown key; did you mean 'clusters'?"),
        (
            VAULT.replace("secret-server", "secret-sever"),
            "clusters.vault.product: 'secret-sever' is not known; did you mean",
        ),
        (VAULT.replace("roles", "role"), "clusters.vault.nodes.web1.role: unknown key; did you mean 'roles'?"),
        (VAULT.replace('["web"]', '"web"'), "clusters.vault.nodes.web1.roles: expected an array of strings, not 'web'"),
        (VAULT.replace('["web"]', "[1]"), "clusters.vault.nodes.web1.roles: expected an array of strings, not [1]"),
        (VAULT + 'fault = "refused"', "web1.fault: 'refused' is not known; did you mean 'refuse'?"),
        (VAULT + "fault = true", "web1.fault: expected a string, not True"),
        (VAULT + 'scheme = "ftp"', "web1.scheme: 'ftp' is not known; there are: http, https"),
        (VAULT + "chef = {}", "web1.chef: says nothing about a node that is reached over winrm"),
        (VAULT + 'windows = {windows = "3.11"}', "web1.windows: windows: '3.11' is none of"),
        (VAULT + "windows = {dotnett = 1}", "web1.windows: dotnett: unknown key"),
        (VAULT + 'tds = {version = "2016"}', "web1.tds.version: expected a version such as 13.0.5026.0, not '2016'"),
        (VAULT + 'tds = {fault = "closed"}', "web1.tds.fault: 'closed' is not known; did you mean 'closes'?"),
        (VAULT + 'inventory = {transport = "telnet"}', "web1.inventory.transport: 'telnet' is not known"),
        (CHEF + "windows = {}", "b3.windows: says nothing about a node that is reached over ssh"),
        (CHEF + "chef = {rolle = 'x'}", "b3.chef.rolle: unknown key; did you mean 'role'?"),
        (CHEF + "chef = {flags = ['unsync']}", "b3.chef.flags[0]: 'unsync' is not known; did you mean 'unsynced'?"),
        (CHEF + "chef = {name = 'b4'}", "b3.chef.name: a backend is called like its node"),
        (CHEF + "linux = {index_disk = [200]}", "b3.linux.index_disk: expected GB and GB free, such as [200, 30], not"),
        (CHEF + "absent = 'no'", "b3.absent: expected true or false, not 'no'"),
        (CHEF + "extends = 3", "b3.extends: unknown key"),
        (CHEF + "chef = {sees = ['b4']}", "b3.chef.sees: 'b4' is not known"),
        (CHEF + "chef = {believes = {b9 = {}}}", "b3.chef.believes.b9: no such node"),
        (
            CHEF + "chef = {services = {postgres = 'down'}}",
            "b3.chef.services.postgres: unknown key; did you mean 'postgresql'?",
        ),
        (CHEF + "chef = {rows = [1]}", "b3.chef.rows[0]: expected a table, not 1"),
        (CHEF + "answers = {x = {exit = 256}}", "b3.answers.x.exit: expected 0 to 255, not 256"),
        (CHEF + "slow = {x = 'long'}", "b3.slow.x: expected a number, not 'long'"),
        (CHEF + "[expect]", "expect.exit_code: is missing"),
        (CHEF + "[expect]\nexit_code = 4", "expect.exit_code: 4 is none of"),
        (
            CHEF + "[expect]\nexit_code = 0\nresults = [{check = 'x'}]",
            "expect.results[0].status: is missing",
        ),
        (
            CHEF + "[expect]\nexit_code = 0\nresults = [{check = 'x', message = 'y', status = 'bad'}]",
            "expect.results[0].status: 'bad' is not known",
        ),
        (
            CHEF + "[expect]\nexit_code = 0\nresults = [{check = 'x', message = 'y', status = 'fail', node = 'b'}]",
            "expect.results[0].node: 'b' is not known; did you mean",
        ),
    ],
)
def test_a_mistake_is_named_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ScenarioError, match=re.escape(message)) as caught:
        parse_scenario(text)
    assert isinstance(caught.value, UsageError)
    assert "\n" not in str(caught.value)


def test_a_name_that_does_not_exist_is_answered_with_one_that_does() -> None:
    with pytest.raises(ScenarioError, match=r"no scenario 'chef-healty'; did you mean 'chef-healthy'\?"):
        load_scenario("chef-healty")
    with pytest.raises(ScenarioError, match=r"preflight lab --list"):
        load_scenario("x")
    with pytest.raises(ScenarioError, match=r"mine\.toml cannot be read"):
        load_scenario("no/such/mine.toml")


def backends(text: str) -> dict[str, chef.Backend]:
    scenario: Scenario = parse_scenario(text)
    return dict(scenario.clusters[0].backends)


def test_a_chef_cluster_without_particulars_is_healthy() -> None:
    cluster = backends(CHEF)
    rows = chef.cluster_status("b2", cluster).output.splitlines()
    assert re.split(r" {2,}", rows[0]) == ["Name", "IP", "GUID", "Role", "PG", "ES"]
    assert [re.split(r" {2,}", row)[3:] for row in rows[1:]] == [
        ["leader", "leader", "not_master"],
        ["follower", "follower", "master"],
        ["follower", "follower", "not_master"],
    ]
    assert "leader: 1; offline: 0; syncing: 0; synced: 2" in chef.status("b2", cluster).output


def test_a_lost_backend_is_missing_from_the_others_views() -> None:
    cluster = backends(CHEF + "chef = {unreachable = true}")
    assert "b3" not in chef.cluster_status("b1", cluster).output
    assert "leader: 1; waiting: 0; follower: 1; total: 2" in chef.status("b1", cluster).output
    assert [line.split()[0] for line in chef.cluster_status("b3", cluster).output.splitlines()] == ["Name", "b3"]


def test_old_backends_have_no_table_of_disks() -> None:
    assert "System" not in chef.status("b3", backends(CHEF + 'chef = {disks = "", version = "1.2.5"}')).output


@pytest.mark.parametrize(
    "table",
    [
        {"a": "x", "b": 1, "c": 1.5, "d": True, "e": ["x", "y"], "f": [1, 2]},
        {"quoted": 'a "b" \\ c', "control": "a\nb\tc\x00\x1f\x7f", "unicode": "Zürich 😀"},
        {"t": {"u": {"v": 1}, "w": {}}, "a.b": {"c d": 2, "": 3}},
        {"rows": [{"a": 1, "b": "x"}, {"c": [True]}]},
    ],
)
def test_what_is_written_as_toml_is_read_back(table: dict[str, object]) -> None:
    assert tomllib.loads(toml_text.dumps(table)) == table


def test_the_format_is_described_in_full() -> None:
    text = (Path(scenario.__file__).parent / "scenarios" / "README.md").read_text(encoding="utf-8")
    told = set(re.findall(r"[A-Za-z_][\w-]*", text))
    tables = scenario_tables
    written = (tables._Scenario, tables._Cluster, tables._Node, tables._Answer, SqlPort, Expectation, ExpectedResult)
    keys = {
        key.name for kind in (*written, chef.Backend, host.LinuxNode, windows_table.WindowsKeys) for key in fields(kind)
    }
    known = {fault for faults_of in fault_names.BY_TRANSPORT.values() for fault in faults_of}
    assert (keys | known | set(TDS_FAULTS) | set(SQL_FAULTS)) - told == set()


def test_the_described_scenario_plays() -> None:
    text = (Path(scenario.__file__).parent / "scenarios" / "README.md").read_text(encoding="utf-8")
    first, second = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    assert parse_scenario(first + second.replace("web3 differs", "x")).expect is not None
