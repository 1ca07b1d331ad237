"""The questions about the Windows hosts themselves."""

from __future__ import annotations

from checks.computer_facts import ComputerName
from checks.disk_facts import Disks
from checks.secret_server.facts.host import Hardware, MonitoringAgent, PendingReboot, PoolStates
from checks.secret_server.iis.places import IisAuthentication
from scanner.probes import rights
from scanner.probes import secret_server_host_readers as readers
from scanner.probes.powershell_batch import part
from scanner.probes.probe import Probe

HOST_PROBES: tuple[Probe, ...] = (
    Probe(
        "computer-name",
        "powershell",
        "what the machine calls itself and its domain, from the registry",
        part("computer-name.ps1"),
        ((ComputerName, readers.computer_name),),
        needs=(rights.ANY,),
    ),
    Probe(
        "hardware",
        "powershell",
        "how many processors and how much memory there is, from WMI",
        part("hardware.ps1"),
        ((Hardware, readers.hardware),),
        needs=(rights.WMI,),
    ),
    Probe(
        "app-pool-state",
        "powershell",
        "whether each application pool runs, from IIS's WMI provider",
        part("app-pool-state.ps1"),
        ((PoolStates, readers.pool_states),),
        needs=(rights.IIS_WMI,),
    ),
    Probe(
        "pending-reboot",
        "powershell",
        "whether Windows waits for a restart, from the registry; of files to be renamed only how many",
        part("pending-reboot.ps1"),
        ((PendingReboot, readers.pending_reboot),),
        needs=(rights.ANY,),
    ),
    Probe(
        "monitoring-agent",
        "powershell",
        "whether Microsoft's monitoring agent and its APM are installed, from the registry",
        part("monitoring-agent.ps1"),
        ((MonitoringAgent, readers.monitoring_agent),),
        needs=(rights.ANY,),
    ),
    Probe(
        "iis-authentication",
        "powershell",
        "which ways of authentication are on, from applicationHost.config and the application's web.config",
        part("iis-authentication.ps1"),
        ((IisAuthentication, readers.iis_authentication),),
        parameters=("web_root",),
        needs=(rights.WEB_ROOT, rights.IIS_CONFIGURATION),
    ),
    Probe(
        "disks",
        "powershell",
        "size and free space of the fixed drives, and the folders of SQL Server's data, from the registry",
        part("disks.ps1"),
        ((Disks, readers.disks),),
        needs=(rights.ANY,),
    ),
)
