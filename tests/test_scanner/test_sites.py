"""The guides' table of sites: each is scanned with exactly what its row declares, and comes to the row's verdict."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from scanner.lab.lab import Lab
from scanner.lab.scenario import load_scenario
from tests.test_scanner.conftest import Preflight
from tests.user_pages import user_pages

TOP = Path(__file__).parents[2]
FIELD = "tests/field/secret_server"
VERDICTS = {"GO": 0, "NO-GO": 1, "UNKNOWN": 3}


@dataclass(frozen=True, slots=True)
class Site:
    """How a site of the table is played."""

    scenario: str
    """A scenario of the lab's, or the path of one."""
    over: str = ""
    """Tables that are laid over it."""
    beside: frozenset[str] = frozenset()
    """Further keys of the scenario's inventory that have nothing to do with the row."""


LEFT_OUT = "".join(
    f'{check} = "the hosters look at it"\n'
    for check in (
        *("sql-server-version", "database-compatibility", "database-version-match"),
        *("database-mirroring", "database-support"),
    )
)
SITES = {
    "availability group": Site(f"{FIELD}/h2-ag.toml", beside=frozenset({"backup", "integrated_windows_auth", "dpapi"})),
    "failover cluster": Site(f"{FIELD}/h1-fci.toml", beside=frozenset({"integrated_windows_auth", "dpapi"})),
    "Amazon RDS": Site("sql-tds-rds", beside=frozenset({"dpapi"})),
    "Azure SQL Managed Instance": Site("sql-tds-azure-managed-instance", beside=frozenset({"dpapi", "rules"})),
    "EFS": Site(f"{FIELD}/own-efs-declared.toml"),
    "DPAPI": Site("encryption-dpapi-on"),
    "no Integrated Windows Authentication": Site("iis-authentication-undeclared", beside=frozenset({"dpapi"})),
    "one web node": Site("encryption-one-web-node", beside=frozenset({"dpapi"})),
    "disaster recovery": Site("dr-healthy", beside=frozenset({"dpapi"})),
    "SQL Server closed to the scanner": Site(
        "sql-no-node", f"[clusters.vault.inventory.skip]\n{LEFT_OUT}", beside=frozenset({"dpapi"})
    ),
}


def rows() -> dict[str, tuple[str, set[str]]]:
    """The table: site to its verdict and the keys that have to be declared."""
    text = user_pages()
    found = re.search(r"<!-- sites:begin -->\n(.*?)<!-- sites:end -->", text, re.DOTALL)
    assert found
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in found[1].strip().splitlines()[2:]]
    return {
        site: (verdict.split(",")[0], set(re.findall(r"`\[?(?:clusters\.NAME\.)?([a-z_]+)", keys)))
        for site, verdict, keys in cells
    }


def test_every_row_is_played() -> None:
    assert rows().keys() == SITES.keys()


@pytest.mark.parametrize("site", SITES)
def test_a_site_comes_to_its_verdict_with_what_its_row_declares(
    site: str, tmp_path: Path, preflight: Preflight
) -> None:
    verdict, keys = rows()[site]
    played = SITES[site]
    base = str(TOP / played.scenario) if played.scenario.endswith(".toml") else played.scenario
    file = tmp_path / "scenario.toml"
    file.write_text(f'extends = "{base}"\ntitle = "{site}"\n{played.over}', encoding="utf-8")
    scenario = load_scenario(file)
    (cluster,) = scenario.clusters
    declared = {"target", *cluster.inventory, *(key for node in cluster.nodes for key in node.inventory)}
    roles = {role for node in cluster.nodes for role in node.roles}
    assert declared - {"target"} - played.beside == keys - {"roles"}
    assert ("dr" in roles) == ("roles" in keys)
    with Lab(scenario) as lab:
        ended = preflight("scan", lab.write(tmp_path))
    assert ended.code == VERDICTS[verdict], ended.out
