"""PowerShell functions that several of the probes call: each text is sent once, and only with a probe that calls it."""

from __future__ import annotations

from scanner.probes.batch.powershell import powershell_source

IIS = (powershell_source("secret_server/iis/iis.ps1"),)
"""Configuration of IIS, and reading XML."""
ROOTS = (*IIS, powershell_source("secret_server/files/roots.ps1"))
"""Where the application lies, which IIS says, and its two configuration files."""
MACHINE = (powershell_source("secret_server/host/machine.ps1"),)
"""What the machine is called."""
SQL = (powershell_source("windows/sql.ps1"),)
"""The instances of SQL Server, and asking one."""
