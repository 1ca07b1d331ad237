"""A SQL login's password: refused where others could read it, and beside the script on its way."""

from __future__ import annotations

import base64
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scanner.credentials import resolve
from scanner.errors import InventoryError
from scanner.gather import compose, confidential
from scanner.inventory.load import load_inventory
from scanner.inventory.select import select
from scanner.lab.lab import Lab
from scanner.lab.scenario import load_scenario
from scanner.prepare import prepare
from scanner.redaction import eraser
from scanner.secrets import Secret
from scanner.transports.powershell_delivery import deliver
from scanner.transports.protocol import Limits
from scanner.transports.winrm import WinrmTransport

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


def test_it_travels_over_winrm_only(tmp_path: Path) -> None:
    text = INVENTORY.replace("user = 'CORP\\scan'\npassword_env = \"WINRM_PASSWORD\"\n", 'transport = "ssh"\n')
    with pytest.raises(InventoryError, match="travels over winrm only, and this node is reached over ssh"):
        load_inventory(written(tmp_path, text + LOGIN))


def test_what_a_cluster_says_is_not_asked_of_a_tds_node(tmp_path: Path) -> None:
    tds = '[clusters.vault.nodes.sql2]\nhost = "sql2"\nroles = ["database"]\ntransport = "tds"\n'
    text = INVENTORY.replace('target = "11.7.000049"\n', 'target = "11.7.000049"\n' + LOGIN) + tds
    first, second = load_inventory(written(tmp_path, text)).clusters[0].nodes
    assert first.sql_password is not None
    assert second.winrm is None


def test_the_password_is_beside_the_script_and_hides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SQL_PASSWORD", CANARY)
    monkeypatch.setenv("WINRM_PASSWORD", "another one")
    inventory = resolve(load_inventory(written(tmp_path, INVENTORY + LOGIN)))
    call = prepare(select(inventory, (), (), {})).calls()[0]
    spoken = [probe for probe in call.probes if probe.language == "powershell"]
    script = compose(call.node, spoken, nonce="0123456789abcdef", budget_s=9, probe_bytes=9)
    coded = base64.b64encode(CANARY.encode()).decode()
    for mode in ("auto", "stdin"):
        sent = deliver(script, mode)
        assert "preflight_sql" in script
        assert not any(mark in text for mark in (CANARY, coded) for text in (script, repr(sent)))
    assert confidential(call.node, call.probes) == {"PREFLIGHT_SQL_PASSWORD": Secret(CANARY)}
    assert confidential(call.node, ()) == {}
    again = pickle.loads(pickle.dumps(call))
    assert again.node.sql_password.reveal() == CANARY
    assert CANARY not in repr(call)
    said = eraser([call.node])(f"{CANARY} {coded} preflight_sql")
    assert said == "*** *** preflight_sql"


def test_the_transport_itself_refuses_an_open_connection(tmp_path: Path) -> None:
    keys = 'auth = "basic"\nscheme = "http"\ninsecure = true\n'
    node = load_inventory(written(tmp_path, INVENTORY + keys)).clusters[0].nodes[0]
    with pytest.raises(ValueError, match="keeps secrets"):
        WinrmTransport(node, Limits(), confidential={"X": Secret(CANARY)})


def test_probes_shows_a_placeholder(tmp_path: Path, preflight: Callable[..., Any]) -> None:
    with Lab(load_scenario("database-sql-login")) as lab:
        ended = preflight("probes", lab.write(tmp_path))
        assert "PREFLIGHT_SQL_PASSWORD=***" in ended.out
        assert "$PfOption['sql_user'] = 'preflight_sql'" in ended.out
        coded = {base64.b64encode(secret.encode()).decode() for secret in lab.secrets}
        assert not any(secret in ended.out for secret in {*lab.secrets, *coded})
