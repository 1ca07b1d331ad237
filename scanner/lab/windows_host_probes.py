"""What the PowerShell probes about the host itself answer on a recorded machine, line for line as the scripts do."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from scanner.lab.windows_probes import Session, Value


def app_pool_state(session: Session) -> Value:
    """app-pool-state.ps1."""
    states = session.machine.pool_states()
    return {"pools": [{"name": name, "state": state} for name, state in states.items()]}


def pending_reboot(session: Session) -> Value:
    """pending-reboot.ps1."""
    machine = session.machine
    current = "HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\"
    control = "HKLM\\SYSTEM\\CurrentControlSet\\Control\\"
    renames = _text(machine.registry_value(control + "Session Manager", "PendingFileRenameOperations"))
    return {
        "servicing": machine.has_registry_key(current + r"Component Based Servicing\RebootPending"),
        "windows_update": machine.has_registry_key(current + r"WindowsUpdate\Auto Update\RebootRequired"),
        "file_renames": 1 if renames else 0,
        "active_name": _text(machine.registry_value(control + r"ComputerName\ActiveComputerName", "ComputerName")),
        "next_name": _text(machine.registry_value(control + r"ComputerName\ComputerName", "ComputerName")),
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
        instance = base + _text(machine.registry_value(base + r"Instance Names\SQL", name))
        for key, value in (("MSSQLServer", "DefaultData"), ("MSSQLServer", "DefaultLog"), ("Setup", "SQLDataRoot")):
            folders.append(_text(machine.registry_value(rf"{instance}\{key}", value)))
    drives = [{"name": name, "total_bytes": total, "free_bytes": free} for name, total, free in machine.drives]
    return {"system": machine.expand("%SystemDrive%"), "drives": drives, "sql_folders": [f for f in folders if f]}


HOST_EMULATIONS: Mapping[str, Callable[[Session], Value]] = {
    "app-pool-state": app_pool_state,
    "pending-reboot": pending_reboot,
    "monitoring-agent": monitoring_agent,
    "disks": disks,
}


def _text(value: object) -> str:
    return "" if value is None else str(value)
