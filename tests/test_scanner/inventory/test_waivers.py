"""[[waivers]] and [[attestations]] as people write them, and what is said about those that cannot be meant."""

from __future__ import annotations

import contextlib
import importlib.metadata
import tomllib
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from checks.engine.acceptance.model import Attestation, Waiver
from scanner.errors import InventoryError
from scanner.inventory.model import Inventory
from scanner.inventory.writing.schema import inventory_schema
from scanner.inventory.writing.template import template
from scanner.loading.inventory import parse_inventory, with_waivers

HERE = Path("inventory.toml")
CLUSTERS = """
[defaults.winrm]
user = 'u'
password_env = 'P'
[clusters.prod]
product = "secret-server"
[clusters.prod.nodes.web1]
host = "10.0.0.1"
roles = ["web"]
[clusters.prod.nodes.sql1]
roles = ["database"]
[clusters.test]
product = "secret-server"
[clusters.test.nodes.web1]
host = "10.0.0.2"
roles = ["web"]
[clusters.chef]
product = "chef-backend"
[clusters.chef.nodes.b1]
roles = ["backend"]
"""
WHO = 'reason = "why"\nowner = "Ada"\nexpires = 2027-01-31\n'
WAIVER = '[[waivers]]\ncheck = "pending-reboot"\ncluster = "prod"\n' + WHO
SAID = 'statement = "it was restored"\nby = "Ada"\ndate = 2026-11-01\nexpires = 2027-01-31\n'
ATTESTATION = "[[attestations]]\n" + SAID


def load(text: str) -> Inventory:
    return parse_inventory(CLUSTERS + text, HERE)


def problems(text: str) -> list[str]:
    with pytest.raises(InventoryError) as caught:
        load(text)
    return str(caught.value).splitlines()[1:]


def waiver(scope: str, check: str = "pending-reboot") -> str:
    return f'[[waivers]]\ncheck = "{check}"\n{scope}\n{WHO}'


def test_all_keys() -> None:
    text = waiver('node = "prod.web1"\nvalue = " A  b "') + ATTESTATION + 'check = "pending-reboot"\nnode = "sql1"\n'
    loaded = load(text)
    assert loaded.waivers == (
        Waiver(
            check="pending-reboot",
            cluster="prod",
            node="web1",
            value="A  b",
            reason="why",
            owner="Ada",
            expires=date(2027, 1, 31),
            place="waivers[1]",
        ),
    )
    assert loaded.attestations == (
        Attestation(
            statement="it was restored",
            by="Ada",
            date=date(2026, 11, 1),
            expires=date(2027, 1, 31),
            check="pending-reboot",
            cluster="prod",
            node="sql1",
            place="attestations[1]",
        ),
    )


@pytest.mark.parametrize(
    ("scope", "cluster", "node"),
    [
        ('cluster = "prod"', "prod", None),
        ('cluster = "test"\nnode = "web1"', "test", "web1"),
        ('cluster = "test"\nnode = "test.web1"', "test", "web1"),
        ('node = "sql1"', "prod", "sql1"),
        ('node = "test.web1"', "test", "web1"),
    ],
)
def test_a_node_is_named_as_on_the_command_line(scope: str, cluster: str, node: str | None) -> None:
    (found,) = load(waiver(scope)).waivers
    assert (found.cluster, found.node) == (cluster, node)


def test_one_that_has_expired_is_no_mistake() -> None:
    assert load(WAIVER.replace("2027", "2001") + ATTESTATION.replace("20", "10")).waivers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (waiver(""), "waivers[1].cluster: missing; say which cluster or which node the waiver is for"),
        (waiver('cluster = "prd"'), 'waivers[1].cluster: there is no cluster "prd"; did you mean "prod"?'),
        (waiver('node = "web9"'), 'waivers[1].node: there is no node "web9"; did you mean "web1"?'),
        (waiver('node = "prod.web9"'), 'there is no node "prod.web9"; did you mean "prod.web1"?'),
        (waiver('cluster = "chef"\nnode = "web1"'), 'there is no node "web1" in chef; did you mean "b1"?'),
        (
            waiver('cluster = "test"\nnode = "prod.web1"'),
            'there is no node "prod.web1" in test; there are: test.web1',
        ),
        (waiver('node = "web1"'), '"web1" is several nodes: prod.web1, test.web1; write one of them, or set cluster'),
        (
            waiver('cluster = "prod"', "pending-rebot"),
            'there is no check "pending-rebot"; did you mean "pending-reboot"?',
        ),
        (waiver('cluster = "prod"', "xyzzy"), '"xyzzy"; `preflight checks` lists those there are'),
        (waiver('cluster = "prod"', "connectivity"), "no error can be waived; take it out"),
        (waiver('cluster = "chef"'), "pending-reboot is for secret-server, and chef is a cluster of chef-backend"),
        (waiver('node = "sql1"', "windows-version"), "is for nodes with the role web; sql1 has database"),
        (
            waiver('node = "sql1"', "app-version-match"),
            "app-version-match judges the cluster as a whole; leave the node out",
        ),
        (
            WAIVER.replace("2027-01-31", '"2027-01-31"'),
            "waivers[1].expires: expected a date such as 2026-12-31, found a string; write it without quotes",
        ),
        (WAIVER.replace("2027-01-31", "2027-01-31T00:00:00Z"), "found a date or time; leave the time out"),
        (
            WAIVER.replace("2027-01-31", "2027"),
            "waivers[1].expires: expected a date such as 2026-12-31, found a number",
        ),
        (WAIVER.replace("2027-01-31", "2027-02-31"), "not TOML"),
        (WAIVER.replace("expires = 2027-01-31", ""), "waivers[1].expires: missing; the last day on which it holds"),
        (WAIVER.replace('"why"', '" "'), "waivers[1].reason: is empty"),
        (WAIVER + "value = 4.8", "waivers[1].value: expected a string in quotes, found a number; put it in quotes"),
        (WAIVER + "until = 2027-01-31", "waivers[1].until: unknown key; known here: check, cluster, expires, node"),
        (WAIVER + "password = 'hunter2'", "secrets are never written in an inventory"),
        (WAIVER + WAIVER, "waivers[2]: says the same as waivers[1]; keep one"),
        (WAIVER + WAIVER.replace("2027", "2028"), "waivers[2]: says the same as waivers[1]; keep one"),
        (ATTESTATION + ATTESTATION, "attestations[2]: says the same as attestations[1]; keep one"),
        (ATTESTATION.replace("2027", "2025"), "attestations[1].expires: 2025-01-31 is before the attestation's date"),
        (ATTESTATION + 'cluster = "prd"', 'attestations[1].cluster: there is no cluster "prd"'),
        ("[[attestations]]", "attestations[1].statement: missing; what no probe can see, and somebody vouches for"),
        ("[waivers]", "waivers: expected tables, [[waivers]], found a table; two brackets each"),
        ("[[waiver]]", 'waiver: unknown key; did you mean "waivers"?'),
    ],
)
def test_what_is_said(text: str, expected: str) -> None:
    lines = problems(text)
    assert any(expected in line for line in lines), lines
    assert len(lines) == 1 or "[[attestations]]" in text


def test_a_list_of_something_else() -> None:
    with pytest.raises(InventoryError, match=r"waivers\[1\]: expected a table, \[\[waivers\]\], found a number"):
        parse_inventory("waivers = [1]\n" + CLUSTERS, HERE)
    assert parse_inventory("waivers = []\n" + CLUSTERS, HERE).waivers == ()


def test_all_is_told_at_once_beside_the_rest() -> None:
    text = "[clusters.chef.nodes.b2]\nroles = ['backnd']\n" + waiver('node = "web9"', "x") + "[[waivers]]\n"
    places = [line.split(": ")[0].strip() for line in problems(text)]
    assert places == [
        "clusters.chef.nodes.b2.roles",
        "waivers[1].check",
        "waivers[1].node",
        *(f"waivers[2].{name}" for name in ("check", "reason", "owner", "expires", "cluster")),
    ]


def test_a_node_with_a_problem_of_its_own_can_be_named() -> None:
    (line,) = problems("port = 0\n" + waiver('node = "b1"', "chef-secrets-stray"))
    assert line.strip().startswith("clusters.chef.nodes.b1.port")


def test_a_check_of_a_plugin_that_does_not_load_is_no_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    text = waiver('cluster = "prod"', "gitea-version")
    assert "there is no check" in problems(text)[0]
    broken = importlib.metadata.EntryPoint("gitea", "no_such_module:PLUGIN", "preflight.checks")
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **_: [broken])
    assert load(text).waivers


def test_a_file_beside_the_inventory(tmp_path: Path) -> None:
    file = tmp_path / "more.toml"
    inventory = load(WAIVER)
    file.write_text(waiver('cluster = "test"') + ATTESTATION, encoding="utf-8")
    both = with_waivers(inventory, file)
    assert [found.place for found in both.waivers] == ["waivers[1]", "more.toml: waivers[1]"]
    assert [found.place for found in both.attestations] == ["more.toml: attestations[1]"]
    for text, expected in (
        (WAIVER, "waivers[1]: says the same as waivers[1]; keep one"),
        (waiver('node = "web9"'), "waivers[1].node: there is no node"),
        (CLUSTERS, "clusters: unknown key; known here: attestations, waivers"),
        ("[[waivers", "not TOML"),
    ):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(InventoryError) as caught:
            with_waivers(inventory, file)
        assert str(caught.value).startswith(f"{file}: ")
        assert expected in str(caught.value)
    with pytest.raises(InventoryError, match="there is no such file of waivers"):
        with_waivers(inventory, tmp_path / "none.toml")


def _as_editors_do(value: Any) -> Any:
    """TOML's dates as the texts that JSON Schemas of TOML see."""
    if isinstance(value, dict):
        return {key: _as_editors_do(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_editors_do(item) for item in value]
    return value.isoformat() if isinstance(value, date | time) else value


@pytest.mark.parametrize(
    ("text", "good"),
    [
        (WAIVER + ATTESTATION, True),
        (waiver('node = "test.web1"\nvalue = "x"'), True),
        (waiver(""), False),
        (WAIVER + "until = 2027-01-31", False),
        (WAIVER.replace("2027-01-31", "2027-01-31T00:00:00Z"), False),
        (WAIVER.replace('owner = "Ada"', ""), False),
        ("[[attestations]]", False),
        ("[waivers]", False),
    ],
)
def test_the_schema_says_the_same(text: str, good: bool) -> None:
    fits = Draft202012Validator(inventory_schema()).is_valid(_as_editors_do(tomllib.loads(CLUSTERS + text)))
    assert fits is good
    if good:
        load(text)
    else:
        problems(text)


def test_the_template_shows_a_waiver_and_an_attestation_that_load() -> None:
    head, tail = template().split("# Findings that somebody accepts")
    on = "\n".join(line.removeprefix("#") if not line.startswith("# ") else line for line in tail.splitlines()[1:])
    loaded = parse_inventory(f"{head}\n{on}", HERE)
    assert (len(loaded.waivers), len(loaded.attestations)) == (1, 1)


VALUES = st.recursive(
    st.booleans()
    | st.integers()
    | st.floats()
    | st.dates()
    | st.datetimes()
    | st.times()
    | st.text(max_size=8)
    | st.sampled_from(["", "prod", "web1", "prod.web1", "pending-reboot", "app-version-match", "connectivity"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["check", "node", "x"]), inner),
    max_leaves=5,
)
KEYS = ["check", "cluster", "node", "value", "reason", "owner", "expires", "statement", "by", "date", "x"]


@settings(max_examples=300, deadline=None)
@given(
    items=st.dictionaries(
        st.sampled_from(["waivers", "attestations"]),
        VALUES | st.lists(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=8), max_size=3),
        min_size=1,
    )
)
def test_nothing_ends_in_anything_but_an_inventory_or_its_problems(items: dict[str, Any]) -> None:
    table = tomllib.loads(CLUSTERS) | items
    with pytest.MonkeyPatch.context() as patch, contextlib.suppress(InventoryError):
        patch.setattr("scanner.loading.inventory._parse_toml", lambda _text, _path: table)
        for found in parse_inventory("", HERE).waivers:
            assert found.cluster
            assert isinstance(found.expires, date)
            assert not isinstance(found.expires, datetime)
