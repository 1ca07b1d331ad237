"""Microsoft's numbers and the names that people know them by."""

from __future__ import annotations

DOTNET_URL = "https://learn.microsoft.com/en-us/dotnet/framework/install/how-to-determine-which-versions-are-installed"

DOTNET_RELEASES: tuple[tuple[int, str], ...] = (
    (378389, "4.5"),
    (378675, "4.5.1"),
    (379893, "4.5.2"),
    (393295, "4.6"),
    (394254, "4.6.1"),
    (394802, "4.6.2"),
    (460798, "4.7"),
    (461308, "4.7.1"),
    (461808, "4.7.2"),
    (528040, "4.8"),
    (533320, "4.8.1"),
)
"""The smallest `Release` of each .NET Framework version; a later system may carry a larger one. Source: DOTNET_URL."""

WINDOWS_URL = "https://learn.microsoft.com/en-us/windows/win32/sysinfo/operating-system-version"

WINDOWS_SERVERS: tuple[tuple[tuple[int, int, int], str], ...] = (
    ((5, 2, 0), "Windows Server 2003"),
    ((6, 0, 0), "Windows Server 2008"),
    ((6, 1, 0), "Windows Server 2008 R2"),
    ((6, 2, 0), "Windows Server 2012"),
    ((6, 3, 0), "Windows Server 2012 R2"),
    ((10, 0, 14393), "Windows Server 2016"),
    ((10, 0, 17763), "Windows Server 2019"),
    ((10, 0, 20348), "Windows Server 2022"),
    ((10, 0, 26100), "Windows Server 2025"),
)
"""The first build of each Windows Server generation. Source: WINDOWS_URL and Microsoft's release information."""

SQL_SERVER_URL = "https://learn.microsoft.com/en-us/troubleshoot/sql/releases/download-and-install-latest-updates"

SQL_SERVERS: tuple[tuple[tuple[int, int], str], ...] = (
    ((8, 0), "SQL Server 2000"),
    ((9, 0), "SQL Server 2005"),
    ((10, 0), "SQL Server 2008"),
    ((10, 50), "SQL Server 2008 R2"),
    ((11, 0), "SQL Server 2012"),
    ((12, 0), "SQL Server 2014"),
    ((13, 0), "SQL Server 2016"),
    ((14, 0), "SQL Server 2017"),
    ((15, 0), "SQL Server 2019"),
    ((16, 0), "SQL Server 2022"),
    ((17, 0), "SQL Server 2025"),
)
"""Major and minor version of each SQL Server. Source: SQL_SERVER_URL."""


ENGINE_EDITION_URL = "https://learn.microsoft.com/en-us/sql/t-sql/functions/serverproperty-transact-sql"

MANAGED_SERVICES: tuple[tuple[int, str], ...] = (
    (5, "Azure SQL Database"),
    (8, "Azure SQL Managed Instance"),
    (12, "SQL database in Microsoft Fabric"),
)
"""EngineEdition of the services that Microsoft keeps current: their ProductVersion 12.0.2000.8 is no SQL Server 2014.
Source: ENGINE_EDITION_URL."""


def managed_service(engine_edition: int) -> str:
    """The service's name for an EngineEdition; empty for a SQL Server that somebody installed."""
    return dict(MANAGED_SERVICES).get(engine_edition, "")


def dotnet_version(release: int | None) -> str | None:
    """The .NET Framework version of a `Release` DWORD; None for older than 4.5."""
    return next((name for least, name in reversed(DOTNET_RELEASES) if release is not None and release >= least), None)


def windows_name(major: int, minor: int, build: int) -> str:
    """The server generation of a Windows version, by its number."""
    known = (name for least, name in reversed(WINDOWS_SERVERS) if (major, minor, build) >= least)
    return next(known, "Windows")


def sql_server_name(major: int, minor: int) -> str:
    """The product's name for an instance's version."""
    known = (name for least, name in reversed(SQL_SERVERS) if least[0] == major and minor >= least[1])
    return next(known, "SQL Server")
