"""What the remedy of an UNKNOWN says to declare leads to a verdict. Scans of all scenarios are held to it beside."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from scanner.lab.lab import Lab
from scanner.lab.scenario import load_scenario
from tests.test_scanner.conftest import Preflight
from tests.test_scanner.ways_out import assert_a_way_out

FIELD = Path(__file__).parents[1] / "field" / "secret_server"
FIELD_UNKNOWN = [
    path
    for path in sorted(FIELD.glob("*.toml"))
    if path.name != "provenance.toml" and (wanted := load_scenario(path).expect) and wanted.exit_code == 3
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One scenario, the key that its remedy has to name, and what it comes to with that declared."""

    scenario: str
    key: str
    declared: str
    """What is laid over the scenario: its inventory alone."""
    code: int = 0
    phase: str = "before"


WAYS = (
    Way(scenario="encryption-dpapi-unknown", key="dpapi", declared='[clusters.vault.inventory]\ndpapi = "on"\n'),
    Way(
        scenario="encryption-dpapi-unknown", key="dpapi", declared='[clusters.vault.inventory]\ndpapi = "off"\n', code=1
    ),
    Way(scenario="encryption-efs", key="efs", declared='[clusters.vault.inventory]\nefs = "on"\ndpapi = "on"\n'),
    Way(
        scenario="app-version-unknown",
        key="`current`",
        declared='[clusters.vault.nodes.web2.inventory]\ncurrent = "11.6.000003"\n',
    ),
    Way(scenario="target-missing", key="`target`", declared='[clusters.vault.inventory]\ntarget = "11.7.000049"\n'),
    Way(
        scenario="iis-ambiguous-root",
        key="`web_root`",
        declared="[clusters.vault.nodes.web2.inventory]\nweb_root = 'C:\\inetpub\\wwwroot\\SecretServer'\n",
    ),
    Way(
        scenario="sql-instance-not-found",
        key="`sql_instance`",
        declared='[clusters.vault.nodes.sql1.inventory]\nsql_instance = "MSSQLSERVER"\n',
    ),
    Way(
        scenario="database-ambiguous",
        key="`sql_database`",
        declared='[clusters.vault.nodes.sql1.inventory]\nsql_database = "SecretServer"\n',
    ),
    Way(
        scenario="chef-failover-undeclared",
        key="`failover",
        declared='[clusters.chef.inventory]\nfailover = "off"\n',
        phase="window",
    ),
)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: f"{way.scenario}-{way.key.strip('`')}-{way.code}")
def test_the_remedy_names_the_key_and_the_key_leads_to_a_verdict(
    way: Way, tmp_path: Path, preflight: Preflight
) -> None:
    with Lab(load_scenario(way.scenario)) as lab:
        options = ("--phase", way.phase, "--json", tmp_path / "r.json", "-q")
        assert preflight("scan", lab.write(tmp_path), *options).code == 3
    rows = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))["results"]
    assert any(way.key in row["remediation"]["summary"] for row in rows if row["status"] == "error")
    folder = tmp_path / "declared"
    folder.mkdir()
    file = folder / "scenario.toml"
    file.write_text(f'extends = "{way.scenario}"\ntitle = "Declared"\n{way.declared}', encoding="utf-8")
    with Lab(load_scenario(file)) as lab:
        inventory = lab.write(folder)
        ended = preflight("scan", inventory, "--phase", way.phase)
        assert ended.code == way.code, ended.out
        planned = preflight("plan", inventory, "-q")
    if way.phase == "before":
        assert planned.code == way.code, planned.out


@pytest.mark.parametrize("path", FIELD_UNKNOWN, ids=lambda path: path.stem)
def test_a_site_of_the_field_that_is_unknown_has_a_way_out(path: Path, tmp_path: Path, preflight: Preflight) -> None:
    expected = load_scenario(path).expect
    assert expected
    phase, evidence = ("--phase", expected.phase), tmp_path / "e.json"
    with Lab(load_scenario(path)) as lab:
        options = ("--json", tmp_path / "r.json", "--evidence", evidence, "-q")
        preflight("scan", lab.write(tmp_path), *phase, *options)
    rows = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))["results"]
    assert_a_way_out(preflight, tmp_path, rows, *phase, "--from", evidence)
