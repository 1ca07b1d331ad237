"""What the PowerShell probes about the host itself answer on a recorded machine, line for line as the scripts do."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from scanner.lab.machines.secret_server.authentication import iis_authentication
from scanner.lab.machines.secret_server.probes import Session, Value, text_of
from scanner.lab.machines.windows.machine import AccessError
from scanner.probes.secret_server.host.outbound import TARGETS


def app_pool_state(session: Session) -> Value:
    """app-pool-state.ps1."""
    states = session.machine.pool_states()
    return {"pools": [{"name": name, "state": state} for name, state in states.items()]}


def windows_connections(session: Session) -> Value:
    """windows-connections.ps1."""
    return {"connections": session.machine.tcp_connections()}


def pending_reboot(session: Session) -> Value:
    """pending-reboot.ps1."""
    machine = session.machine
    current = "HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\"
    control = "HKLM\\SYSTEM\\CurrentControlSet\\Control\\"
    renames = 0
    for value in ("PendingFileRenameOperations", "PendingFileRenameOperations2"):
        paths = machine.registry_value(control + "Session Manager", value) or []
        renames += sum(path != "" for path in (paths if isinstance(paths, list) else [paths])[::2])
    return {
        "servicing": machine.has_registry_key(current + r"Component Based Servicing\RebootPending"),
        "windows_update": machine.has_registry_key(current + r"WindowsUpdate\Auto Update\RebootRequired"),
        "file_renames": renames,
        "active_name": text_of(machine.registry_value(control + r"ComputerName\ActiveComputerName", "ComputerName")),
        "next_name": text_of(machine.registry_value(control + r"ComputerName\ComputerName", "ComputerName")),
    }


def monitoring_agent(session: Session) -> Value:
    """monitoring-agent.ps1."""
    machine = session.machine
    services = "HKLM\\SYSTEM\\CurrentControlSet\\Services\\"
    return {
        "agent": machine.has_registry_key(services + "HealthService"),
        "apm": machine.has_registry_key(services + "System Center Management APM"),
        "apm_start": machine.registry_value(services + "System Center Management APM", "Start"),
    }


def disks(session: Session) -> Value:
    """disks.ps1."""
    machine = session.machine
    base = "HKLM\\SOFTWARE\\Microsoft\\Microsoft SQL Server\\"
    folders = []
    for name in machine.registry_value_names(base + r"Instance Names\SQL"):
        instance = base + text_of(machine.registry_value(base + r"Instance Names\SQL", name))
        for key, value in (("MSSQLServer", "DefaultData"), ("MSSQLServer", "DefaultLog"), ("Setup", "SQLDataRoot")):
            folders.append(text_of(machine.registry_value(rf"{instance}\{key}", value)))
    drives = [{"name": name, "total_bytes": total, "free_bytes": free} for name, total, free in machine.drives]
    return {"system": machine.expand("%SystemDrive%"), "drives": drives, "sql_folders": [f for f in folders if f]}


def outbound_access(session: Session) -> Value:
    """outbound-access.ps1."""
    if not session.options.get("online"):
        return {"asked": False, "attempts": [], "proxies": [], "proxy_error": ""}
    machine = session.machine
    software = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Internet Settings"
    policies = r"HKLM\SOFTWARE\Policies\Microsoft\Windows\CurrentVersion\Internet Settings"
    proxies, problem = [], ""
    try:
        winhttp = text_of(machine.registry_value(software + r"\Connections", "WinHttpSettings"))
        if len(winhttp) >= 18 and int(winhttp[16:18], 16) & 2:
            proxies.append("WinHTTP")
        for key in (software, policies):
            enabled = text_of(machine.registry_value(key, "ProxyEnable")) == "1"
            if (enabled or machine.registry_value(key, "AutoConfigURL")) and "WinINET" not in proxies:
                proxies.append("WinINET")
    except AccessError as error:
        problem = error.line
    targets = (target.rpartition(":") for target in TARGETS)
    attempts = [machine.connection(host, int(port)) for host, _, port in targets]
    return {"asked": True, "attempts": attempts, "proxies": proxies, "proxy_error": problem}


HOST_EMULATIONS: Mapping[str, Callable[[Session], Value]] = {
    "app-pool-state": app_pool_state,
    "windows-connections": windows_connections,
    "pending-reboot": pending_reboot,
    "monitoring-agent": monitoring_agent,
    "disks": disks,
    "iis-authentication": iis_authentication,
    "outbound-access": outbound_access,
}
