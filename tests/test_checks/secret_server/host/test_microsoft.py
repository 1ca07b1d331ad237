"""Names of what is installed, from the numbers that machines tell, beside the last number of the one before it."""

from __future__ import annotations

import pytest

from checks.secret_server.host.microsoft import dotnet_version, managed_service, sql_server_name, windows_name


@pytest.mark.parametrize(
    ("releases", "version"),
    [
        # Microsoft's page lists each Release with the Windows that brings it; the second one is that of all others.
        ((None, 0, -1, 378388), None),
        ((378389, 378674), "4.5"),
        ((378675, 378758, 379892), "4.5.1"),
        ((379893, 393294), "4.5.2"),
        ((393295, 393297, 394253), "4.6"),
        ((394254, 394271, 394801), "4.6.1"),
        ((394802, 394806, 460797), "4.6.2"),
        ((460798, 460805, 461307), "4.7"),
        ((461308, 461310, 461807), "4.7.1"),
        ((461808, 461814, 528039), "4.7.2"),
        ((528040, 528049, 528372, 528449, 533319), "4.8"),
        ((533320, 533325, 999999), "4.8.1"),
    ],
)
def test_the_dotnet_framework_of_a_release(releases: tuple[int | None, ...], version: str | None) -> None:
    assert {dotnet_version(release) for release in releases} == {version}


@pytest.mark.parametrize(
    ("number", "name"),
    [
        ("5.1.2600", "Windows"),
        ("5.2.3790", "Windows Server 2003"),
        ("6.0.6001", "Windows Server 2008"),
        ("6.0.6003", "Windows Server 2008"),
        ("6.1.7600", "Windows Server 2008 R2"),
        ("6.1.7601", "Windows Server 2008 R2"),
        ("6.2.9200", "Windows Server 2012"),
        ("6.3.9600", "Windows Server 2012 R2"),
        ("10.0.14393", "Windows Server 2016"),
        ("10.0.17134", "Windows Server 2016"),
        ("10.0.17763", "Windows Server 2019"),
        ("10.0.19041", "Windows Server 2019"),
        ("10.0.20348", "Windows Server 2022"),
        ("10.0.25398", "Windows Server 2022"),
        ("10.0.26100", "Windows Server 2025"),
    ],
)
def test_the_generation_of_a_windows(number: str, name: str) -> None:
    major, minor, build = (int(part) for part in number.split("."))
    assert windows_name(major, minor, build) == name


@pytest.mark.parametrize(
    ("version", "name"),
    [
        ("7.0", "SQL Server"),
        ("8.0", "SQL Server 2000"),
        ("9.0", "SQL Server 2005"),
        ("10.0", "SQL Server 2008"),
        ("10.50", "SQL Server 2008 R2"),
        ("10.51", "SQL Server 2008 R2"),
        ("11.0", "SQL Server 2012"),
        ("12.0", "SQL Server 2014"),
        ("13.0", "SQL Server 2016"),
        ("14.0", "SQL Server 2017"),
        ("15.0", "SQL Server 2019"),
        ("16.0", "SQL Server 2022"),
        ("17.0", "SQL Server 2025"),
        ("18.0", "SQL Server"),
    ],
)
def test_the_name_of_a_sql_server(version: str, name: str) -> None:
    major, minor = (int(part) for part in version.split("."))
    assert sql_server_name(major, minor) == name


@pytest.mark.parametrize(
    ("edition", "name"),
    [
        *((number, "") for number in (0, 1, 2, 3, 4, 6, 7, 9, 11, 13)),
        (5, "Azure SQL Database"),
        (8, "Azure SQL Managed Instance"),
        (12, "SQL database in Microsoft Fabric"),
    ],
)
def test_a_service_that_microsoft_keeps_current(edition: int, name: str) -> None:
    assert managed_service(edition) == name
