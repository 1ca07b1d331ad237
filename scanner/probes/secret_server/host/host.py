"""The questions about the Windows hosts themselves."""

from __future__ import annotations

from checks.common.computer_facts import ComputerName
from checks.common.connection_facts import TcpConnections
from checks.common.disk_facts import Disks
from checks.secret_server.facts.host import Hardware, MonitoringAgent, PendingReboot, PoolStates
from checks.secret_server.iis.places import IisAuthentication
from scanner.probes import rights
from scanner.probes.batch.powershell import powershell_source
from scanner.probes.probe import Probe
from scanner.probes.secret_server.host import host_readers as readers
from scanner.probes.secret_server.parts import MACHINE, ROOTS

PROBES: tuple[Probe, ...] = (
    Probe(
        id="windows-connections",
        language="powershell",
        purpose="whom the machine is connected with over TCP: addresses and ports, from Windows' own table",
        script=powershell_source("secret_server/host/windows-connections.ps1"),
        readers=((TcpConnections, readers.tcp_connections),),
        needs=(rights.ANY,),
        sample='{"connections": []}',
    ),
    Probe(
        id="computer-name",
        language="powershell",
        purpose="what the machine calls itself and its domain, from the registry",
        script=powershell_source("secret_server/host/computer-name.ps1"),
        parts=MACHINE,
        readers=((ComputerName, readers.computer_name),),
        needs=(rights.ANY,),
        sample='{"name": "WEB1", "domain": "corp.example"}',
    ),
    Probe(
        id="hardware",
        language="powershell",
        purpose="how many processors and how much memory there is, from WMI",
        script=powershell_source("secret_server/host/hardware.ps1"),
        readers=((Hardware, readers.hardware),),
        needs=(rights.WMI,),
        sample='{"processors": 4, "memory_bytes": 17179869184}',
    ),
    Probe(
        id="app-pool-state",
        language="powershell",
        purpose="whether each application pool runs, from IIS's WMI provider",
        script=powershell_source("secret_server/iis/app-pool-state.ps1"),
        readers=((PoolStates, readers.pool_states),),
        needs=(rights.IIS_WMI,),
        sample='{"pools": [{"name": "SecretServerAppPool", "state": 1}, {"name": "DefaultAppPool", "state": 1}]}',
    ),
    Probe(
        id="pending-reboot",
        language="powershell",
        purpose="whether Windows waits for a restart, from the registry; of files to be renamed only how many",
        script=powershell_source("secret_server/host/pending-reboot.ps1"),
        readers=((PendingReboot, readers.pending_reboot),),
        needs=(rights.ANY,),
        sample='{"servicing": false, "windows_update": false, "file_renames": 0, "active_name": "WEB1", '
        '"next_name": "WEB1"}',
    ),
    Probe(
        id="monitoring-agent",
        language="powershell",
        purpose="whether Microsoft's monitoring agent and its APM are installed, from the registry",
        script=powershell_source("secret_server/host/monitoring-agent.ps1"),
        readers=((MonitoringAgent, readers.monitoring_agent),),
        needs=(rights.ANY,),
        sample='{"agent": false, "apm": false, "apm_start": null}',
    ),
    Probe(
        id="iis-authentication",
        language="powershell",
        purpose="which ways of authentication are on, from applicationHost.config and the application's web.config",
        script=powershell_source("secret_server/iis/iis-authentication.ps1"),
        parts=ROOTS,
        readers=((IisAuthentication, readers.iis_authentication),),
        parameters=("web_root",),
        needs=(rights.WEB_ROOT, rights.IIS_CONFIGURATION),
        sample='{"denied": [], "places": [], "folders": [{"path": "C:\\\\inetpub\\\\wwwroot\\\\SecretServer", '
        '"mode": "", "error": "", "sections": []}]}',
    ),
    Probe(
        id="disks",
        language="powershell",
        purpose="size and free space of the fixed drives, and the folders of SQL Server's data, from the registry",
        script=powershell_source("secret_server/host/disks.ps1"),
        readers=((Disks, readers.disks),),
        needs=(rights.ANY,),
        sample='{"system": "C:", "drives": [{"name": "C:\\\\", "total_bytes": 120000000000, '
        '"free_bytes": 80000000000}], "sql_folders": []}',
    ),
)
