"""What has to be done by hand where an upgrade of Secret Server crosses a version, one row each."""

from __future__ import annotations

from dataclasses import dataclass

from checks.secret_server.vendor import AUTHENTICATION_URL, DOTNET_48_URL, DOTNET_451_URL, PIPELINE_URL


@dataclass(frozen=True, slots=True)
class Crossing:
    """Something to do on the way from below `at` to `at` or beyond, before the installer is opened."""

    id: str
    at: str
    title: str
    """An imperative; "{nodes}" stands for the names of the web nodes."""
    source: str
    url: str = ""
    command: str = ""
    """For each web node; "{pool}" stands for its application pool, quoted."""
    notes: tuple[str, ...] = ()
    shows: str = ""
    check: str = ""
    """The check that shows it, where there is one."""
    documented: tuple[str, ...] = ()
    integrated_only: bool = False
    """Only where users log in with Integrated Windows Authentication, or where that is not declared."""
    stopped: bool = False
    """True for what the old version may not run with: done once the other nodes are stopped."""


_SET = "%windir%\\System32\\inetsrv\\appcmd.exe set apppool {pool} "

CROSSINGS: tuple[Crossing, ...] = (
    Crossing(
        "install-dotnet-451",
        "8.5.000000",
        "Install the .NET Framework 4.5.1 or later, and PowerShell 3.0 or later, on {nodes}",
        "Secret Server moving to .NET Framework 4.5.1 (KB a388)",
        url=DOTNET_451_URL,
        notes=("Both may ask for a restart of the machine: restart one node at a time.",),
        shows="pass",
        check="dotnet-framework",
        documented=("web-clustering dotnet",),
    ),
    Crossing(
        "set-pool-runtime",
        "8.5.000000",
        "Set the .NET CLR version of the application pool to v4.0 on {nodes}",
        "Secret Server moving to .NET Framework 4.5.1 (KB a388)",
        url=DOTNET_451_URL,
        command=_SET + "/managedRuntimeVersion:v4.0",
        notes=("The document has it changed by hand, and the site is down meanwhile.",),
        shows="pass",
        check="app-pool-settings",
        documented=("web-clustering dotnet",),
        stopped=True,
    ),
    Crossing(
        "set-pool-pipeline",
        "10.0.000000",
        "Set the application pool to the Integrated pipeline mode on {nodes}",
        "Configuring IIS for installing or upgrading to Secret Server 10",
        url=PIPELINE_URL,
        command=_SET + "/managedPipelineMode:Integrated",
        shows="pass",
        check="iis-integrated-pipeline",
        documented=("web-clustering pipeline",),
        stopped=True,
    ),
    Crossing(
        "set-iis-authentication",
        "10.0.000000",
        "Set IIS's authentication for Integrated Windows Authentication on {nodes}",
        "Setting up Integrated Windows Authentication in Secret Server 10.0",
        url=AUTHENTICATION_URL,
        notes=(
            (
                "With Integrated Windows Authentication only Windows authentication is enabled in IIS; without "
                "it, Forms and "
                "Anonymous only."
            ),
        ),
        shows="pass",
        check="iis-authentication",
        documented=("web-clustering pipeline",),
        stopped=True,
        integrated_only=True,
    ),
    Crossing(
        "leave-maintenance-mode",
        "10.1.000000",
        "Turn Secret Server's Maintenance Mode off before the installer is opened",
        "Secret Server release notes, 10.1",
        notes=("From a version below 10.1 the installer's database step fails while Maintenance Mode is on.",),
        shows="Maintenance Mode is off in the administration pages",
    ),
    Crossing(
        "set-load-user-profile",
        "10.2.000000",
        "Set Load User Profile of the application pool to True on {nodes}",
        "Secret Server release notes, 10.2",
        command=_SET + "/processModel.loadUserProfile:true",
        shows="pass",
        check="app-pool-settings",
        stopped=True,
    ),
    Crossing(
        "let-saml-config-be-written",
        "10.2.000000",
        "Let the account of the application pool write saml.config on {nodes}, where SAML is in use",
        "Secret Server release notes, 10.2",
        notes=("The upgrade migrates saml.config; afterwards it has to be the same on all nodes.",),
        shows="the file is not read-only, and the pool's account has Modify on it",
    ),
    Crossing(
        "install-dotnet-48",
        "10.9.000005",
        "Install the .NET Framework 4.8 or later on {nodes}, and on every distributed engine",
        "Upgrading to .NET Framework 4.8",
        url=DOTNET_48_URL,
        notes=(
            "10.9.000005 exists to stop where it is missing; the release note of 10.9.000000 asks for it already.",
            "It may ask for a restart of the machine: restart one node at a time.",
        ),
        shows="pass",
        check="dotnet-framework",
    ),
)
"""In the order in which they are done."""
