"""[clusters.NAME.skip] as people write it, and what is said about what cannot be meant."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from checks.registry import BUILTIN
from scanner.errors import InventoryError
from scanner.inventory.model import Inventory
from scanner.inventory.writing.schema import inventory_schema
from scanner.inventory.writing.template import template
from scanner.loading.inventory import parse_inventory
from tests.test_scanner.conftest import Preflight
from tests.test_scanner.inventory.test_waivers import CLUSTERS, HERE

VALIDATOR = Draft202012Validator(inventory_schema())
GOOD = '[clusters.prod.skip]\ndatabase-mirroring = " the DBAs  look at it, ticket 4711 "\n'


def load(text: str) -> Inventory:
    return parse_inventory(CLUSTERS + text, HERE)


def problem(text: str) -> str:
    with pytest.raises(InventoryError) as caught:
        load(text)
    (problem,) = caught.value.problems
    line = f"{problem.place}: {problem.message}"
    return line.strip()


def fits(text: str) -> bool:
    return bool(VALIDATOR.is_valid(tomllib.loads(CLUSTERS + text)))


def test_it_is_kept_with_its_reason_for_its_cluster_alone() -> None:
    prod, test, chef = load(GOOD).clusters
    assert prod.skip == {"database-mirroring": "the DBAs look at it, ticket 4711"}
    assert (test.skip, chef.skip) == ({}, {})
    assert fits(GOOD)


@pytest.mark.parametrize("check", [check.id for check in BUILTIN if check.id != "connectivity"])
def test_each_check_can_be_left_out_of_the_clusters_it_is_for_and_of_no_other(check: str) -> None:
    products = next(one.products for one in BUILTIN if one.id == check) or ("secret-server", "chef-backend")
    for cluster, product in (("prod", "secret-server"), ("chef", "chef-backend")):
        text = f'[clusters.{cluster}.skip]\n{check} = "why"\n'
        assert fits(text) == (product in products)
        if product in products:
            assert check in next(one.skip for one in load(text).clusters if one.name == cluster)
        else:
            found = problem(text)
            assert found == (
                f"clusters.{cluster}.skip.{check}: is a check of {products[0]}, and this is a cluster of {product}; "
                "take it out"
            )


@pytest.mark.parametrize(
    ("text", "said", "schema_knows"),
    [
        (
            '[clusters.prod.skip]\ndatabase-miroring = "why"\n',
            'there is no check "database-miroring"; did you mean "database-mirroring"?',
            False,
        ),
        (
            '[clusters.prod.skip]\nhorse = "why"\n',
            'clusters.prod.skip.horse: there is no check "horse"; `preflight checks` lists those there are',
            False,
        ),
        (
            '[clusters.prod.skip]\nconnectivity = "why"\n',
            "clusters.prod.skip.connectivity: cannot be left out: whether a node answered",
            True,
        ),
        ('[clusters.prod.skip]\npending-reboot = ""\n', "clusters.prod.skip.pending-reboot: is empty", True),
        ('[clusters.prod.skip]\npending-reboot = "  "\n', "clusters.prod.skip.pending-reboot: is empty", True),
        (
            "[clusters.prod.skip]\npending-reboot = true\n",
            "clusters.prod.skip.pending-reboot: expected a string in quotes, found true",
            True,
        ),
        (
            '[clusters.prod.skip.pending-reboot]\nreason = "why"\n',
            "clusters.prod.skip.pending-reboot: expected a string in quotes, found a table",
            True,
        ),
        ('skip = ["pending-reboot"]\n', "clusters.chef.nodes.b1.skip: unknown key", True),
    ],
)
def test_what_cannot_be_meant_is_told_with_its_place(text: str, said: str, schema_knows: bool) -> None:
    assert said in problem(text)
    assert fits(text) != schema_knows


def test_a_list_is_no_table() -> None:
    text = CLUSTERS.replace("[clusters.chef]\n", '[clusters.chef]\nskip = ["disk-space"]\n')
    with pytest.raises(InventoryError, match=r"clusters\.chef\.skip: expected a table, \[clusters\.chef\.skip\]"):
        parse_inventory(text, HERE)
    assert not VALIDATOR.is_valid(tomllib.loads(text))


def test_a_check_of_a_plugin_that_does_not_load_is_no_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = importlib.metadata.EntryPoint("gitea", "no_such_module:PLUGIN", "preflight.checks")
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **_: [broken])
    assert load('[clusters.prod.skip]\nof-a-plugin = "why"\n').clusters[0].skip == {"of-a-plugin": "why"}


def test_the_template_shows_it_and_it_can_be_switched_on() -> None:
    on = re.sub(r"^#(?=\[clusters\.vault-prod\.skip\]|database-mirroring = )", "", template(), flags=re.MULTILINE)
    assert on != template()
    assert list(parse_inventory(on, HERE).clusters[0].skip) == ["database-mirroring"]


def test_validate_tells_what_is_left_out(tmp_path: Path, preflight: Preflight) -> None:
    (tmp_path / "i.toml").write_text(CLUSTERS + GOOD, encoding="utf-8")
    ended = preflight("validate", tmp_path / "i.toml")
    assert ended.code == 0
    assert "    leaves out database-mirroring: the DBAs look at it, ticket 4711\n" in ended.out


def test_explain_says_how_and_for_connectivity_why_not(preflight: Preflight) -> None:
    told = preflight("explain", "database-mirroring").out
    assert '[clusters.NAME.skip]\n    database-mirroring = "why"' in told
    assert "It cannot be left out of a cluster" in preflight("explain", "connectivity").out
