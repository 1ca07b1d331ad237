"""What is known of a Windows host of a Secret Server cluster, beside its configuration."""

from __future__ import annotations

from checks.common.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class PowershellVersion:
    """The PowerShell that answers."""

    text: str
    """$PSVersionTable.PSVersion: "5.1.17763.5202"."""


@dataclass(frozen=True, slots=True)
class Hardware:
    """Processors and memory of a host, from WMI."""

    processors: int
    """Logical ones: what a virtual machine calls its processors."""
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class PoolStates:
    """Whether the application pools run, from IIS's own WMI provider."""

    states: tuple[tuple[str, int], ...]
    """Each pool with its state: 0 starting, 1 started, 2 stopping, 3 stopped, 4 unknown."""
    provider_missing: bool = False
    """True where IIS's WMI provider, an optional feature of Windows, is not installed; no state is known then."""


@dataclass(frozen=True, slots=True)
class PendingReboot:
    """What of Windows waits for a restart, from the registry."""

    servicing: bool
    """Component Based Servicing: roles, features, updates."""
    windows_update: bool
    file_renames: int
    """Paths that are renamed or deleted at the next start; the paths themselves stay on the node."""
    rename_to: str
    """The computer name that the next start brings; empty where it stays."""


@dataclass(frozen=True, slots=True)
class MonitoringAgent:
    """Microsoft's monitoring agent (SCOM), from the registry's services."""

    agent: bool
    """Service HealthService is installed."""
    apm: bool
    """Service System Center Management APM is installed, which profiles IIS's processes."""
    apm_start: int | None
    """How it starts: 2 automatically, 3 on demand, 4 disabled; None where that is not recorded."""
