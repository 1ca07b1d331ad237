"""What an administrator writes, and what comes of it or is said about it."""

from __future__ import annotations

import contextlib
import os
import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanner.errors import InventoryError
from scanner.inventory.model import Inventory, Node, SecretSource, SshSettings, WinrmSettings
from scanner.inventory.products import BUILTIN, Product
from scanner.loading.inventory import load_inventory, parse_inventory

SAMPLE = r"""
[defaults.winrm]
user = 'CORP\svc-preflight'
password_env = "PREFLIGHT_WINRM_PASSWORD"
auth = "ntlm"

[defaults.ssh]
user = "preflight"
key_file = "~/.ssh/preflight_ed25519"
sudo = true

[clusters.vault-prod]
product = "secret-server"
target = "11.7.000049"
dpapi = "off"
  [clusters.vault-prod.nodes.web1]
  host = "web1.corp.example"
  roles = ["web"]
  [clusters.vault-prod.nodes.sql1]
  host = "sql1.corp.example"
  roles = ["database"]

[clusters.chef-prod]
product = "chef-backend"
target = "2.3.16"
  [clusters.chef-prod.nodes.backend-1]
  host = "10.0.0.11"
  roles = ["backend"]

[run]
parallel = 32
timeout = 60
[reports]
html = "preflight-report.html"
junit = "preflight-junit.xml"
"""

DEFAULTS = "[defaults.winrm]\nuser = 'u'\npassword_env = 'P'\n"
VAULT = DEFAULTS + "[clusters.v]\nproduct = 'secret-server'\n"
WEB = VAULT + "[clusters.v.nodes.web1]\nroles = ['web']\n"
SQL = VAULT + "[clusters.v.nodes.sql1]\nroles = ['database']\n"
CHEF = "[clusters.c]\nproduct = 'chef-backend'\n"
BACKEND = CHEF + "[clusters.c.nodes.b1]\nroles = ['backend']\n"


def load(text: str, *extra: Product) -> Inventory:
    return parse_inventory(text, Path("/etc/preflight/inventory.toml"), extra)


def problems(text: str) -> list[str]:
    with pytest.raises(InventoryError) as caught:
        load(text)
    return [f"{item.place}: {item.message}".removeprefix(": ") for item in caught.value.problems]


def node(text: str) -> Node:
    return load(text).clusters[0].nodes[0]


def winrm(text: str) -> WinrmSettings:
    found = node(text).winrm
    assert found
    return found


def ssh(text: str) -> SshSettings:
    found = node(text).ssh
    assert found
    return found


def test_the_documented_inventory() -> None:
    inventory = load(SAMPLE)
    vault, chef = inventory.clusters
    assert (vault.name, vault.product, vault.target, vault.options) == (
        "vault-prod",
        "secret-server",
        "11.7.000049",
        {"dpapi": "off", "efs": "unknown"},
    )
    web1, sql1 = vault.nodes
    assert (web1.host, web1.roles, web1.transport, web1.ssh) == ("web1.corp.example", ("web",), "winrm", None)
    assert sql1.roles == ("database",)
    assert web1.winrm == WinrmSettings(
        user="CORP\\svc-preflight", password=SecretSource(env="PREFLIGHT_WINRM_PASSWORD"), auth="ntlm"
    )
    backend = chef.nodes[0].ssh
    assert backend
    assert (backend.user, backend.sudo, backend.port) == ("preflight", True, None)
    assert backend.key_file == os.path.expanduser("~/.ssh/preflight_ed25519")  # noqa: PTH111
    assert (inventory.run.parallel, inventory.run.timeout, inventory.run.strict) == (32, 60.0, None)
    assert (inventory.reports["html"], inventory.reports.get("json", "")) == ("preflight-report.html", "")


def test_nearer_values_win() -> None:
    text = DEFAULTS + (
        "port = 1\nconnect_timeout = 3\n[clusters.v]\nproduct = 'secret-server'\nport = 2\nuser = 'cluster'\n"
        "[clusters.v.nodes.a]\nroles = ['web']\n[clusters.v.nodes.b]\nroles = ['web']\nport = 3\nverify = false\n"
    )
    first, second = load(text).clusters[0].nodes
    assert first.winrm
    assert second.winrm
    assert (first.winrm.user, first.winrm.port, first.winrm.connect_timeout_s) == ("cluster", 2, 3.0)
    assert (second.winrm.port, second.winrm.verify) == (3, False)


def test_a_nearer_password_source_stands_in_for_the_farther_one() -> None:
    assert winrm(WEB + "password_command = 'pass show x'\n").password == SecretSource(command="pass show x")


def test_an_empty_text_takes_a_default_away() -> None:
    text = "[defaults.ssh]\nkey_file = 'id'\njump = 'bastion'\npassword_file = 'pw'\n" + BACKEND
    settings = ssh(text + "key_file = ''\njump = ''\npassword_env = ''\n")
    assert (settings.key_file, settings.jump, settings.password) == ("", "", None)


def test_a_chain_of_jump_hosts_is_a_text_or_a_list() -> None:
    assert ssh(BACKEND + "jump = ['me@a', 'b:22']").jump == "me@a,b:22"
    assert ssh(BACKEND + "jump = 'me@a,b:22'").jump == "me@a,b:22"


def test_ports_follow_the_scheme_unless_given() -> None:
    assert winrm(WEB).port == 5986
    assert winrm(WEB + "scheme = 'http'\n").port == 5985
    assert winrm(WEB + "scheme = 'http'\nport = 80\n").port == 80


def test_relative_paths_are_relative_to_the_inventory_and_empty_ones_stay_empty() -> None:
    settings = ssh(
        BACKEND + "key_file = 'keys/id'\nknown_hosts = '/srv/known'\nssh_config = ''\npassword_file = 'pw'\n"
    )
    folder = Path("/etc/preflight").absolute()
    assert settings.key_file == str(folder / "keys/id")
    assert settings.known_hosts == str(Path("/srv/known"))
    assert settings.ssh_config == ""
    assert settings.password == SecretSource(file=str(folder / "pw"))
    assert ssh(BACKEND).ssh_config == "~/.ssh/config"  # the default, which need not be there


def test_host_defaults_to_the_name_and_dpapi_to_unknown() -> None:
    cluster = load(WEB).clusters[0]
    assert cluster.nodes[0].host == "web1"
    assert cluster.options == {"dpapi": "unknown", "efs": "unknown"}


def test_a_listener_that_is_only_asked_for_its_version() -> None:
    found = node(SQL + "transport = 'tds'\n")
    assert (found.transport, found.winrm, found.ssh, found.options) == ("tds", None, None, {"sql_port": 1433})
    assert node(SQL + "transport = 'tds'\nsql_port = 14330\n").options == {"sql_port": 14330}
    assert node(SQL + "sql_instance = 'PROD'\n").options == {"sql_instance": "PROD"}
    assert node(SQL.replace("['database']", "['database', 'dr']") + "transport = 'tds'\n").transport == "tds"


def test_product_keys_of_the_cluster_reach_the_nodes_that_have_the_role() -> None:
    text = VAULT + (
        "web_root = 'D:\\ss'\n[clusters.v.nodes.web1]\nroles = ['web']\n[clusters.v.nodes.sql1]\nroles = ['database']\n"
    )
    web1, sql1 = load(text).clusters[0].nodes
    assert web1.options == {"web_root": "D:\\ss"}
    assert sql1.options == {}


def test_overrides_of_rules_are_kept_as_written() -> None:
    cluster = load(WEB + "[clusters.v.rules.dotnet-48]\noff = true\nreason = 'no web node yet'\n").clusters[0]
    assert cluster.rules == {"dotnet-48": {"off": True, "reason": "no web node yet"}}


def test_a_plugins_product() -> None:
    gitea = Product(name="gitea", title="Gitea", roles={"app": "serves"}, transports=("ssh",))
    text = BACKEND.replace("chef-backend", "gitea").replace("backend", "app")
    cluster = load(text, gitea).clusters[0]
    assert (cluster.product, cluster.nodes[0].transport, cluster.options) == ("gitea", "ssh", {})


def test_everything_is_told_at_once_each_with_its_place() -> None:
    found = problems(
        "colour = 1\n"
        + DEFAULTS
        + "[clusters.v]\nproduct = 'secret-sever'\n"
        + "[clusters.w]\nproduct = 'secret-server'\n[clusters.w.nodes.web1]\nrolse = ['web']\nport = 0\n"
        + "[run]\nparallel = 0\n"
    )
    assert [line.split(": ")[0] for line in found] == [
        "colour",
        "clusters.v.product",
        "clusters.v.nodes",
        "clusters.w.nodes.web1.rolse",
        "clusters.w.nodes.web1.port",
        "clusters.w.nodes.web1.roles",
        "run.parallel",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "clusters: no cluster; add [clusters.NAME] with its product and its nodes"),
        ("clusters = 3", "clusters: expected a table, [clusters], found a number"),
        ("[cluster.v]", 'cluster: unknown key; did you mean "clusters"?'),
        ("[nodes.web1]", "nodes: unknown key; a node belongs in a cluster: [clusters.CLUSTER.nodes.NODE]"),
        ("[defaults]\nuser = 'x'", "defaults.user: unknown key; defaults stand per transport"),
        ("[defaults.tds]\nencrpyt = 'strict'", 'defaults.tds.encrpyt: unknown key; did you mean "encrypt"?'),
        ("[defaults.psrp]", "defaults.psrp: unknown key"),
        ("[clusters.v]\n", "clusters.v.product: missing; one of secret-server, chef-backend"),
        (VAULT, "clusters.v.nodes: no node; add [clusters.v.nodes.NAME] with its host and roles"),
        (
            VAULT + "nodes.web1 = 'x'",
            "clusters.v.nodes.web1: expected a table, [clusters.v.nodes.web1], found a string",
        ),
        (
            VAULT + "[clusters.v.web1]\nhost = 'x'",
            "clusters.v.web1: unknown key; a node is written as [clusters.v.nodes.web1]",
        ),
        (VAULT + "[clusters.v.prod]\nproduct = 'x'", 'unknown key; a name with dots needs quotes: [clusters."v.prod"]'),
        (
            VAULT + "[clusters.v.nodes.web1.corp.example]\nroles = ['web']",
            'unknown key; a name with dots needs quotes: [clusters.v.nodes."web1.corp.example"]',
        ),
        (VAULT + "target = 11.7", "clusters.v.target: expected a string in quotes, found a number; put it in quotes"),
        (
            VAULT + "target = '11.7.49'",
            "clusters.v.target: '11.7.49' is no Secret Server version; it has plain numbers",
        ),
        (WEB + "current = '10.9'", "clusters.v.nodes.web1.current: '10.9' is no Secret Server version"),
        (CHEF + "target = 'latest'", "clusters.c.target: 'latest' is no version"),
        (CHEF + "dpapi = 'on'", "clusters.c.dpapi: is a key of secret-server only; leave it out here"),
        (VAULT + "dpapi = 'yes'", 'clusters.v.dpapi: "yes" is none of on, off, unknown'),
        (
            VAULT + "sudo = true",
            "clusters.v.sudo: there is no sudo on Windows; leave it out",
        ),
        (
            CHEF + "transport = 'winrm'\n[clusters.c.nodes.a]\nroles = ['backend']",
            "clusters.c.transport: chef-backend is read over ssh or local, not over winrm",
        ),
        (BACKEND + "transport = 'tds'", "nodes.b1.transport: chef-backend is read over ssh or local, not over tds"),
        (WEB + "transport = 'telnet'", 'nodes.web1.transport: "telnet" is none of winrm, ssh, local, tds'),
        (
            WEB + "transport = 'tds'",
            "nodes.web1.transport: tds asks SQL Server alone, and cannot answer for the role web",
        ),
        (
            SQL + "transport = 'tds'\nuser = 'x'",
            "nodes.sql1.user: is a key of winrm and ssh, and this node is reached over tds; over tds it is sql_user",
        ),
        (SQL + "transport = 'tds'\nport = 1433", "is reached over tds; over tds it is sql_port"),
        (SQL + "transport = 'tds'\nauth = 'ntlm'", "is reached over tds; over tds it is sql_auth"),
        (WEB + "sudo = true", "clusters.v.nodes.web1.sudo: there is no sudo on Windows; leave it out"),
        (WEB + "transport = 'ssh'\nsudo = false", "clusters.v.nodes.web1.sudo: there is no sudo on Windows"),
        (WEB + "agent = true", "clusters.v.nodes.web1.agent: is a key of ssh, and this node is reached over winrm"),
        (WEB + "transport = 'local'\nport = 22", "web1.port: is a key of winrm and ssh, and this node is reached over"),
        (WEB + "auth = 'credssp'\nverify = false", "web1.verify: auth credssp hands the password itself to the node"),
        (WEB + "configuration = 'jea'", "web1.configuration: means nothing to a Windows Remote Shell; set protocol"),
        (WEB + "protocol = 'psrp'\nconfiguration = 'a/b'", "web1.configuration: expected the name of a session"),
        (WEB + "protocol = 'ps'", "nodes.web1.protocol: "),
        (WEB + "target = '11.7.000049'", "nodes.web1.target: unknown key; it belongs in [clusters.NAME]"),
        (WEB + "sql_port = 1433", "nodes.web1.sql_port: is for nodes with the role database; this one has web"),
        (BACKEND + "web_root = 'x'", "nodes.b1.web_root: is a key of secret-server only"),
        (WEB + "port = '5986'", "nodes.web1.port: expected a whole number, found a string; write it without quotes"),
        (WEB + "port = true", "nodes.web1.port: expected a whole number, found true"),
        (WEB + "port = 65536", "nodes.web1.port: 65536 is out of range; expected 1 to 65535"),
        (WEB + "connect_timeout = nan", "connect_timeout: this number is out of range; expected 0.1 to 600"),
        (WEB + f"connect_timeout = 1{'0' * 400}", "connect_timeout: this number is out of range"),
        (WEB + f"port = {'9' * 5000}", "not TOML: "),
        (
            WEB + "verify = 'false'",
            "nodes.web1.verify: expected true or false, found a string; write it without quotes",
        ),
        (WEB + "connect_timeout = 2020-01-01", "expected a number, found a date or time"),
        (WEB + "host = ''", "nodes.web1.host: is empty; give it a value or leave the key out"),
        (WEB + "host = 'https://web1:5986'", "; scheme, port and path are keys of their own"),
        (WEB + "host = 'web1:5986'", "; put the port in `port`"),
        (WEB + "host = '10.0.0.1:22'", "; put the port in `port`"),
        (WEB + "host = '10.0.0.256'", 'nodes.web1.host: "10.0.0.256" is no IP address'),
        (WEB + "host = '1:2:3'", 'nodes.web1.host: "1:2:3" is no IP address'),
        (WEB + "host = '[::1]'", "write an IPv6 address without brackets"),
        (WEB + "host = '-oProxyCommand=x'", "nodes.web1.host: expected a host name or an IP address"),
        (VAULT + "[clusters.v.nodes.'web 1']\nroles = ['web']", 'nodes."web 1".host: expected a host name'),
        (VAULT + "[clusters.v.nodes.'we/b']\nroles = ['web']\nhost = 'x'", 'nodes."we/b": this name cannot be used'),
        (
            VAULT + '[clusters.v.nodes."a\\u001b"]\nroles = ["web"]\nhost = "x"',
            'nodes."a\\u001b": this name cannot be used',
        ),
        (VAULT + "[clusters.v.nodes.'']\nroles = ['web']\nhost = 'x'", 'nodes."": this name cannot be used'),
        (VAULT + "[clusters.v.nodes.'..']\nroles = ['web']\nhost = 'x'", 'nodes."..": this name cannot be used'),
        (
            WEB.replace("['web']", "'web'"),
            'roles: expected a list of strings such as ["web"], found a string; write ["web"]',
        ),
        (WEB.replace("['web']", "[]"), "roles: is empty; one or more of web, database, dr"),
        (WEB.replace("['web']", "[1]"), "roles: expected a list of strings such as"),
        (WEB.replace("['web']", "['wbe']"), 'roles: "wbe" is no role of secret-server; did you mean "web"?'),
        (WEB.replace("['web']", "['backend']"), 'roles: "backend" is no role of secret-server; one or more of web'),
        (WEB.replace("['web']", "['web', 'web']"), 'roles: "web" stands there twice'),
        (WEB.replace("roles = ['web']", ""), "nodes.web1.roles: missing; one or more of web, database, dr"),
        (WEB + "[clusters.v.rules]\nx = 1", "clusters.v.rules.x: expected a table"),
        (WEB + "[clusters.v.rules.x]\noff = true", "clusters.v.rules.x.reason: missing; say why"),
        (WEB + "[clusters.v.rules.x]\nreason = ' '", "clusters.v.rules.x.reason: is empty"),
        (WEB + "[clusters.v.rules.x]\nreason = 'y'\nefect = 'warn'", 'efect: unknown key; did you mean "effect"?'),
        (WEB + "[clusters.v.rules.stone-8.4]\nreason = 'y'", 'needs quotes: [clusters.v.rules."stone-8.4"]'),
        (BACKEND + "host_key = 'SHA256:abc'", "host_key: expected a key as in known_hosts"),
        (BACKEND + "host_key_policy = 'no'", 'host_key_policy: "no" is none of strict, accept-new'),
        (BACKEND + "jump = '-oX'", "jump: expected one host as [user@]host[:port]"),
        (BACKEND + "jump = ['a', '-oX']", "jump: expected one host as [user@]host[:port], or several"),
        (BACKEND + "jump = []", "jump: expected a string in quotes or a list of such, found an empty list"),
        (BACKEND + "user = '-lroot'", "user: expected a user name"),
        (WEB + "[run]\nhtml = 'x'", "run.html: unknown key; it belongs in [reports]"),
        (WEB + "[reports]\nhtml = 'x'\njson = 'x'", 'reports.json: "x" is already the file of reports.html'),
        (WEB + "[reports]\nhtml = true", "reports.html: expected a string in quotes, found true"),
    ],
)
def test_what_is_said(text: str, expected: str) -> None:
    lines = problems(text)
    assert any(expected in line for line in lines), lines


def test_backslashes_in_double_quotes() -> None:
    # The two ways in which every second Windows administrator writes an account first.
    (line,) = problems('[defaults.winrm]\nuser = "CORP\\svc"\n')
    assert line.startswith("line 2, column 15: not TOML: ")
    assert "single quotes, like 'CORP\\name'" in line
    lines = problems(WEB + 'user = "CORP\\nadmin"\n')
    assert len(lines) == 1
    assert "clusters.v.nodes.web1.user: holds a control character" in lines[0]
    assert "single quotes" in lines[0]


@pytest.mark.parametrize("key", ["password", "Passphrase", "pwd"])
def test_a_password_in_the_inventory_is_refused_and_not_repeated(key: str) -> None:
    (line,) = problems(WEB + f"{key} = 'hunter2'\n")
    assert line.startswith(f"clusters.v.nodes.web1.{key}: secrets are never written in an inventory")
    assert "_env" in line
    assert "hunter2" not in line


def test_a_password_in_the_wrong_key_is_not_repeated() -> None:
    lines = problems(WEB + "password_env = 'hunter2!'\n")
    assert "the NAME of an environment variable" in lines[0]
    assert "hunter2" not in "".join(lines)


def test_two_sources_for_one_secret() -> None:
    assert problems(WEB + "password_env = 'A'\npassword_file = 'b'\n") == [
        "clusters.v.nodes.web1: password_env and password_file are both set; keep one"
    ]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("auth = 'basic'\nscheme = 'http'", "scheme: auth basic over http sends the password readable"),
        (
            "auth = 'certificate'\nscheme = 'http'\ncert_file = 'c'\nkey_file = 'k'",
            "scheme: auth certificate works over https",
        ),
        ("auth = 'certificate'\ncert_file = 'c'", "key_file: missing; auth certificate needs cert_file and key_file"),
        ("auth = 'kerberos'\nuser = 'CORP\\svc'", "user: auth kerberos knows accounts as name@REALM"),
        (
            "auth = 'kerberos'\nuser = 'svc@CORP.EXAMPLE'\nhost = '10.0.0.1'",
            "kerberos_hostname: missing; Kerberos knows machines by name",
        ),
    ],
)
def test_keys_that_do_not_go_together(keys: str, expected: str) -> None:
    (line,) = problems(WEB + keys)
    assert line.startswith(f"clusters.v.nodes.web1.{expected}")


@pytest.mark.parametrize(
    "keys",
    [
        "scheme = 'http'",
        "scheme = 'http'\nauth = 'kerberos'\nuser = 'svc@CORP.EXAMPLE'",
        "auth = 'basic'\nscheme = 'http'\ninsecure = true",
        "auth = 'certificate'\ncert_file = 'c'\nkey_file = 'k'",
        "auth = 'kerberos'\nuser = 'svc@CORP.EXAMPLE'\nhost = '10.0.0.1'\nkerberos_hostname = 'web1.corp.example'",
        "host = 'fe80::1'",
        "host = 'пример.рф'",
    ],
)
def test_keys_that_do(keys: str) -> None:
    assert winrm(WEB + keys)


def test_kerberos_needs_neither_user_nor_password() -> None:
    assert winrm(WEB.removeprefix(DEFAULTS) + "auth = 'kerberos'\n").password is None


def test_what_a_whole_cluster_lacks_is_told_once() -> None:
    text = VAULT.removeprefix(DEFAULTS) + "".join(f"[clusters.v.nodes.w{i}]\nroles = ['web']\n" for i in range(40))
    assert [line.split(";")[0] for line in problems(text)] == [
        "clusters.v.user: missing",
        "clusters.v.password_env: no password",
    ]


def test_what_stands_in_the_defaults_is_told_there_once() -> None:
    text = WEB.replace("[clusters.v]", "auth = 'basic'\nscheme = 'http'\n[clusters.v]")
    assert [line.split(":")[0] for line in problems(text)] == ["defaults.winrm.scheme"]


def test_nothing_follows_from_a_value_that_was_refused() -> None:
    (line,) = problems(WEB.replace("password_env = 'P'", "password_evn = 'P'"))
    assert line == 'defaults.winrm.password_evn: unknown key; did you mean "password_env"?'


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("host = 'web9'", "host = 'WEB9.'"),
        ("host = 'web2'", ""),
        ("host = 'x'\nport = 5986", "host = 'x'"),
    ],
)
def test_one_machine_is_not_two_nodes(first: str, second: str) -> None:
    text = WEB + first + "\n[clusters.v.nodes.web2]\nroles = ['web']\n" + second
    (line,) = problems(text)
    assert line.startswith('clusters.v.nodes.web2.host: is the same machine as node "web1"')


def test_one_host_may_have_several_ports_transports_and_clusters() -> None:
    text = WEB + (
        "host = 'x'\n[clusters.v.nodes.web2]\nroles = ['web']\nhost = 'x'\nport = 15986\n"
        "[clusters.v.nodes.sql]\nroles = ['database']\nhost = 'x'\ntransport = 'tds'\n"
        "[clusters.w]\nproduct = 'secret-server'\n[clusters.w.nodes.web1]\nroles = ['web']\nhost = 'x'\n"
    )
    assert len(load(text).clusters) == 2


@pytest.mark.parametrize(
    "second",
    ["host = 'X'\ntransport = 'ssh'", "host = 'x'\nport = 5985\nscheme = 'http'", "transport = 'ssh'\nhost = 'x.'"],
)
def test_another_way_to_the_same_machine_is_no_second_node(second: str) -> None:
    (line,) = problems(WEB + "host = 'x'\n[clusters.v.nodes.web2]\nroles = ['web']\n" + second)
    assert line.startswith('clusters.v.nodes.web2.host: is the same machine as node "web1"')


def test_windows_nodes_are_spoken_to_in_powershell_and_linux_nodes_in_sh_whatever_the_way() -> None:
    assert node(WEB).language == node(WEB + "transport = 'ssh'").language == "powershell"
    assert node(WEB + "transport = 'local'").language == "powershell"
    assert node(BACKEND).language == node(BACKEND + "transport = 'local'").language == "sh"
    assert node(SQL + "transport = 'tds'").language == "tds"


def test_defaults_for_ssh_hold_for_windows_too_but_for_sudo() -> None:
    ssh = "[defaults.ssh]\nuser = 'ops'\nsudo = true\n"
    web, backend = node(ssh + WEB + "transport = 'ssh'"), node(ssh + BACKEND)
    assert web.ssh is not None
    assert (web.ssh.user, web.sudo, backend.sudo) == ("ops", False, True)


def test_a_local_node_needs_neither_host_nor_login() -> None:
    found = node(
        "[clusters.c]\nproduct = 'chef-backend'\n[clusters.c.nodes.'backend 1']\nroles = ['backend']\n"
        "transport = 'local'\nsudo = true"
    )
    assert (found.host, found.sudo, found.ssh, found.winrm) == ("localhost", True, None, None)
    assert node("[defaults.local]\nsudo = true\n" + BACKEND + "transport = 'local'").sudo


@pytest.mark.parametrize("other", ["transport = 'local'", "host = 'localhost'", "host = '127.0.0.1'\nport = 22"])
def test_two_nodes_of_a_cluster_are_not_both_this_machine(other: str) -> None:
    (line,) = problems(BACKEND + "transport = 'local'\n[clusters.c.nodes.b2]\nroles = ['backend']\n" + other)
    assert line.startswith('clusters.c.nodes.b2.host: is the same machine as node "b1"')


def test_two_clusters_do_not_share_this_machine() -> None:
    local = BACKEND + "transport = 'local'\n"
    (line,) = problems(local + local.replace("clusters.c", "clusters.d"))
    assert line.startswith("clusters.d.nodes.b1.transport: is the same machine as node c.b1")


@pytest.mark.parametrize("text", ["auth = 'ntlm'\nverify = false", "auth = 'credssp'\nca_file = 'ca.pem'"])
def test_an_unverified_node_gets_no_password_in_the_clear(text: str) -> None:
    assert node(WEB + text).winrm is not None


def test_a_connection_key_without_effect_is_told() -> None:
    text = VAULT + "auth = 'ntlm'\n[clusters.v.nodes.sql1]\nroles = ['database']\ntransport = 'tds'\n"
    assert problems(text) == ["clusters.v.auth: has no effect; all nodes of this cluster are reached over tds"]


def test_the_file(tmp_path: Path) -> None:
    file = tmp_path / "inventory.toml"
    file.write_bytes(b"\xef\xbb\xbf" + SAMPLE.replace("\n", "\r\n").encode())
    inventory = load_inventory(file)
    assert inventory.path == file
    assert len(inventory.clusters) == 2


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (SAMPLE.encode("utf-16"), "is UTF-16 (as Windows PowerShell's > writes it); save it as UTF-8"),
        (b"[run]\nx = '\xe4'\n", "line 2: not UTF-8 (byte 0xe4); save the file as UTF-8"),
        (b"[clusters.a\n", "line 1, column 12: not TOML: "),
        (b"x = yes\n", "line 1, column 5: not TOML: Invalid value; texts need straight quotes"),
        ("x = \u201cyes\u201d\n".encode(), "Invalid value; texts need straight quotes"),
        (b"x = 'yes\ny = 'no'\n", "line 1, column 9: not TOML: Found invalid character '\\n'; a text ends on the line"),
        (b'x = "yes\ny = "no"\n', "line 1, column 9: not TOML: Illegal character '\\n'; a text ends on the line"),
        (b"x = 'yes\n", "a text ends on the line it starts on; is a quote missing?"),
        (b"[clusters.my cluster]\n", 'a name with blanks or umlauts needs quotes: [clusters."my cluster"]'),
        (b"x\n", 'every key needs a value, as in key = "value"'),
        (b"[run]\n[run]\n", "line 2, column 5: not TOML: Cannot declare ('run',) twice; it stands there already"),
        (b"x = [", "end of document: not TOML: "),
        (b"x = " + b"[" * 100_000, "is nested too deeply"),
        (b"#" * (17 * 1024 * 1024), "is larger than 16 MiB, and no inventory"),
    ],
)
def test_files_that_are_no_inventory(tmp_path: Path, content: bytes, expected: str) -> None:
    file = tmp_path / "inventory.toml"
    file.write_bytes(content)
    with pytest.raises(InventoryError) as caught:
        load_inventory(file)
    head, *lines = str(caught.value).splitlines()
    assert head == f"{file}: 1 problem"
    assert len(lines) == 1
    assert expected in lines[0]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path, expected in (
        (tmp_path / "none.toml", "there is no such file; `preflight init` writes one"),
        (tmp_path, "this is a folder"),
        (tmp_path / "a\0b", "cannot be read"),
        (tmp_path / ("x" * 300), "cannot be read: File name too long"),
    ):
        with pytest.raises(InventoryError, match=expected):
            load_inventory(path)


def test_a_file_that_others_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # root, whom tests may run as, may read everything
    with pytest.raises(InventoryError, match="you may not read this file; check its owner and mode"):
        load_inventory(tmp_path / "inventory.toml")
    with pytest.raises(InventoryError, match="this is a folder"):  # what Windows says of folders
        load_inventory(tmp_path)


VALUES = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "web", "ntlm", "a\nb", "-x", "11.7.000049"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["host", "roles", "x.y"]), inner),
    max_leaves=4,
)
LINES = st.sampled_from(SAMPLE.splitlines())


@settings(max_examples=150, deadline=None)
@given(st.lists(LINES | st.text(max_size=20), max_size=25))
def test_no_text_ends_in_anything_but_an_inventory_or_its_problems(lines: list[str]) -> None:
    with contextlib.suppress(InventoryError):
        assert load("\n".join(lines)).clusters


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_no_value_ends_in_anything_but_an_inventory_or_its_problems(data: st.DataObject) -> None:
    """One value of the sample, any one, replaced by something else."""
    table = tomllib.loads(SAMPLE)
    at = table
    while True:
        key = data.draw(st.sampled_from(sorted(at)))
        if not isinstance(at[key], dict) or data.draw(st.integers(0, 3)) == 0:
            break
        at = at[key]
    at[key] = data.draw(VALUES)
    with contextlib.suppress(InventoryError):
        assert parse_tables(table).clusters


def parse_tables(table: dict[str, object]) -> Inventory:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("scanner.loading.inventory._parse_toml", lambda _text, _path: table)
        return load("")


def test_every_product_has_a_transport_and_roles() -> None:
    for product in BUILTIN:
        assert product.transports
        assert product.roles
        assert product.parse(product.version_example)


DRIFT_INVENTORY = """
[clusters.chef]
product = "chef-backend"
[clusters.chef.nodes.be1]
roles = ["backend"]
user = "u"
"""


def test_how_facts_are_compared_may_be_said(tmp_path: Path) -> None:
    text = DRIFT_INVENTORY + (
        '[drift.rules."cluster-status.members[].role"]\ncompare = "ignore"\nreason = "failovers are mailed"\n'
    )
    rules = parse_inventory(text, tmp_path / "i.toml").drift_rules
    assert rules == {"cluster-status.members[].role": {"compare": "ignore", "reason": "failovers are mailed"}}


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('[drift.rules."cluster-states"]\ncompare = "ignore"\nreason = "x"', "fits no fact"),
        ('[drift.rules."cluster-status"]\ncompare = "ignore"', "reason: missing"),
        ('[drift.rules."cluster-status"]\nreason = "x"', "compare: missing"),
        ('[drift.rules."cluster-status"]\nreason = "x"\ncompare = "ignored"', 'did you mean "ignore"?'),
        ('[drift.rules."disks"]\nreason = "x"\ncompare = "number"', "needs one"),
        ('[drift.rules."disks"]\nreason = "x"\ncompare = "number"\ntolerance = 5', "put it in quotes"),
        ('[drift.rules.disks.drives]\nreason = "x"\ncompare = "exact"', "needs quotes"),
        ('[drift.rule."disks"]\nreason = "x"', "unknown key"),
        ("drift = 5", "expected a table"),
        ("[drift]\nrules = 5", "expected a table"),
    ],
)
def test_a_comparison_that_cannot_be_meant_is_refused(lines: str, said: str, tmp_path: Path) -> None:
    text = f"{lines}\n{DRIFT_INVENTORY}" if lines.startswith("drift =") else f"{DRIFT_INVENTORY}{lines}\n"
    with pytest.raises(InventoryError, match=re.escape(said)):
        parse_inventory(text, tmp_path / "i.toml")
