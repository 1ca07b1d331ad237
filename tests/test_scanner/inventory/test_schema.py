"""The schema that editors use says the same as the loader, as far as a schema can."""

from __future__ import annotations

import contextlib
import itertools
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from checks.engine.rules import Rule, RuleError, RuleSet
from scanner.errors import InventoryError
from scanner.inventory.product_settings.known import catalogue
from scanner.inventory.products import Product
from scanner.inventory.settings.acceptance import RULE
from scanner.inventory.writing.schema import inventory_schema
from scanner.inventory.writing.template import template
from scanner.loading.inventory import parse_inventory

SCHEMA = inventory_schema()
VALIDATOR = Draft202012Validator(SCHEMA)
HERE = Path("inventory.toml")

VAULT = "[defaults.winrm]\nuser = 'u'\npassword_env = 'P'\n[clusters.v]\nproduct = 'secret-server'\n"
WEB = VAULT + "[clusters.v.nodes.web1]\nroles = ['web']\n"
SQL = VAULT + "[clusters.v.nodes.sql1]\nroles = ['database']\n"
CHEF = "[clusters.c]\nproduct = 'chef-backend'\n"
BACKEND = CHEF + "[clusters.c.nodes.b1]\nroles = ['backend']\n"


def loads(text: str) -> bool:
    try:
        parse_inventory(text, HERE)
    except InventoryError:
        return False
    return True


def fits(table: dict[str, Any]) -> bool:
    return bool(VALIDATOR.is_valid(table))


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


GOOD = [
    template(),
    WEB,
    WEB + "host = 'fe80::1'\nport = 1\nconnect_timeout = 0.5\nweb_root = 'C:\\x'\ncurrent = '10.9.000064'\n",
    SQL + "transport = 'tds'\nsql_port = 14330\n",
    SQL + "sql_instance = 'PROD'\n",
    SQL + "transport = 'tds'\nencrypt = 'strict'\nsql_user = 'x'\nsql_password_env = 'A'\n",
    SQL + "transport = 'tds'\nsql_auth = 'ntlm'\nsql_user = 'CORP\\x'\nsql_password_env = 'A'\n",
    "[defaults.tds]\nverify = false\n"
    + SQL
    + "sql_transport = 'tds'\nsql_host = 'listener'\nsql_user = 'x'\nsql_password_env = 'A'\n",
    WEB + "transport = 'ssh'\nagent = false\nhost_key_policy = 'accept-new'\n",
    WEB.replace("[clusters.v.nodes", "transport = 'ssh'\nagent = false\n[clusters.v.nodes"),
    "[defaults.ssh]\nsudo = true\n" + WEB + "transport = 'ssh'\n",
    "[defaults.local]\nsudo = true\n" + BACKEND + "transport = 'local'\nsudo = false\n",
    WEB + "transport = 'local'\n",
    WEB + "password_file = 'p'\n",
    WEB + "[clusters.v.rules.dotnet-48]\noff = true\nreason = 'why'\n",
    BACKEND + "ssh_config = ''\nhost_key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA comment'\njump = 'me@[::1]:22'\n",
    BACKEND + "jump = 'a,ssh://me@b:22, [::1]:2222'\n",
    BACKEND + "jump = ['me@a', 'b:22']\n",
    BACKEND + "passphrase_env = 'A'\npassword_env = 'B'\n",
    BACKEND + "[run]\ntimeout = 1.5\nstrict = true\n[reports]\njson = 'x'\n",
]


@pytest.mark.parametrize("text", GOOD)
def test_what_loads_fits(text: str) -> None:
    parse_inventory(text, HERE)
    assert [error.message for error in VALIDATOR.iter_errors(tomllib.loads(text))] == []


BAD = [
    "",
    "clusters = {}",
    "clusters = 3",
    "x = 1\n" + WEB,
    "[defaults]\nuser = 'x'\n" + BACKEND,
    "[defaults.tds]\nencrypt = 'off'\n" + WEB,
    SQL + "encrypt = 'strict'",
    SQL + "sql_transport = 'winrm'",
    WEB + "sql_transport = 'tds'",
    "[defaults.winrm]\nsudo = true\n" + BACKEND,
    VAULT,
    VAULT + "nodes = {}",
    WEB.replace("secret-server", "secret-sever"),
    WEB.replace("product = 'secret-server'", ""),
    WEB.replace("roles = ['web']", ""),
    WEB.replace("['web']", "'web'"),
    WEB.replace("['web']", "[]"),
    WEB.replace("['web']", "['backend']"),
    WEB.replace("['web']", "['web', 'web']"),
    WEB.replace("nodes.web1", "nodes.'we/b'") + "host = 'x'",
    WEB.replace("nodes.web1", "nodes.' web'") + "host = 'x'",
    WEB.replace("nodes.web1", "nodes.'..'") + "host = 'x'",
    VAULT + "target = 11.7\n[clusters.v.nodes.web1]\nroles = ['web']",
    VAULT + "target = '11.7.49'\n[clusters.v.nodes.web1]\nroles = ['web']",
    VAULT + "sudo = true\n[clusters.v.nodes.web1]\nroles = ['web']",
    VAULT + "dpapi = 'yes'\n[clusters.v.nodes.web1]\nroles = ['web']",
    VAULT + "host = 'x'\n[clusters.v.nodes.web1]\nroles = ['web']",
    CHEF + "dpapi = 'on'\n[clusters.c.nodes.b1]\nroles = ['backend']",
    CHEF + "target = 'latest'\n[clusters.c.nodes.b1]\nroles = ['backend']",
    WEB + "current = '10.9'",
    WEB + "password = 'x'",
    WEB + "password_env = 'A'\npassword_file = 'b'",
    WEB + "password_env = 'a b'",
    WEB + "port = '5986'",
    WEB + "port = 0",
    WEB + "port = 65536",
    WEB + "port = true",
    WEB + "verify = 'false'",
    WEB + "auth = 'ntml'",
    WEB + "path = 'wsman'",
    WEB + "connect_timeout = 0",
    WEB + "host = ''",
    WEB + "host = 'web1:5986'",
    WEB + "host = 'https://web1'",
    WEB + "host = '-x'",
    WEB + 'user = "CORP\\nadmin"',
    WEB + "sudo = true",
    WEB + "transport = 'ssh'\nsudo = true",
    WEB + "transport = 'local'\nagent = true",
    WEB + "transport = 'ssh'\nauth = 'ntlm'",
    WEB + "agent = true",
    WEB.replace("[clusters.v.nodes", "transport = 'ssh'\n[clusters.v.nodes") + "verify = true",
    BACKEND + "transport = 'local'\nuser = 'x'",
    WEB + "sql_port = 1433",
    SQL + "web_root = 'x'",
    SQL + "sql_instance = 'host\\PROD'",
    SQL + "transport = 'tds'\nuser = 'x'",
    BACKEND + "web_root = 'x'",
    BACKEND + "transport = 'winrm'",
    BACKEND + "user = '-l root'",
    BACKEND + "jump = '-oX'",
    BACKEND + "jump = 'a,-oX'",
    BACKEND + "jump = 'a,,b'",
    BACKEND + "jump = []",
    BACKEND + "jump = ['a', '']",
    BACKEND + "jump = ['a', 1]",
    BACKEND + "jump = 1",
    BACKEND + "host_key = 'SHA256:abc'",
    WEB + "[clusters.v.rules.x]\noff = true",
    WEB + "[clusters.v.rules.x]\nreason = ' '",
    WEB + "[clusters.v.rules.x]\nreason = 'y'\neffect = 'error'",
    WEB + "[run]\nparallel = 0",
    WEB + "[run]\nparallel = 1.5",
    WEB + "[run]\ntimeout = -1",
    WEB + "[reports]\nhtml = true",
    WEB + "[reports]\npdf = 'x'",
]
"""What both refuse."""

ONLY_THE_LOADER = [
    VAULT.replace("user = 'u'", "") + "[clusters.v.nodes.web1]\nroles = ['web']",
    WEB + "auth = 'basic'\nscheme = 'http'",
    WEB + "host = '10.0.0.256'",
    WEB + "transport = 'tds'",
    WEB + "host = 'x'\n[clusters.v.nodes.web2]\nhost = 'x'\nroles = ['web']",
    WEB + "[reports]\nhtml = 'x'\njson = 'x'",
]
"""What takes a look from one table into another, or arithmetic."""


@pytest.mark.parametrize("text", BAD)
def test_both_refuse(text: str) -> None:
    assert not loads(text)
    assert not fits(tomllib.loads(text))


@pytest.mark.parametrize("text", ONLY_THE_LOADER)
def test_the_loader_knows_more(text: str) -> None:
    assert not loads(text)
    assert fits(tomllib.loads(text))


VALUES = st.one_of(
    st.booleans(),
    st.integers(-1, 70000),
    st.floats(),
    st.sampled_from(["", " ", "web", "ntlm", "http", "a\nb", "-x", "11.7.000049", " 1.2.000003", "::1", "tds", "1"]),
    st.lists(st.sampled_from(["web", "database", "backend", 1]), max_size=2),
    st.dictionaries(st.sampled_from(["host", "roles", "x.y"]), st.just("x"), max_size=2),
)
ALL_NAMES = sorted(
    {key.name for table in catalogue().sections.values() for key in table} | {"x", "nodes", "a b", "a/b"}
)
NAMES = st.sampled_from(ALL_NAMES)


@settings(max_examples=500, deadline=None)
@given(data=st.data())
def test_an_editor_shows_no_error_where_the_loader_sees_none(data: st.DataObject) -> None:
    """One key anywhere in a good inventory is set to something."""
    table = tomllib.loads(data.draw(st.sampled_from(GOOD)))
    at = table
    while inner := [value for value in at.values() if isinstance(value, dict)]:
        if data.draw(st.integers(0, 3)) == 0:
            break
        at = data.draw(st.sampled_from(inner))
    at[data.draw(NAMES | st.sampled_from(sorted(at) or ["x"]))] = data.draw(VALUES)
    with pytest.MonkeyPatch.context() as patch, contextlib.suppress(InventoryError):
        patch.setattr("scanner.loading.inventory._parse_toml", lambda _text, _path: table)
        parse_inventory("", HERE)
        assert [error.message for error in VALIDATOR.iter_errors(table)] == []


def test_no_key_is_refused_by_the_schema_alone() -> None:
    loaded = 0
    for text in (WEB, SQL + "transport = 'tds'\n", BACKEND, "[defaults.ssh]\nagent = true\n" + BACKEND):
        for name, value in itertools.product(ALL_NAMES, ("", "x", "http", "1.2.000003", 1, True)):
            for depth in range(1, 5):
                table = at = tomllib.loads(text)
                for _ in range(depth):
                    at = next((inner for inner in reversed(at.values()) if isinstance(inner, dict)), at)
                at[name] = value
                with pytest.MonkeyPatch.context() as patch, contextlib.suppress(InventoryError):
                    patch.setattr("scanner.loading.inventory._parse_toml", lambda _text, _path, table=table: table)
                    parse_inventory("", HERE)
                    loaded += 1
                    assert fits(table), table
    assert loaded > 200  # of thousands; the rest is refused, as it should be


def test_every_key_is_described() -> None:
    text = str(SCHEMA)
    for table in catalogue().sections.values():
        for key in table:
            assert key.doc.endswith(".")
            assert str(key.doc) in text or repr(key.doc)[1:-1] in text


def test_a_plugins_product() -> None:
    gitea = Product(name="gitea", title="Gitea", roles={"app": "serves"}, transports=("ssh",))
    table = tomllib.loads(BACKEND.replace("chef-backend", "gitea").replace("backend", "app"))
    assert not fits(table)
    assert Draft202012Validator(inventory_schema(catalogue([gitea]))).is_valid(table)


def test_an_override_takes_what_rules_can_be_overridden_with() -> None:
    rules = RuleSet((Rule(id="r", check="c", target="", requires="1", text="text", source="source"),))
    with pytest.raises(RuleError, match=f"takes {', '.join(sorted(key.name for key in RULE))}$"):
        rules.with_overrides({"r": {"colour": 1}})
