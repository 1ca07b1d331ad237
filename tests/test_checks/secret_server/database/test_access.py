"""What helps where nothing is known of the database: a grant against a refusal, and no grant against anything else."""

from __future__ import annotations

import pytest

from checks.facts import Unknown
from checks.secret_server.database.access import ACCESS, remedy


@pytest.mark.parametrize(
    "reason",
    [
        "MSSQLSERVER: this login may not open SecretServer; name it with `sql_database`",
        "the login may not open the database (916: the server principal is not able to access the database)",
        "dbo.tbVersion may not be read (229: The SELECT permission was denied on the object 'tbVersion')",
    ],
)
def test_who_is_refused_is_told_what_to_grant(reason: str) -> None:
    assert remedy(Unknown(reason)) is ACCESS


@pytest.mark.parametrize(
    "reason",
    [
        "no SQL Server instance called VAULT (`sql_instance`) is installed on this host, so none can be queried",
        "there is no database Vault (`sql_database`); databases seen: master, tempdb",
        "dbo.tbVersion is empty",
        "dbo.tbVersion holds 'x', which is no version",
        "probe sql-database: unreadable answer, ValueError: x",
        "MSSQLSERVER answered 3 rows about itself instead of one",
        "timed out: it did not end within 20 s",
        "not asked: the node's time was used up before its turn",
    ],
)
def test_what_no_grant_helps_against_is_not_answered_with_one(reason: str) -> None:
    assert remedy(Unknown(reason)) is None


@pytest.mark.parametrize(
    "reason", ["SQL Server cannot be asked at 10.0.0.1: nobody listens", "SQL1: its service does not run on this host"]
)
def test_a_dead_server_is_to_be_started(reason: str) -> None:
    found = remedy(Unknown(reason))
    assert found
    assert "CREATE LOGIN" not in found.command
