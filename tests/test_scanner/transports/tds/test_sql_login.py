"""A SQL login's password: refused where others could read it, and beside the script on its way."""

from __future__ import annotations

import base64
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scanner.errors import InventoryError
from scanner.inventory import credentials
from scanner.inventory.credentials import resolve
from scanner.inventory.model import TdsSettings
from scanner.inventory.redactor import redactor
from scanner.inventory.select import select
from scanner.lab.lab import Lab
from scanner.lab.scenario import load_scenario
from scanner.loading.inventory import load_inventory
from scanner.probes.secret_server.database.database import SQL_DATABASE, SQL_DATABASE_TDS
from scanner.probes.secret_server.database.sql_questions import questions
from scanner.run.node import NodeRequest, compose, confidential, query_node
from scanner.run.prepare import build_request, loosened
from scanner.secrets.secret import Secret
from scanner.transports import local
from scanner.transports.launch import launch_for
from scanner.transports.powershell.script_delivery import deliver, deliver_on_stdin
from scanner.transports.protocol import Limits
from tests import windows_stand_in

CANARY = "Sql-Canary-9f2c"
INVENTORY = """
[clusters.vault]
product = "secret-server"
target = "11.7.000049"
[clusters.vault.nodes.sql1]
host = "sql1.corp.example"
roles = ["database"]
user = 'CORP\\scan'
password_env = "WINRM_PASSWORD"
"""
HOST = 'host = "sql1.corp.example"\n'
LOGIN = 'sql_user = "preflight_sql"\nsql_password_env = "SQL_PASSWORD"\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "inventory.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("keys", "key", "why"),
    [
        ('auth = "basic"\nscheme = "http"\ninsecure = true\n', "sql_user", "others could read it"),
        ('scheme = "http"\ninsecure = true\n', "sql_user", "others could read it"),
        ('auth = "basic"\nverify = false\n', "sql_user", "others could read it"),
    ],
)
def test_it_is_refused_where_others_could_read_it(tmp_path: Path, keys: str, key: str, why: str) -> None:
    with pytest.raises(InventoryError, match=rf"clusters\.vault\.nodes\.sql1\.{key}.*{why}"):
        load_inventory(written(tmp_path, INVENTORY + keys + LOGIN))
    assert load_inventory(written(tmp_path, INVENTORY + keys))


@pytest.mark.parametrize("keys", ["", 'scheme = "http"\n', "verify = false\n", 'auth = "basic"\n'])
def test_it_is_taken_where_nobody_could(tmp_path: Path, keys: str) -> None:
    node = load_inventory(written(tmp_path, INVENTORY + keys + LOGIN)).clusters[0].nodes[0]
    assert node.options == {"sql_user": "preflight_sql"}


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ('sql_user = "x"\n', "no password; the SQL login needs sql_password_env"),
        ('sql_password_env = "X"\n', "a password without its SQL login"),
        (LOGIN + 'sql_password_file = "x"\n', "sql_password"),
        ('sql_user = "x"\nsql_password = "literal"\n', "secrets are never written in an inventory|unknown key"),
    ],
)
def test_half_a_login_is_refused(tmp_path: Path, keys: str, why: str) -> None:
    with pytest.raises(InventoryError, match=why):
        load_inventory(written(tmp_path, INVENTORY + keys))


OVER_SSH = INVENTORY.replace("user = 'CORP\\scan'\npassword_env = \"WINRM_PASSWORD\"\n", 'transport = "ssh"\n')


@pytest.mark.parametrize(
    ("keys", "refused"),
    [
        ("", False),
        ('host_key_policy = "accept-new"\n', True),
        ('host_key_policy = "accept-new"\nhost_key = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"\n', False),
    ],
)
def test_over_ssh_the_host_key_has_to_be_known(tmp_path: Path, keys: str, refused: bool) -> None:
    path = written(tmp_path, OVER_SSH + keys + LOGIN)
    if refused:
        with pytest.raises(InventoryError, match=r"sql1\.sql_user: .*others could read it: use host_key_policy"):
            load_inventory(path)
    else:
        assert load_inventory(path).clusters[0].nodes[0].keeps_secrets


def test_a_tds_node_logs_in_over_tls_of_its_own(tmp_path: Path) -> None:
    node = load_inventory(written(tmp_path, OVER_SSH.replace('"ssh"', '"tds"') + LOGIN)).clusters[0].nodes[0]
    assert node.logs_in_to_sql
    assert node.tds == TdsSettings()
    assert node.options == {"sql_user": "preflight_sql", "sql_port": 1433}


def test_what_a_cluster_says_is_asked_of_a_tds_node_too(tmp_path: Path) -> None:
    tds = '[clusters.vault.nodes.sql2]\nhost = "sql2"\nroles = ["database"]\ntransport = "tds"\n'
    text = INVENTORY.replace('target = "11.7.000049"\n', 'target = "11.7.000049"\n' + LOGIN) + tds
    first, second = load_inventory(written(tmp_path, text)).clusters[0].nodes
    assert first.sql_password is not None
    assert (first.logs_in_to_sql, second.logs_in_to_sql) == (False, True)


def test_beside_the_host_s_transport_the_scanner_asks_with_the_defaults_of_tds(tmp_path: Path) -> None:
    keys = LOGIN + 'sql_transport = "tds"\nsql_host = "listener.corp.example"\nauth = "basic"\nverify = false\n'
    text = "[defaults.tds]\nca_file = 'sql-ca.pem'\n" + INVENTORY + keys
    node = load_inventory(written(tmp_path, text)).clusters[0].nodes[0]
    assert node.winrm
    assert node.tds == TdsSettings(ca_file=str(tmp_path / "sql-ca.pem"))  # verify = false is the WinRM listener's
    assert (node.sql_host, node.options["sql_port"]) == ("listener.corp.example", 1433)


def test_the_password_that_the_scanner_uses_itself_does_not_go_to_the_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SQL_PASSWORD", CANARY)
    monkeypatch.setenv("WINRM_PASSWORD", "another one")
    path = written(tmp_path, INVENTORY + LOGIN + 'sql_transport = "tds"\n')
    call = build_request(select(resolve(load_inventory(path)), (), (), {})).calls()[0]
    assert SQL_DATABASE not in call.probes
    assert SQL_DATABASE_TDS in call.probes
    assert confidential(call.node, call.probes) == {}


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ('sql_transport = "tds"\n', "sql_transport: missing sql_user"),
        (LOGIN + 'sql_auth = "ntlm"\n', "sql_auth: has an effect only where the scanner itself logs in"),
        (LOGIN + 'sql_transport = "tds"\nsql_auth = "ntlm"\n', r"sql_user: .*expected 'DOMAIN.user'"),
        (LOGIN + 'sql_transport = "winrm"\n', "is none of host, tds"),
        (LOGIN + 'sql_transprot = "tds"\n', 'did you mean "sql_transport"'),
    ],
)
def test_a_login_that_nobody_could_use_is_refused(tmp_path: Path, keys: str, why: str) -> None:
    with pytest.raises(InventoryError, match=why):
        load_inventory(written(tmp_path, INVENTORY + keys))


def test_a_named_instance_has_no_guessed_port(tmp_path: Path) -> None:
    text = OVER_SSH.replace('"ssh"', '"tds"')
    named = load_inventory(written(tmp_path, text + 'sql_instance = "VAULT"\n')).clusters[0].nodes[0]
    assert "sql_port" not in named.options
    default = load_inventory(written(tmp_path, text + 'sql_instance = "MSSQLSERVER"\n')).clusters[0].nodes[0]
    assert default.options["sql_port"] == 1433


def test_two_named_instances_on_one_host_are_two(tmp_path: Path) -> None:
    def site(first: str, second: str) -> Path:
        nodes = "".join(
            f'[clusters.vault.nodes.{name}]\nhost = "sql1"\nroles = ["database"]\ntransport = "tds"\n'
            f'sql_instance = "{instance}"\n'
            for name, instance in (("a", first), ("b", second))
        )
        return written(tmp_path, f'[clusters.vault]\nproduct = "secret-server"\n{nodes}')

    assert load_inventory(site("VAULT", "VAULT2"))
    with pytest.raises(InventoryError, match="is the same machine as node"):
        load_inventory(site("VAULT", "vault"))


def test_without_the_extra_it_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SQL_PASSWORD", CANARY)
    monkeypatch.setattr(credentials, "find_spec", lambda _: None)
    login = load_inventory(written(tmp_path, OVER_SSH.replace('"ssh"', '"tds"') + LOGIN))
    with pytest.raises(InventoryError, match=r'sql1\.sql_user: .*pip install "preflight-scanner\[tds\]"'):
        resolve(login)
    version_only = load_inventory(written(tmp_path, OVER_SSH.replace('"ssh"', '"tds"')))
    assert resolve(version_only)


def test_an_unverified_sql_server_is_told(tmp_path: Path) -> None:
    text = OVER_SSH.replace('"ssh"', '"tds"') + "verify = false\n"
    assert not list(loosened(load_inventory(written(tmp_path, text)).clusters[0].nodes))
    told = list(loosened(load_inventory(written(tmp_path, text + LOGIN)).clusters[0].nodes))
    assert told == ["SQL Server's certificate is not verified (verify = false): vault.sql1"]


def test_the_password_is_beside_the_script_and_hides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SQL_PASSWORD", CANARY)
    monkeypatch.setenv("WINRM_PASSWORD", "another one")
    inventory = resolve(load_inventory(written(tmp_path, INVENTORY + LOGIN)))
    call = build_request(select(inventory, (), (), {})).calls()[0]
    spoken = [probe for probe in call.probes if probe.language == "powershell"]
    script = compose(call.node, spoken, nonce="0123456789abcdef", budget_s=9, probe_bytes=9)
    coded = base64.b64encode(CANARY.encode()).decode()
    secret = confidential(call.node, call.probes)
    assert secret == {"PREFLIGHT_SQL_PASSWORD": coded}
    assert confidential(call.node, ()) == {}
    sent = [deliver(script, "auto", secret), deliver(script, "stdin", secret), deliver_on_stdin(script, secret)]
    start = launch_for("powershell", script, variables=secret)
    assert "preflight_sql" in script
    shown = [script, repr(start), start.command, *map(repr, sent), *(one.command_line for one in sent)]
    assert not any(mark in text for mark in (CANARY, coded) for text in shown)
    again = pickle.loads(pickle.dumps(call))
    assert again.node.sql_password.reveal() == CANARY
    assert CANARY not in repr(call)
    said = redactor([call.node])(f"{CANARY} {coded} preflight_sql")
    assert said == "*** *** preflight_sql"


def test_it_does_not_leave_for_a_node_that_the_inventory_would_have_refused(tmp_path: Path) -> None:
    keys = 'auth = "basic"\nscheme = "http"\ninsecure = true\n'
    node = load_inventory(written(tmp_path, INVENTORY + keys)).clusters[0].nodes[0]
    with pytest.raises(ValueError, match="keeps secrets"):
        confidential(replace(node, sql_password=Secret(CANARY)), (SQL_DATABASE,))


def test_this_machine_gets_it_beside_the_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = windows_stand_in.install(tmp_path / "bin", windows="2019", sql=[{"version": "15.0.2000.5"}])
    monkeypatch.setattr(local, "programs_here", lambda: {"powershell": str(stand_in.program)})
    monkeypatch.setenv("SQL_PASSWORD", CANARY)
    inventory = resolve(
        load_inventory(written(tmp_path, OVER_SSH.replace('"ssh"', '"local"').replace(HOST, "") + LOGIN))
    )
    said = query_node(NodeRequest(inventory.clusters[0].nodes[0], (SQL_DATABASE,), Limits(30)))
    (seen,) = stand_in.seen
    assert said.failure is None
    coded = base64.b64encode(CANARY.encode()).decode()
    assert seen["stdin"].splitlines()[0] == f"PREFLIGHT_SQL_PASSWORD={coded}"
    rest = seen["line"] + str(seen["environment"]) + "\n".join(seen["stdin"].splitlines()[1:]) + repr(said)
    assert not any(mark in rest for mark in (CANARY, coded))


@pytest.mark.parametrize("scenario", ["database-sql-login", "database-sql-login-over-ssh"])
def test_probes_shows_a_placeholder(scenario: str, tmp_path: Path, preflight: Callable[..., Any]) -> None:
    with Lab(load_scenario(scenario)) as lab:
        ended = preflight("probes", lab.write(tmp_path))
        assert "PREFLIGHT_SQL_PASSWORD=***" in ended.out
        assert "$PfOption['sql_user'] = 'preflight_sql'" in ended.out
        coded = {base64.b64encode(secret.encode()).decode() for secret in lab.secrets}
        assert not any(secret in ended.out for secret in {*lab.secrets, *coded})


@pytest.mark.parametrize("scenario", ["sql-tds-login", "sql-tds-beside-winrm", "sql-tds-node"])
def test_probes_shows_what_goes_to_sql_server(scenario: str, tmp_path: Path, preflight: Callable[..., Any]) -> None:
    with Lab(load_scenario(scenario)) as lab:
        ended = preflight("probes", lab.write(tmp_path), "--cluster", "vault")
        assert not any(secret in ended.out for secret in lab.secrets)
    asked = [query for query in questions().values() if query in ended.out]
    if scenario == "sql-tds-node":
        assert "one TDS PRELOGIN packet to port" in ended.out
        assert asked == []
        return
    assert asked == list(questions().values())
    account = "preflight_sql (SQL login" if scenario == "sql-tds-login" else "LAB\\preflight (Windows account, by NTLM"
    assert account in ended.out
    assert "PREFLIGHT_SQL_PASSWORD=***" not in ended.out, "the host gets no password that the scanner uses itself"
