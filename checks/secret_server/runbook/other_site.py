"""The instances for disaster recovery, after the primary site: keep what is there, restore, copy, recycle, confirm."""

from __future__ import annotations

from collections.abc import Iterable

from checks.runbook.commands import sql_on
from checks.runbook.model import Proof, Step
from checks.secret_server.runbook import backup, files
from checks.secret_server.runbook.recovery.restore import back_to_files, restore
from checks.secret_server.runbook.site import Site, named

_KEPT = "before"
"""What is kept of the other site, by its name."""


def steps(site: Site, target: str) -> Iterable[Step]:
    """What is done at the other site once the primary one runs `target`, in order."""
    there = _there(site)
    file = site.sql_file(target)
    yield backup.back_up_database(site, target, target, ("web-clustering dr-2",))
    yield Step(
        id="carry-backup",
        title="Copy that backup to the database server of the other site",
        notes=("Copy it in full before anything there is touched.",),
        proof=Proof(
            "The backup set on file 1 is valid.",
            (sql_on(there, f"RESTORE VERIFYONLY FROM DISK = {file} WITH CHECKSUM;"),),
        ),
        documented=("web-clustering dr-3",),
    )
    yield Step(
        id="stop-spare",
        title=f"Stop the application pools of {named(site.spares)}",
        commands=site.appcmd("stop apppool", site.spares),
        notes=("A database that somebody uses is neither restored nor saved as one whole with its folder.",),
        proof=Proof("state:Stopped for each", site.appcmd("list apppool", site.spares)),
    )
    kept = ("What is there now is the only thing that serves where the restored one does not: keep it.",)
    yield backup.back_up_application(site, site.spares, _KEPT, "as it is now", (), kept)
    yield backup.back_up_database(site, f"{_KEPT}-{_spares(site)}", "the other site, as it is now", (), kept, there)
    yield files.save_settings(site, site.spares, _KEPT)
    yield Step(
        id="restore-elsewhere",
        title="Restore the database there",
        commands=restore(site, target, there),
        notes=(
            "On the primary site's server this command destroys what was just upgraded.",
            "Where its files lie in other folders there, add MOVE for each; RESTORE FILELISTONLY names them.",
        ),
        proof=Proof(
            "ONLINE and MULTI_USER, and users of the database are mapped to logins",
            (site.state(there),),
        ),
        documented=("web-clustering dr-4",),
        no_return=True,
    )
    for web in site.spares:
        yield files.copy_application(
            site, web, documented=("web-clustering dr-5",), shows=f"the files of {web.name} stand for {target}"
        )
        yield from files.copy_tms(site, web, documented=("web-clustering dr-5",))
        yield files.merge_settings(site, web, _KEPT)
        yield Step(
            id="start-spare",
            title=f"Start the application pools of {web.name}",
            commands=site.appcmd("start apppool", (web,)),
            notes=("It stands for the recycling that the vendor asks for: they were stopped for the restoring.",),
            proof=Proof("state:Started for each", site.appcmd("list apppool", (web,))),
            documented=("web-clustering dr-6",),
        )
        yield Step(
            id="confirm-spare",
            title=f"Confirm that {web.name} works",
            commands=(site.address(web, "/"),),
            proof=Proof("a log-in works and a secret opens; pass", (site.scan("dr-instance", phase="after"),)),
            documented=("web-clustering dr-7",),
        )


def steps_back(site: Site) -> Iterable[Step]:
    """How the other site gets back to what was kept of it, where it had been brought along."""
    there, kept = _there(site), f"{_KEPT}-{_spares(site)}"
    where = f"The other site, where it was brought along: {named(site.spares)}"
    yield Step(
        id="back-stop-spare",
        title=f"{where}: stop its application pools",
        commands=site.appcmd("stop apppool", site.spares),
        proof=Proof("state:Stopped for each", site.appcmd("list apppool", site.spares)),
    )
    yield Step(
        id="back-restore-spare",
        title="The other site: restore the database that was kept of it",
        commands=restore(site, kept, there),
        notes=("On its own SQL Server, never on that of the primary site.",),
        proof=Proof(
            "ONLINE and MULTI_USER",
            (site.state(there),),
        ),
        no_return=True,
    )
    for web in site.spares:
        yield from back_to_files(site, web, _KEPT, "what was kept of it", "The other site: ")
    yield Step(
        id="back-start-spare",
        title=f"The other site: start the application pools of {named(site.spares)}",
        commands=(*site.appcmd("start apppool", site.spares), *(site.address(web, "/") for web in site.spares)),
        proof=Proof("a log-in works and a secret opens", site.appcmd("list apppool", site.spares)),
    )


def _there(site: Site) -> str:
    return f"the SQL Server of {named(site.spares)}, and on no other"


def _spares(site: Site) -> str:
    return "-".join(web.name for web in site.spares)
