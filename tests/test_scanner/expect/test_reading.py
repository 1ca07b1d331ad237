"""Expectations as the inventory writes them: what is meant is read, what cannot be meant is told, all at once."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from checks.check import ClusterCheck, NodeCheck
from checks.outcome import Severity
from scanner.errors import InventoryError
from scanner.inventory.expect.single_select import why_not
from scanner.inventory.model import Inventory
from scanner.inventory.select import select
from scanner.loading.inventory import load_inventory, parse_inventory
from scanner.loading.registry import load_registry
from scanner.run.prepare import build_request

CHEF = """
[clusters.chef]
product = "chef-backend"
target = "2.3.16"
  [clusters.chef.nodes.be1]
  host = "10.0.0.1"
  roles = ["backend"]
  [clusters.chef.nodes.fe1]
  host = "10.0.0.2"
  roles = ["frontend"]
"""
VAULT = """
[defaults.winrm]
user = "CORP\\\\svc"
password_env = "PW"
[clusters.vault]
product = "secret-server"
  [clusters.vault.nodes.web1]
  host = "web1"
  roles = ["web"]
  [clusters.vault.nodes.sql1]
  host = "sql1"
  roles = ["database"]
"""


def chef(*lines: str) -> str:
    return "\n".join([CHEF, "[[clusters.chef.expect]]", *lines])


def vault(*lines: str) -> str:
    return "\n".join([VAULT, "[[clusters.vault.expect]]", *lines])


def read(text: str) -> Inventory:
    return parse_inventory(text, Path("inventory.toml"))


def problems(text: str) -> str:
    with pytest.raises(InventoryError) as refused:
        read(text)
    return str(refused.value)


ME = ('id = "own"', 'title = "It is so."')


def test_all_that_is_said_of_it_is_in_the_check() -> None:
    text = chef(
        *ME,
        'file = "/etc/x"',
        'roles = ["backend"]',
        'severity = "critical"',
        'why = "w"',
        'fix = "f"',
        'url = "https://x.example/"',
    )
    (check,) = read(text).own.checks
    assert isinstance(check, NodeCheck)
    assert (check.id, check.title, check.severity) == ("own", "It is so", Severity.CRITICAL)
    assert (check.clusters, check.roles) == (("chef",), ("backend",))
    assert check.remediation.summary == "f"
    assert check.remediation.url == "https://x.example/"
    assert "## Why it matters\nw" in check.doc


def test_the_same_on_all_nodes_is_judged_of_the_cluster() -> None:
    (check,) = read(chef(*ME, 'file = "/etc/x"', "same = true")).own.checks
    assert isinstance(check, ClusterCheck)


def test_only_the_nodes_that_it_is_for_are_asked() -> None:
    inventory = read(chef(*ME, 'file = "/etc/x"', 'roles = ["backend"]') + VAULT)
    asked = {call.node.name: [probe.id for probe in call.probes] for call in build_request(select(inventory)).calls()}
    assert [name for name, ids in asked.items() if "expect.own" in ids] == ["be1"]


def test_one_text_stands_for_a_list_of_one_and_a_number_for_its_text() -> None:
    text = vault(*ME, "registry = 'HKLM\\SOFTWARE\\X'", 'name = "Start"', "value = 4", 'lacks = "5"')
    assert "the value" not in problems(text + '\nleast = "4"')
    (check,) = read(text).own.checks
    assert "is 4; does not have '5' in it" in check.doc


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ((), "expect[1].id: missing"),
        (ME, "expect[1]: says nothing to look at: one of file, registry"),
        ((*ME, 'file = "/x"', "port = 22"), "file and port are both set"),
        ((*ME, 'file = "x"'), "expect[1].file: expected an absolute path on the node"),
        ((*ME, "file = 'C:\\x'"), "no absolute path on Linux: chef.be1"),
        ((*ME, "port = 70000"), "expect[1].port: 70000 is out of range"),
        ((*ME, 'file = "/x"', 'mod = "0640"'), 'unknown key; did you mean "mode"?'),
        ((*ME, 'file = "/x"', 'mode = "rw-"'), 'expected octal digits such as "0640"'),
        ((*ME, 'file = "/x"', 'mode = "0640"', 'max_mode = "0640"'), "says less than mode"),
        ((*ME, 'file = "/x"', "running = true"), "goes with service, and this is about a file"),
        ((*ME, 'file = "/x"', "exists = false", 'mode = "0600"'), "says something of what exists = false"),
        ((*ME, 'file = "/x"', "exists = false", "same = true"), "cannot be compared"),
        ((*ME, 'file = "/x y"', "sudo = true"), "as root, with sudo, only a path of letters"),
        ((*ME, 'file = "/x"', 'roles = ["web"]'), '"web" is none of backend, frontend'),
        ((*ME, 'file = "/x"', 'roles = ["backnd"]'), 'did you mean "backend"'),
        ((*ME, 'file = "/x"', 'severity = "huge"'), "is none of critical, high, medium, low"),
        ((*ME, 'file = "/x"', 'url = "javascript:alert(1)"'), "expected an address that begins with https://"),
        ((*ME, 'file = "/x"', 'contains = ["a", 1]'), "a list that holds something else"),
        ((*ME, "registry = 'HKLM\\X'"), "registry cannot be asked of a node of Linux: chef.be1"),
        ((*ME, 'package = "ssh*"'), "no package of Linux can have this name"),
        ((*ME, 'package = "x"', 'version = "newest!"'), "expected conditions such as"),
        ((*ME, 'service = "-H evil"'), "expected a service's name"),
        ((*ME, 'service = "a b"'), "no service of Linux can have this name"),
        ((*ME, 'command = "true"', 'matches = "["'), "is no regular expression"),
        ((*ME, 'command = "a\\nb"'), "holds a control character"),
        (('id = "disk-space"', 'title = "t"', 'file = "/x"'), '"disk-space" is that of one that comes with preflight'),
        (('id = "Own"', 'title = "t"', 'file = "/x"'), "expected lower-case words"),
    ],
)
def test_what_cannot_be_meant_on_linux(lines: tuple[str, ...], said: str) -> None:
    assert said in problems(chef(*lines))


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ((*ME, "file = 'C:\\x'", 'mode = "0640"'), "mode is for Linux"),
        ((*ME, 'file = "/x"'), "no absolute path on Windows: vault.web1"),
        ((*ME, 'service = "a:b"'), "no service of Windows can have this name"),
        ((*ME, "registry = 'HKCU\\X'"), "expected a key that begins with HKLM"),
        ((*ME, "registry = 'HKLM\\X'", "value = 1"), "expect[1].name: missing; value is about a value in the key"),
        ((*ME, "registry = 'HKLM\\X'", "same = true"), "expect[1].name: missing"),
        ((*ME, 'sql = "SELECT 1"', "value = 1"), "sql is asked of nodes with the role database alone: vault.web1"),
        ((*ME, 'sql = "SELECT 1"', 'roles = ["database"]'), "says nothing of what the SELECT should give"),
        ((*ME, 'sql = "DROP TABLE x"', "rows = 0", 'roles = ["database"]'), "must be a single SELECT"),
    ],
)
def test_what_cannot_be_meant_on_windows(lines: tuple[str, ...], said: str) -> None:
    assert said in problems(vault(*lines))


def test_a_host_of_which_sql_server_alone_is_asked_can_answer_nothing_else() -> None:
    text = VAULT.replace(
        'roles = ["database"]', 'roles = ["database"]\n  transport = "tds"\n  sql_user = "x"\n  sql_password_env = "P"'
    )
    text += "\n".join(["[[clusters.vault.expect]]", *ME, "port = 80"])
    assert "port cannot be asked of a node of SQL Server, which alone is asked of it (transport tds)" in problems(text)


@pytest.mark.parametrize("way", ['transport = "tds"', 'sql_transport = "tds"'])
def test_a_select_is_asked_on_the_host_alone(way: str) -> None:
    login = f'{way}\n  sql_user = "x"\n  sql_password_env = "P"'
    text = VAULT.replace('roles = ["database"]', f'roles = ["database"]\n  {login}')
    text += "\n".join(["[[clusters.vault.expect]]", *ME, 'sql = "SELECT 1"', "value = 1", 'roles = ["database"]'])
    assert "there the scanner itself asks SQL Server (tds): vault.sql1" in problems(text)


def test_everything_is_told_at_once_with_its_place() -> None:
    text = chef(*ME, 'file = "x"') + '\n[[clusters.chef.expect]]\nid = "own"\ntitle = "t"\nport = 0\n'
    told = problems(text)
    assert "clusters.chef.expect[1].file" in told
    assert "clusters.chef.expect[2].port" in told
    assert re.search(r"expect\[1\]\.file: .*\(line \d+, column 1\)", told)


def test_an_id_stands_once() -> None:
    text = chef(*ME, 'file = "/x"') + "\n" + "\n".join(["[[clusters.chef.expect]]", *ME, 'file = "/y"'])
    assert '"own" is the id of clusters.chef.expect[1], too; ids are unique' in problems(text)


def test_skip_and_waivers_know_it_and_where_it_belongs() -> None:
    own = chef(*ME, 'file = "/x"')
    skipping = read(own + '\n[clusters.chef.skip]\nown = "looked at by hand"\n')
    assert skipping.clusters[0].skip == {"own": "looked at by hand"}
    waiver = '\n[[waivers]]\ncheck = "own"\ncluster = "{}"\nreason = "r"\nowner = "o"\nexpires = 2999-12-31\n'
    assert read(own + waiver.format("chef")).waivers
    assert "own is for chef, and not for vault" in problems(own + VAULT + waiver.format("vault"))


class TestFolder:
    def inventory(self, folder: Path, **files: str) -> Path:
        (folder / "checks.d").mkdir(mode=0o755)
        for name, text in files.items():
            path = folder / "checks.d" / name.replace("__", ".")
            path.write_text(text)
            path.chmod(0o644)
        path = folder / "inventory.toml"
        path.write_text(CHEF + VAULT)
        return path

    def test_what_its_files_expect_is_for_all_clusters_that_they_name(self, tmp_path: Path) -> None:
        path = self.inventory(
            tmp_path,
            a__toml='[[expect]]\nid = "a"\ntitle = "t"\nport = 22\n',
            b__toml='[[expect]]\nid = "b"\ntitle = "t"\nfile = "/x"\nproduct = "chef-backend"\n',
            c__toml='[[expect]]\nid = "c"\ntitle = "t"\nfile = "/x"\nclusters = ["chef"]\n',
            readme__md="nothing",
        )
        found = load_inventory(path).own.checks
        assert [(check.id, check.clusters, check.products) for check in found] == [
            ("a", (), ()),
            ("b", (), ("chef-backend",)),
            ("c", ("chef",), ()),
        ]

    def test_their_problems_are_told_with_those_of_the_inventory(self, tmp_path: Path) -> None:
        path = self.inventory(
            tmp_path,
            a__toml='[[expect]]\nid = "a"\ntitle = "t"\nport = 0\n',
            b__toml="[[expect",
            c__toml='[[expects]]\nid = "c"\n',
            d__toml='[[expect]]\nid = "d"\ntitle = "t"\nfile = "/x"\nclusters = ["chief"]\n',
            e__toml="",
            f__toml='[[expect]]\nid = "f"\ntitle = "t"\nfile = "/x"\nproduct = "chef"\n',
        )
        path.write_text(CHEF + "\n[run]\nparallel = 0\n")
        with pytest.raises(InventoryError) as refused:
            load_inventory(path)
        told = str(refused.value)
        assert "checks.d/a.toml:4.expect[1].port: 0 is out of range" in told
        assert "checks.d/b.toml: not TOML" in told
        assert "checks.d/c.toml:1.expects: unknown key" in told
        assert 'checks.d/d.toml.expect[1].clusters: there is no cluster "chief"; did you mean "chef"?' in told
        assert "checks.d/e.toml: expects nothing" in told
        assert 'did you mean "chef-backend"' in told
        assert "run.parallel" in told

    def test_an_id_of_the_inventory_is_taken(self, tmp_path: Path) -> None:
        path = self.inventory(tmp_path, a__toml='[[expect]]\nid = "own"\ntitle = "t"\nport = 22\n')
        path.write_text(chef(*ME, "port = 22"))
        with pytest.raises(InventoryError, match="ids are unique"):
            load_inventory(path)

    @pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may list everything")
    def test_a_folder_that_cannot_be_listed_is_not_passed_over(self, tmp_path: Path) -> None:
        path = self.inventory(tmp_path)
        (tmp_path / "checks.d").chmod(0)
        with pytest.raises(InventoryError, match=r"checks\.d: cannot be listed"):
            load_inventory(path)

    def test_a_file_in_its_place_is_told(self, tmp_path: Path) -> None:
        path = tmp_path / "inventory.toml"
        path.write_text(CHEF)
        (tmp_path / "checks.d").write_text("x")
        with pytest.raises(InventoryError, match=r"checks\.d: cannot be listed"):
            load_inventory(path)


GOOD_SELECTS = [
    "SELECT 1",
    "select count(*) from sys.databases where name not in ('master', 'a;b--c', N'it''s; DROP TABLE x')",
    'SELECT [update], "insert" FROM t',
    "SELECT a FROM t UNION ALL SELECT b FROM u",
    "SELECT (SELECT MAX(x) FROM t) AS m, CASE WHEN 1 = 1 THEN 2 ELSE 3 END",
    "SELECT x FROM t WHERE y IN (SELECT z FROM u) EXCEPT SELECT 1",
]
BAD_SELECTS = [
    "",
    "DELETE FROM t",
    "SELECT 1; DELETE FROM t",
    "SELECT 1 DELETE FROM t",
    "SELECT 1 EXEC sp_configure",
    "SELECT * INTO x FROM t",
    "SELECT 1 SELECT 2",
    "SELECT 1 -- x",
    "SELECT 1 /* x */",
    "SELECT 'a",
    "SELECT [a FROM t",
    'SELECT "a FROM t',
    "WITH x AS (SELECT 1) DELETE FROM x",
    "SELECT * FROM OPENROWSET('x', 'y', 'DELETE FROM t')",
    "SELECT * FROM OPENQUERY(x, 'y')",
    "SELECT NEXT VALUE FOR s",
    "SELECT * FROM t WITH (TABLOCKX)",
    "SELECT 1 WAITFOR DELAY '01:00'",
    "SELECT 1 IF 1=1 DROP TABLE x",
    "SELECT 1 SHUTDOWN",
    "SELECT 1 kill 55",
    "EXEC('SELECT 1')",
    "SELECT '' + 'a' DROP TABLE x",
    "SELECT ']' drop table [x]",
]


@pytest.mark.parametrize("text", GOOD_SELECTS)
def test_a_single_select_is_taken(text: str) -> None:
    assert why_not(text) == ""


@pytest.mark.parametrize("text", BAD_SELECTS)
def test_anything_else_is_refused(text: str) -> None:
    assert why_not(text)


def test_the_checks_that_come_with_preflight_stay_first() -> None:
    known, probes, _ = load_registry(read(chef(*ME, "port = 22")).own)
    assert [known[-1].id, probes[-1].id] == ["own", "expect.own.windows"]
