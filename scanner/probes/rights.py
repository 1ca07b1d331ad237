"""What an account on Windows needs beside being let in, for what the probes read; administrators have all but the last.

Sources: Windows' own access lists (HKLM readable for Users, inetsrv\\config for Administrators); diyan/pywinrm #306 for
WMI and services in a session over the network; Microsoft's "Securing a Remote WMI Connection".
"""

from __future__ import annotations

ANY = "no right of its own: Windows lets every account read it"
WEB_ROOT = "Read on the application's folder"
IIS_CONFIGURATION = r"Read on %windir%\System32\inetsrv\config (with shared configuration: on that folder)"
WMI = r"Enable Account and Remote Enable on WMI's root\cimv2"
IIS_WMI = r"membership of Administrators (for WMI's root\WebAdministration)"
SERVICES = "the right to see services: Administrators, or whom the service control manager's descriptor names"
BACKUPS = "Read on the folders of the backups"
SQL_SERVER = "a login at SQL Server with what the section on it says, the account's own or that of `sql_user`"
EXPECTED_FILE = "Read on the file that the inventory names"
EXPECTED_COMMAND = "whatever the inventory's own command takes"
