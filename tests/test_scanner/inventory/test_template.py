"""What `preflight init` writes: usable as it is, and every key in it usable once its # is taken away."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from checks.engine.rules import parse_rules
from scanner.inventory.product_settings.known import catalogue
from scanner.inventory.writing.template import template
from scanner.loading.inventory import parse_inventory

TEXT = template()
HERE = Path("inventory.toml")
SWITCHED_OFF = re.compile(r"^#(?=[a-z_]+ = )", re.MULTILINE)
OVERRIDE = re.compile(r"^#\[(.+)\]\n(?:#.*\n)+", re.MULTILINE)
WITHOUT_OVERRIDE = OVERRIDE.sub("", TEXT)


def test_it_loads_as_it_is() -> None:
    vault, chef = parse_inventory(TEXT, HERE).clusters
    assert [node.name for node in vault.nodes] == ["web1", "web2", "sql1"]
    assert [node.roles for node in chef.nodes] == [("backend",)] * 3


@pytest.mark.parametrize("number", range(len(SWITCHED_OFF.findall(WITHOUT_OVERRIDE))))
def test_each_key_that_is_off_can_be_switched_on(number: int) -> None:
    match = list(SWITCHED_OFF.finditer(WITHOUT_OVERRIDE))[number]
    before, after = WITHOUT_OVERRIDE[: match.start()], WITHOUT_OVERRIDE[match.end() :]
    head, section = before.rsplit("\n[", 1)
    if after.startswith("password_"):
        # One source only; the one in use makes way.
        section = re.sub(r"^password_env = .*\n", "", section, flags=re.MULTILINE)
    if after.startswith("configuration"):
        section += 'protocol = "psrp"\n'
    # A login and its password go together.
    if after.startswith("sql_user"):
        section += 'sql_password_env = "PREFLIGHT_SQL_PASSWORD"\n'
    elif after.startswith("sql_password_"):
        section += 'sql_user = "preflight_sql"\n'
    elif after.startswith(("sql_transport", "sql_auth")):
        way = "" if after.startswith("sql_transport") else 'sql_transport = "tds"\n'
        section += f"{way}sql_user = 'CORP\\preflight'\nsql_password_env = \"PREFLIGHT_SQL_PASSWORD\"\n"
    parse_inventory(f"{head}\n[{section}{after}", HERE)


def test_the_override_can_be_switched_on_and_names_a_rule_there_is() -> None:
    match = OVERRIDE.search(TEXT)
    assert match
    block = re.sub(r"^#(?! )", "", match[0], flags=re.MULTILINE)
    vault = parse_inventory(TEXT.replace(match[0], block), HERE).clusters[0]
    rules = Path(__file__).parents[3] / "checks" / "secret_server" / "rules.toml"
    assert len(parse_rules(rules.read_text("utf-8")).with_overrides(vault.rules).overridden()) == 1


def test_every_key_is_there() -> None:
    for where, table in catalogue().sections.items():
        for key in table:
            assert re.search(rf"^#?{key.name} = ", TEXT, re.MULTILINE), f"{where} {key.name}"


def test_it_is_pleasant_to_read() -> None:
    assert max(map(len, TEXT.splitlines())) <= 100
    assert not re.search(r"[ \t]$|\n\n\n", TEXT, re.MULTILINE)
    assert TEXT.isascii()
