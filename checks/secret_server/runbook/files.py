"""Files of a Secret Server node: what is its own is saved, the application is copied over it, and both are merged."""

from __future__ import annotations

from collections.abc import Iterable

from checks.common.addresses import is_address
from checks.runbook.commands import cmd_on, powershell_on
from checks.runbook.model import Command, Proof, Step, Troubleshooting
from checks.runbook.windows_paths import is_same_folder
from checks.secret_server.runbook.site import TWO_FILES, Site, Web, below, named
from checks.secret_server.urls import RESOURCES_URL, ROLLING_URL

COPIED = "robocopy ends with a code below 8 where all went well."
_SETTINGS = "web*.config"
_LIBRARIES = "Oracle.DataAccess.dll sapnco*.dll"
"""Libraries that the vendor's pages have customers put into bin."""
TMS_KEYS = "tmsEncryption.config encryption.config"
_TMS_OWN = f"connectionStrings.config {TMS_KEYS}"
"""What TMS has for each machine, and its key: aspnet_regiis encrypts the one for its own machine alone."""


def save_settings(site: Site, webs: tuple[Web, ...], version: str) -> Step:
    """Keep what is set for each node alone, before new files replace it."""
    return Step(
        id="save-local-settings",
        title=f"Save what is set for {named(webs)} alone: web*.config in the root, customresources, libraries of "
        "your own",
        commands=tuple(command for web in webs for command in _save(site, web, version)),
        notes=(
            (
                "The new files replace them: web-appSettings.config, web-auth.config, web-cookie.config, "
                "web-log4net.config, mail templates. They are merged line by line after it, and never put back whole."
            ),
            f"In bin it takes {_LIBRARIES.replace(' ', ' and ')}; name further libraries of your own behind them.",
        ),
        proof=Proof(
            "web.config of each node, and what else is called so there",
            tuple(cmd_on(web.name, f"dir {_kept(site, web, version)}") for web in webs),
        ),
        documented=("ss-rolling settings",),
    )


def _save(site: Site, web: Web, version: str) -> Iterable[Command]:
    root, kept = site.root(web), _kept(site, web, version)
    resources = below(root, "customresources")
    yield cmd_on(web.name, f"robocopy {root} {kept} {_SETTINGS} /R:2 /W:5")
    yield cmd_on(web.name, f"if exist {resources} robocopy {resources} {below(kept, 'customresources')} /E /R:2 /W:5")
    yield cmd_on(web.name, f"robocopy {below(root, 'bin')} {below(kept, 'bin')} {_LIBRARIES} /R:2 /W:5")


def merge_settings(site: Site, web: Web, version: str) -> Step:
    """Hold what was saved against the new files, and put back line by line what is the node's own."""
    root, kept = site.root(web), _kept(site, web, version)
    resources = below(kept, "customresources")
    first = web is site.first
    return Step(
        id="merge-local-settings",
        title=f"Merge what was set for {web.name} alone into its new files, line by line",
        commands=(
            cmd_on(web.name, f"fc /n {below(kept, _SETTINGS)} {below(root, _SETTINGS)}"),
            cmd_on(
                web.name, f"if exist {resources} robocopy {resources} {below(root, 'customresources')} /E /L /NJH /NJS"
            ),
            cmd_on(web.name, f"robocopy {below(kept, 'bin')} {below(root, 'bin')} /L /NJH /NJS"),
        ),
        notes=(
            "These only compare: fc shows each line that differs, robocopy with /L each file, and copies nothing.",
            "Take over your own lines alone: the new files may hold what the old ones lacked.",
            *(
                ()
                if first
                else (f"What was set for {site.first.name} alone has come over with the copy: take it out here.",)
            ),
        ),
        proof=Proof("every difference left is the new version's; pass", (site.scan("web-config"),)),
        documented=("ss-rolling settings",),
        url=RESOURCES_URL if first else ROLLING_URL,
    )


def _kept(site: Site, web: Web, version: str) -> str:
    return site.saved(web, f"{version}-settings")


def copy_application(site: Site, web: Web, *, documented: tuple[str, ...], shows: str) -> Step:
    """The copy of the first node's application folder over that of `web`, without the two files."""
    first = site.first
    if is_same_folder(first.root, web.root):
        return Step(
            id="copy-application",
            title=f"See that {web.name} serves the folder that {first.name} serves: there is nothing to copy",
            notes=(f"Both have it on one file share, {web.root}: what was installed there is there for both.",),
            proof=Proof(shows, (site.file_version(web),)),
            documented=documented,
        )
    return Step(
        id="copy-application",
        title=f"Copy the application folder from {first.name} over that of {web.name}, without the two files",
        commands=(copy_command(site, first, web),),
        notes=(
            "database.config and encryption.config stay as they are on every node; log is each node's own.",
            f"{COPIED} Where the share is closed, the last part says another way.",
            *(
                (f"{web.name} keeps a file under EFS: it belongs to the account of the pool; leave it alone.",)
                * web.efs
            ),
        ),
        proof=Proof(shows, (site.file_version(web),)),
        documented=documented,
    )


def copy_command(site: Site, source: Web, target: Web) -> Command:
    """The copy of the application folder from one node over another's."""
    root = site.root(source)
    skipped = f"/XD {below(root, 'log')} /XF {TWO_FILES}"
    return cmd_on(source.name, f"robocopy {root} {site.share(target, target.root)} /E /R:2 /W:5 {skipped}")


def copy_tms(site: Site, web: Web, *, documented: tuple[str, ...]) -> Iterable[Step]:
    """The copy of TMS, where the first node has one or may have."""
    first = site.first
    if first.tms is None:
        if web.tms:
            yield Step(
                id="look-at-tms",
                title=f"Find out why IIS on {web.name} serves a TMS and {first.name} none: its folder is not "
                "upgraded here",
                notes=(f"TMS lies in {web.tms.root}; stopped and started with the node are its pools all the same.",),
                proof=Proof("somebody knows, and has decided"),
                documented=documented,
            )
        return
    source = site.names.cmd(first.tms.root, f"the TMS folder of {first.name}")
    folder = web.tms.root if web.tms else first.tms.root
    target = site.share(web, folder, "TMS")
    if is_same_folder(first.tms.root, folder):
        return
    unread = f"whether IIS on {web.name} serves a TMS is not known ({web.tms_unread})" if web.tms_unread else ""
    notes = [
        (
            "connectionStrings.config stays: Windows encrypts it for each machine by itself. The keys stay, too; the "
            "second "
            "command brings one to where there is none, and writes over nothing."
        ),
    ]
    if web.tms is None:
        notes.append(f"{unread or f'IIS on {web.name} serves no TMS'}: leave this out where it has no such folder.")
    yield Step(
        id="copy-tms",
        title=f"Copy the TMS folder from {first.name} over that of {web.name}",
        commands=(
            cmd_on(first.name, f"robocopy {source} {target} /E /R:2 /W:5 /XF {_TMS_OWN}"),
            cmd_on(first.name, f"robocopy {source} {target} {TMS_KEYS} /XC /XN /XO /R:2 /W:5"),
        ),
        notes=tuple(notes),
        proof=Proof("robocopy ends with a code below 8", (cmd_on(first.name, "echo %errorlevel%"),)),
        documented=documented,
    )


def closed_share(site: Site) -> Troubleshooting:
    """What to do where no administrative share leads to a node."""
    first = site.first
    targets = [web for web in (*site.others, *site.spares) if not is_same_folder(first.root, web.root)]
    skipped = ", ".join(f"'{name}'" for name in (*TWO_FILES.split(), "log"))
    cure = []
    for web in targets:
        host = f"'{site.reached(web)}'"
        login = " -Credential (Get-Credential)" if is_address(web.reach) else ""
        cure += [
            powershell_on(first.name, f"$node = New-PSSession -ComputerName {host}{login}"),
            powershell_on(
                first.name,
                f"Get-ChildItem -LiteralPath {site.folder_in_powershell(first)} -Force"
                f" | Where-Object {{ {skipped} -notcontains $_.Name }} | ForEach-Object {{ Copy-Item -LiteralPath"
                f" $_.FullName -Destination {site.folder_in_powershell(web)} -ToSession $node -Recurse -Force }}",
            ),
            powershell_on(first.name, "Remove-PSSession $node"),
        ]
    return Troubleshooting(
        sign="robocopy says ERROR 5 (access is denied), 53 or 67 (no such path or share), or 1326: the share is closed",
        help=(
            "Administrative shares (C$) may be switched off, or closed to your account. Nothing has been copied then.",
            (
                f"With a share of your own on the node: the same command on {first.name}, that share in the place of "
                f"\\\\NODE"
                "\\C$ and what follows up to the folder."
            ),
            (
                f"Without any: over PowerShell remoting, in one window on {first.name}, the three lines of that node "
                f"alone. "
                "It needs PowerShell 5 there, and -UseSSL where the node listens on https alone. Paths of more than "
                "260 "
                "characters it does not copy; robocopy does."
            ),
            "-Exclude of Copy-Item is not relied on: the two files are left out by name before anything is copied.",
        ),
        cure=tuple(cure),
    )
