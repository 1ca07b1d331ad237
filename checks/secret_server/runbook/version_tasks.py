"""What has to be done by hand where an upgrade of Secret Server crosses a version, one row each with its source."""

from __future__ import annotations

from checks.common.dataclass import dataclass
from checks.secret_server.iis.appcmd import APPCMD
from checks.secret_server.urls import (
    AUTHENTICATION_URL,
    DOTNET_48_URL,
    DOTNET_451_URL,
    IWA_URL,
    MAINTENANCE_URL,
    PIPELINE_URL,
    RABBITMQ_URL,
    RELEASE_106_URL,
    RELEASE_109_URL,
    RESTORE_URL,
    SAML_URL,
    SINGLE_URL,
)

GATE, BEFORE, STOPPED, AFTER, BACK = "gate", "before", "stopped", "after", "back"
"""When a row is done: before the window; before the pools are stopped; once those of the other nodes are, for what the
old version may not run with; once all nodes run the new version; on the way back."""

TRAITS: dict[str, tuple[str, str]] = {
    "integrated": ("users log in with Integrated Windows Authentication", "`integrated_windows_auth`"),
    "engines": ("distributed engines are in use", "`distributed_engines`"),
    "rabbitmq": ("RabbitMQ is in use", "`rabbitmq`"),
    "recording": ("advanced session recording is in use", "`session_recording`"),
    "saml": ("users log in with SAML", "`saml`"),
    "tms": ("Privilege Manager is installed", ""),
    "top-level": ("Secret Server is the top of its web site", ""),
    "cluster": ("there is more than one web node", ""),
}
"""What decides whether a row concerns a site: in words, and the key of the inventory that says so, where one does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionTask:
    """Something to do on the way from below `at` to `at` or beyond."""

    id: str
    at: str
    title: str
    """An imperative; "{nodes}" stands for the names of the web nodes, "{first}" for that of the first."""
    source: str
    url: str = ""
    commands: tuple[str, ...] = ()
    """For each web node: "{pool}" stands for its application pool, "{root}" for its folder without quotes,
    "{app}" for site and path without quotes."""
    looks: tuple[str, ...] = ()
    """Likewise, what shows it."""
    language: str = "cmd"
    """Of both."""
    elsewhere: str = ""
    """The machine that they are for, where it is no web node."""
    notes: tuple[str, ...] = ()
    shows: str = ""
    check: str = ""
    """The check that shows it, where there is one."""
    documented: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    """Words of `TRAITS`, all of which have to be so, or not be known."""
    moment: str = BEFORE
    sets: tuple[str, str] = ("", "")
    """The setting of a pool that it sets, as appcmd calls it, and its value: the way back sets the old one."""


_AUTHENTICATION = "-section:system.webServer/security/authentication/"


def _opened(folder: str, *, windows: bool) -> tuple[str, ...]:
    """The commands that let anonymous users into a folder of the application, with or without Windows' own login."""
    place = f'"{{app}}/{folder}"'
    kinds = {"anonymous": True, "windows": windows, "basic": False, "digest": False}
    return tuple(
        f"{APPCMD} set config {place} {_AUTHENTICATION}{kind}Authentication /enabled:{str(on).lower()} /commit:apphost"
        for kind, on in kinds.items()
        if kind in ("anonymous", "windows")
    )


def _seen(folder: str) -> tuple[str, ...]:
    return tuple(
        f'{APPCMD} list config "{{app}}/{folder}" {_AUTHENTICATION}{kind}Authentication'
        for kind in ("anonymous", "windows")
    )


_IWA_FOLDERS = ("integrations", "api/DistributedEngine")

VERSION_TASKS: tuple[VersionTask, ...] = (
    VersionTask(
        id="install-dotnet-451",
        at="8.5.000000",
        title="Install the .NET Framework 4.5.1 or later, and PowerShell 3.0 or later, on {nodes}",
        source="Secret Server moving to .NET Framework 4.5.1 (KB a388)",
        url=DOTNET_451_URL,
        notes=("Both may ask for a restart of the machine: restart one node at a time.",),
        shows="pass",
        check="dotnet-framework",
        documented=("web-clustering dotnet",),
    ),
    VersionTask(
        id="set-pool-runtime",
        at="8.5.000000",
        title="Set the .NET CLR version of the application pool to v4.0 on {nodes}",
        source="Secret Server moving to .NET Framework 4.5.1 (KB a388)",
        url=DOTNET_451_URL,
        sets=("managedRuntimeVersion", "v4.0"),
        notes=("The document has it changed by hand, and the site is down meanwhile.",),
        shows="pass",
        check="app-pool-settings",
        documented=("web-clustering dotnet",),
        moment=STOPPED,
    ),
    VersionTask(
        id="set-pool-pipeline",
        at="10.0.000000",
        title="Set the application pool to the Integrated pipeline mode on {nodes}",
        source="Configuring IIS for installing or upgrading to Secret Server 10",
        url=PIPELINE_URL,
        sets=("managedPipelineMode", "Integrated"),
        shows="pass",
        check="iis-integrated-pipeline",
        documented=("web-clustering pipeline",),
        moment=STOPPED,
    ),
    VersionTask(
        id="set-iis-authentication",
        at="10.0.000000",
        title="Set IIS's authentication for Integrated Windows Authentication on {nodes}",
        source="Setting up Integrated Windows Authentication in Secret Server 10.0",
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
        moment=STOPPED,
        needs=("integrated",),
    ),
    VersionTask(
        id="leave-maintenance-mode",
        at="10.1.000000",
        title="Turn Secret Server's Maintenance Mode off before the installer is opened",
        source="Secret Server release notes, 10.1",
        url=MAINTENANCE_URL,
        notes=("From a version below 10.1 the installer's database step fails while Maintenance Mode is on.",),
        shows="Maintenance Mode is off in the administration pages",
    ),
    VersionTask(
        id="set-load-user-profile",
        at="10.2.000000",
        title="Set Load User Profile of the application pool to True on {nodes}",
        source="Secret Server release notes, 10.2",
        sets=("processModel.loadUserProfile", "true"),
        shows="pass",
        check="app-pool-settings",
        moment=STOPPED,
    ),
    VersionTask(
        id="let-saml-config-be-written",
        at="10.2.000000",
        title="Let the account of the application pool write saml.config on {nodes}",
        source="Secret Server release notes, 10.2; Troubleshooting SAML Configuration Errors After Upgrading",
        url=SAML_URL,
        looks=('icacls "{root}\\saml.config"', 'attrib "{root}\\saml.config"'),
        notes=("The upgrade rewrites saml.config in a new format; where it may not, nobody logs in with SAML.",),
        shows="the pool's account, or a group of it, with (M) or (F), and no R among the attributes",
        documented=("ss-saml write",),
        needs=("saml",),
    ),
    VersionTask(
        id="share-saml-config",
        at="10.2.000000",
        title="See that saml.config in its new format is the same on {nodes}",
        source="Secret Server release notes, 10.2; Troubleshooting SAML Configuration Errors After Upgrading",
        url=SAML_URL,
        looks=('certutil -hashfile "{root}\\saml.config" SHA256',),
        notes=(
            (
                "Where it differs, copy that of {first} to the node and restart its pools. Where it was not "
                "converted on "
                "{first} either, let the pool's account write it, restart the pool and log in again."
            ),
        ),
        shows="the same SHA-256 for each node; and a login with SAML works on each",
        documented=("ss-saml copy",),
        needs=("saml", "cluster"),
        moment=AFTER,
    ),
    VersionTask(
        id="open-engine-folders",
        at="10.6.000000",
        title="Open the folders integrations and api\\DistributedEngine to the engines, on {nodes}",
        source="Secret Server release notes, 10.6; Configuring Integrated Windows Authentication, task 4",
        url=IWA_URL,
        commands=(
            'if not exist "{root}\\integrations" mkdir "{root}\\integrations"',
            'if not exist "{root}\\api\\DistributedEngine" mkdir "{root}\\api\\DistributedEngine"',
            *_opened(_IWA_FOLDERS[0], windows=True),
            *_opened(_IWA_FOLDERS[1], windows=False),
        ),
        looks=(*_seen(_IWA_FOLDERS[0]), *_seen(_IWA_FOLDERS[1])),
        notes=(
            "Without it no engine reaches Secret Server: no heartbeat, no password change beyond the web nodes.",
            (
                "Both folders let anonymous users in; Windows authentication is on for integrations, off for "
                "api\\DistributedEngine, all else off on both. It is a setting of each node's IIS, and no copy "
                "brings it."
            ),
        ),
        shows="enabled as told, for each folder of each node; and each engine is online: Admin, Distributed Engine",
        documented=("ss-iwa folders", "ss-iwa integrations", "ss-iwa engine"),
        needs=("integrated", "engines"),
        moment=AFTER,
    ),
    VersionTask(
        id="deploy-recording-agent",
        at="10.6.000000",
        title="Have the new agent for advanced session recording ready to be rolled out",
        source="Secret Server release notes, 10.6: the RDP Monitoring Agent of Privilege Manager records no "
        "keystrokes any more",
        url=RELEASE_106_URL,
        shows="the package is there, and whoever rolls it out knows the day",
        needs=("recording",),
        moment=GATE,
    ),
    VersionTask(
        id="clear-rabbitmq-queues",
        at="10.6.000000",
        title="Clear the old queues of RabbitMQ, once all engines are online",
        source="Upgrading Secret Server: important to customers who upgrade to 10.6 or later and use RabbitMQ",
        url=RABBITMQ_URL,
        language="powershell",
        elsewhere="the RabbitMQ host",
        commands=(". .\\RMQ_QueueRemoval.ps1", "ShowAllQueues", "ShowQueuesNoConsumer", "DeleteQueuesNoConsumer"),
        looks=("ShowQueuesNoConsumer",),
        notes=(
            (
                "10.6 calls its queues otherwise: the old ones go on filling up, with nobody who reads them. Nothing "
                "else "
                "is lost by waiting until morning."
            ),
            (
                "The script is in the vendor's RMQ_QueueRemoval.zip; hold its SHA-256 against that on the page, and "
                "type "
                "this in the folder where it was unpacked. Read what the second and third line list before the "
                "fourth: a "
                "queue whose engine is off has no reader either."
            ),
        ),
        shows="no queue without a reader",
        documented=("ss-rabbitmq clear",),
        needs=("rabbitmq",),
        moment=AFTER,
    ),
    VersionTask(
        id="install-dotnet-48",
        at="10.9.000005",
        title="Install the .NET Framework 4.8 or later on {nodes}",
        source="Upgrading to .NET Framework 4.8",
        url=DOTNET_48_URL,
        notes=(
            "10.9.000005 exists to stop where it is missing; the release note of 10.9.000000 asks for it already.",
            "It may ask for a restart of the machine: restart one node at a time.",
        ),
        shows="pass",
        check="dotnet-framework",
    ),
    VersionTask(
        id="install-dotnet-48-engines",
        at="10.9.000005",
        title="Install the .NET Framework 4.8 or later on every distributed engine: Admin, Distributed Engine lists "
        "them",
        source="Upgrading to .NET Framework 4.8, distributed engines",
        url=DOTNET_48_URL,
        language="powershell",
        elsewhere="each engine",
        looks=(r"(Get-ItemProperty -LiteralPath 'HKLM:\SOFTWARE\Microsoft\NET Framework Setup\NDP\v4\Full').Release",),
        notes=(
            (
                "Engines upgrade themselves with the site. One without it fails to, and stays away until it is "
                "installed; "
                "the installer asks before it goes on where a connected one lacks it."
            ),
        ),
        shows="528040 or more on each: that is 4.8, though the page Diagnostics calls it 4.5.1.528040",
        documented=("ss-dotnet engines",),
        needs=("engines",),
        moment=GATE,
    ),
    VersionTask(
        id="hold-protocol-handler",
        at="10.9.000005",
        title="Set Enable Protocol Handler Auto-Update to No, unless all desktops that launch sessions have "
        ".NET Framework 4.8",
        source="Upgrading to .NET Framework 4.8, protocol handler",
        url=DOTNET_48_URL,
        notes=(
            "Admin, Configuration. An older protocol handler goes on working; a new one fails where 4.8 is missing.",
        ),
        shows="No, or the proof that the desktops have 4.8",
        documented=("ss-dotnet handler",),
        moment=GATE,
    ),
    VersionTask(
        id="ask-about-privilege-manager",
        at="10.9.000005",
        title="Ask the vendor's support before anything of .NET, Secret Server or Privilege Manager is upgraded on "
        "{nodes}",
        source="Secret Server release notes, 10.9.000033, marked as important",
        url=RELEASE_109_URL,
        notes=(
            (
                "Where Secret Server is the top of its web site and Privilege Manager is there, too, its agents may "
                "register "
                "no more after .NET Framework 4.8, or find no policies."
            ),
        ),
        shows="the support's answer, in writing, and what it asks for is in this plan",
        documented=("ss-release privilege-manager",),
        needs=("tms", "top-level"),
        moment=GATE,
    ),
    VersionTask(
        id="wait-after-91",
        at="10.0.000000",
        title="Reckon with up to a day between 9.1 and the next version, and plan the window for it",
        source="Upgrading Secret Server, marked as important",
        url=SINGLE_URL,
        notes=(
            (
                "Coming from 9.1 Secret Server may have to work through its changes first: opening the installer "
                "then leads "
                "back to the home page. Nothing is broken; try again later, at the latest after 24 hours, then ask "
                "the support."
            ),
        ),
        shows="the installer's page opens, and stays",
        documented=("ss-single wait",),
        moment=GATE,
    ),
    VersionTask(
        id="switch-fips-off",
        at="",
        title="See that Windows does not run in FIPS mode on {nodes}",
        source="Restoring Secret Server from a Backup",
        url=RESTORE_URL,
        looks=('reg query "HKLM\\SYSTEM\\CurrentControlSet\\Control\\Lsa\\FipsAlgorithmPolicy" /v Enabled',),
        notes=(
            "With it the restored application ends in an error. Where a group policy sets it, switch it off there.",
        ),
        shows="Enabled REG_DWORD 0x0 on each",
        documented=("ss-restore fips",),
        moment=BACK,
    ),
)
"""Of one moment in the order in which they are done."""
