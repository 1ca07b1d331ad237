"""Until when there is a way back from a Secret Server upgrade, what it costs, and which of its steps are for what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from checks.engine.upgrade_path import UpgradePath
from checks.engine.wording import enumerate_names
from checks.runbook.model import Step
from checks.secret_server.runbook import other_site
from checks.secret_server.runbook.recovery import restore
from checks.secret_server.runbook.site import Site, named
from checks.versions import parse_secret_server


def steps(site: Site, path: UpgradePath) -> tuple[Step, ...]:
    """The way back: for each hop the steps that undo it, then the other site's."""
    primary = restore.steps_back(site, path)
    return (*primary, *(other_site.steps_back(site) if site.spares else ()))


def told(site: Site, path: UpgradePath) -> tuple[str, ...]:
    """What has to be known before the first of those steps."""
    first = site.first.name
    return (
        (
            f"Until the installer is started on {first} nothing is lost, and no backup is needed: set back what was "
            f"set in "
            "the application pools and in IIS, turn Maintenance Mode off, start the pools that were stopped."
        ),
        (
            "The point of no return is the button Upgrade of the installer, in each hop anew: it changes the "
            "database. From "
            "then on the backups of that hop are the only way back."
        ),
        *_which(site, path),
        *_lost(site, path),
        (
            "Database and application folder have to be of the same moment: a node whose files differ from the "
            "database's "
            "version does not run."
        ),
        *_keys(site),
        *(("The other site stays on its version until the primary one is proven.",) if site.spares else ()),
        (
            "Where SQL Server was too old for the new version, the old installation does not work after rolling back "
            "either: that is why it has to be known beforehand."
        ),
    )


def _which(site: Site, path: UpgradePath) -> Iterator[str]:
    """Which steps are whose, by their numbers."""
    hops = restore.hops(path)
    place = 1
    for number, (source, hop) in enumerate(hops, 1):
        last = place + _count(restore.hop_back(site, source, hop, "")) - 1
        where = (
            f"Hop {number}, to {hop.version}, is undone" if len(hops) > 1 else f"The upgrade to {hop.version} is undone"
        )
        yield f"{where} by R{place} to R{last}, which lead back to {source}. Take no other of them."
        place = last + 1
    if len(hops) > 1:
        yield (
            "A hop that was proven stands: what fails later leads back to its version, with the backups of the hop "
            "that "
            "failed, and not to the first version."
        )
    if site.spares:
        last = place + _count(other_site.steps_back(site)) - 1
        yield f"R{place} to R{last} lead the other site back to what was kept of it; only where it was brought along."


def _count(steps: Iterable[Step]) -> int:
    return sum(1 for _ in steps)


def _lost(site: Site, path: UpgradePath) -> Iterator[str]:
    yield (
        "Lost is what was written after that backup: nothing, as long as outside access is closed and Maintenance Mode "
        "is on; from the moment users are let in again everything that they changed, and every password that Secret "
        "Server set. Those passwords are on their machines, and in no vault but the database that is kept first."
    )
    without = [source for source, _ in restore.hops(path) if parse_secret_server(source) < restore.MAINTENANCE_SINCE]
    if without:
        yield (
            f"Starting from {enumerate_names(without)} Maintenance Mode stays off: {site.first.name} goes on changing "
            "passwords by itself between the backup and the installer. Keep that short; the last step back finds them."
        )
    if site.mirrored:
        copy = "availability group" if site.mirrored == "group" else "mirroring"
        yield f"Lost is the second copy, too, until the {copy} is set up anew: within one nothing is restored."


def _keys(site: Site) -> Iterator[str]:
    yield (
        "encryption.config stays the one that it is, on every node: nothing here moves, writes over or deletes it. "
        "Where it was lost, the plain safe copy is put back."
    )
    if site.dpapi != "off":
        on = "DPAPI" if site.dpapi == "on" else "DPAPI, where it is in use,"
        yield (
            f"{on} binds the file to its machine: on a machine that was built anew only the plain copy opens the "
            f"vault. "
            "Turn it on again after the way back, not before."
        )
    efs = [web for web in site.webs if web.efs]
    if efs:
        yield (
            f"EFS binds the file on {named(efs)} to the account of the application pool: without that account and its "
            "certificate only the plain copy opens the vault."
        )
