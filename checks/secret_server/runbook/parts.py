"""The runbook of a Secret Server upgrade: what is done once, what at each hop, and what at the other site."""

from __future__ import annotations

from collections.abc import Iterable

from checks.engine.upgrade_path import UpgradePath, UpgradeStep
from checks.engine.wording import enumerate_names
from checks.runbook.commands import cmd_on
from checks.runbook.model import Part, Proof, Side, Step, asked
from checks.secret_server.runbook import backup, hop, other_site, version_task_steps
from checks.secret_server.runbook.recovery.restore import hops as hops_of
from checks.secret_server.runbook.site import Site, named
from checks.secret_server.runbook.version_tasks import GATE
from checks.secret_server.urls import MAINTENANCE_URL
from checks.versions import parse_secret_server

_CHECKLIST = "Secret Server upgrade checklist, current"
_CLUSTERING = "Upgrading Secret Server with Web Clustering"
_TWO_STEP = "10.9.000005"


def parts(site: Site, path: UpgradePath) -> tuple[Part, ...]:
    """The chapters of the runbook, in order."""
    hops = hops_of(path)
    chapters = [Part("Before the window opens", tuple(_gate(site, path)))]
    for number, (source, stop) in enumerate(hops, 1):
        first, last = number == 1, number == len(hops)
        title = f"Hop {number} of {len(hops)}: {source} to {stop.version}"
        taken = tuple(hop.steps(site, source, stop, first=first, last=last))
        chapters.append(Part(title, taken, _intro(stop), asked(stop, site.moot)))
    if site.spares:
        chapters.append(Part(f"The other site: {named(site.spares)}", tuple(other_site.steps(site, path.target))))
    chapters.append(Part("Afterwards", tuple(_afterwards(site, path))))
    return tuple(chapters)


def _intro(stop: UpgradeStep) -> tuple[str, ...]:
    told = []
    if stop.stone:
        told.append(f"A stop that the vendor asks for: {stop.stone.text} ({stop.stone.source}).")
    if stop.version == _TWO_STEP:
        told.append(
            "It is the first of two mandatory steps: 10.9.000005, then 10.9.000033 or later. It exists to stop where "
            ".NET Framework 4.8 is missing."
        )
    return tuple(told)


def _gate(site: Site, path: UpgradePath) -> Iterable[Step]:
    first = site.first
    versions = enumerate_names([stop.version for stop in path.hops])
    yield Step(
        id="have-access",
        title=f"Have the credentials at hand, and try them: {site.hosts}, an administrator of Secret Server",
        notes=(
            "An emergency copy of the passwords needed in this window must not lie in this vault alone.",
            "Command prompts and PowerShell are opened as administrator throughout: without it IIS answers nobody.",
        ),
        proof=Proof("a log-in on each of them, not from memory but tried today"),
        documented=("web-clustering before-1",),
    )
    yield Step(
        id="have-packages",
        title=f"Have the upgrade package of {versions} at hand, downloaded from the vendor",
        notes=("The installer may offer the newest version alone, and no stop on the way to it.",),
        proof=Proof(f"each file is on {first.name}, and opens as an archive to its end"),
    )
    for source, stop in hops_of(path):
        yield from version_task_steps.due(site, source, stop, GATE)
    if site.dpapi != "off":
        yield _decrypt(site)
    if any(web.efs for web in site.webs):
        yield _leave_efs(site)
    yield from backup.rehearsal(site, str(path.current))
    yield Step(
        id="keep-plain-key",
        title=f"Keep a plain encryption.config of {first.name} in a safe place that is neither this site nor this "
        "vault",
        notes=(
            "Plain means: not under DPAPI and not under EFS. A protected copy is worth nothing on another machine.",
            "Never overwrite or delete the original.",
        ),
        proof=Proof(
            "a second person has seen the file in its safe place, with today's date; and, where the "
            "inventory says where "
            "the backups lie, pass",
            (site.scan("backup-recent", phase="before"),),
        ),
    )
    yield Step(
        id="take-snapshots",
        title=f"Take snapshots of {site.hosts}, where they are virtual machines",
        notes=("A snapshot of the database host is no substitute for the backup of the database.",),
        proof=Proof("each snapshot is listed as complete"),
    )
    # Asked for the final target, the gate could never be passed: that there are stops is what the plan answers.
    stops = len(path.hops) > 1
    yield Step(
        id="pass-the-gate",
        title="Scan once more, right before the window",
        commands=(site.scan(phase="before", target=path.hops[0].version if stops else ""),),
        notes=(f"It asks for the first hop, {path.hops[0].version}; what the later ones need stands at each.",)
        if stops
        else (),
        proof=Proof("GO"),
    )


def _leave_efs(site: Site) -> Step:
    under = [web for web in site.webs if web.efs]
    return Step(
        id="decide-on-efs",
        title=f"Decide whether the files of {named(under)} leave EFS before the upgrade",
        notes=(
            "EFS is bound to the account of the application pool: keep that account, and decrypt as that account only.",
            "Whatever you decide, a plain copy of encryption.config has to be kept in a safe place.",
        ),
        proof=Proof(
            "who can decrypt the file, or that it is not encrypted",
            tuple(cmd_on(web.name, f"cipher /c {site.file(web, 'encryption.config')}") for web in under),
        ),
        sides=(
            Side("turn EFS off on each node before the upgrade", _CHECKLIST),
            Side("nothing to do: a copy under EFS is not needed, and does no harm under the same account", _CLUSTERING),
        ),
        documented=("web-clustering encryption-3",),
    )


def _decrypt(site: Site) -> Step:
    where = "" if site.dpapi == "on" else ", where it is on"
    known = "DPAPI is on" if site.dpapi == "on" else "Whether DPAPI is on is not declared; where it is"
    return Step(
        id="turn-dpapi-off",
        title=f"Turn DPAPI off on {named(site.webs)}{where}: Admin, Configuration, Security, Decrypt Key to not use "
        "DPAPI",
        commands=tuple(site.address(web, "/") for web in site.webs),
        notes=(
            "In this order: first plain, then the backups, so that they hold a key that works anywhere.",
            f"{known}, every node has its own encryption.config, and a copy of it works on no other machine.",
            "With a hardware security module DPAPI is not required at all.",
            "Until it is on again, encryption-config-match warns that the files are the same: that is as it should be.",
        ),
        proof=Proof("the Security page of each node no longer offers to decrypt the key"),
        sides=(
            Side("turn DPAPI off on each node before the upgrade", _CHECKLIST),
            Side("only where the two files must be copied, because the database's settings changed", _CLUSTERING),
        ),
        documented=("web-clustering encryption-1", "web-clustering encryption-2"),
    )


def _leave_maintenance(site: Site) -> Step:
    return Step(
        id="leave-maintenance-mode",
        title=f"Turn Maintenance Mode off on {named(site.webs)}: Admin, Server Nodes, Maintenance Mode",
        commands=tuple(site.address(web, "/") for web in site.webs[:1]),
        notes=("While it is on, nobody can change a secret, and Secret Server changes no password by itself.",),
        proof=Proof("Server Nodes shows Disabled for each node, and the bar that tells of it is gone"),
        url=MAINTENANCE_URL,
    )


def _afterwards(site: Site, path: UpgradePath) -> Iterable[Step]:
    if site.dpapi != "off":
        yield Step(
            id="turn-dpapi-on",
            title=f"Turn DPAPI on again on {named(site.webs)}, where it was on before",
            commands=tuple(site.address(web, "/") for web in site.webs),
            proof=Proof("the Security page of each node says that the key is protected"),
        )
    if parse_secret_server(path.target) >= hop.MAINTENANCE_SINCE:
        yield _leave_maintenance(site)
    yield Step(
        id="open-outside-access",
        title="Let the users in again",
        proof=Proof("a user's log-in works through the load balancer"),
    )
    yield Step(
        id="scan-after",
        title="Scan once more, to what is expected after the window",
        commands=(site.scan(phase="after"),),
        proof=Proof("GO"),
    )
