"""How a plan takes a site as its nodes say it is: where the database is open, what copies it, which pools there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.test_scanner.conftest import Preflight
from tests.test_scanner.test_plan_gate import planned

_DATABASE = (
    'windows = {sql = [{version = "15.0.2000.5", databases = [{name = "VaultDB", version = "9.0.000000", MORE}]}]}'
)


def database(node: str, more: str) -> str:
    named = f'roles = ["database"]\ninventory = {{sql_database = "VaultDB"}}\n{_DATABASE.replace("MORE", more)}\n'
    return f"[clusters.vault.nodes.{node}]\n{named}"


def test_commands_for_the_database_are_for_the_server_where_it_is_open(tmp_path: Path, preflight: Preflight) -> None:
    mirror = database("sql1", 'mirroring = 4, role = 2, state = "RESTORING", partner = "SQL2"')
    principal = database("sql2", 'mirroring = 4, role = 1, partner = "SQL1"')
    ended = planned(tmp_path, preflight, "vault-mirrored", mirror + principal)
    assert "On sql2, in SQL Server Management Studio:\n    ```sql\n    BACKUP DATABASE" in ended.out
    forward, _, back = ended.out.partition("### The way back")
    assert "On sql1, in SQL" not in forward
    # On the way back the mirror is asked for the addresses, and then set up anew: it alone, where nothing is open.
    there = re.findall(r"On sql1, in SQL Server Management Studio:\n    ```sql\n((?:    .+\n)+?)    ```", back)
    lines = {line.strip() for lines in there for line in lines.splitlines()}
    assert all(line.startswith(("IF DATABASEPROPERTYEX(", "SELECT ")) or "SET PARTNER = N'" in line for line in lines)
    assert len(lines) > 3


@pytest.mark.parametrize(
    ("more", "seen", "unseen"),
    [
        ('mirroring = 4, role = 1, partner = "SQL2"', "SET PARTNER OFF", "dm_hadr"),
        (
            (
                'replicas = [{server = "SQL1", group = "AG", own = true, role = 1, state = 2}, '
                '{server = "SQL2", group = "AG", role = 2, state = 2}]'
            ),
            "sys.dm_hadr_database_replica_states",
            "SET PARTNER",
        ),
    ],
    ids=["mirroring", "group"],
)
def test_what_copies_the_database_says_how_one_waits_for_it(
    tmp_path: Path, preflight: Preflight, more: str, seen: str, unseen: str
) -> None:
    ended = planned(tmp_path, preflight, "vault-two-step", database("sql1", more).replace("9.0.000000", "10.9.000003"))
    assert "Wait until the changes have reached the" in ended.out
    assert seen in ended.out
    assert unseen not in ended.out


def test_a_pool_of_tms_is_stopped_before_its_folder_is_copied(tmp_path: Path, preflight: Preflight) -> None:
    site = '{name = "TMS", path = "/TMS", physical = \'C:\\inetpub\\wwwroot\\TMS\', pool = "TMSAppPool"}'
    ended = planned(
        tmp_path, preflight, "vault-mirrored", f"[clusters.vault.nodes.web2]\nwindows = {{iis = {{sites = [{site}]}}}}"
    )
    stop = ended.out.index('stop apppool /apppool.name:"TMSAppPool"')
    copy = ended.out.index('robocopy "C:\\inetpub\\wwwroot\\TMS" "\\\\WEB2.corp.example\\C$')
    assert stop < copy < ended.out.index('start apppool /apppool.name:"TMSAppPool"')
    assert "IIS on web2 serves no TMS" not in ended.out
    assert "IIS on web3 serves no TMS" in ended.out
