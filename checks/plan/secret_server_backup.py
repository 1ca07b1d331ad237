"""Backups of a Secret Server site, each named for the version that it holds: none is written over another."""

from __future__ import annotations

from collections.abc import Iterable

from checks.plan.model import Command, Proof, Step
from checks.plan.secret_server_site import Site, named

_COPIED = "robocopy ends with a code below 8 where all went well."


def steps(site: Site, version: str, *, again: bool = False) -> Iterable[Step]:
    """The backup of the database, and of each node's application folder, of `version`."""
    documented = () if again else ("web-clustering before-2",)
    notes = ("The next hop starts here; the older backup would lead two versions back.",) if again else ()
    yield back_up_database(site, version, documented, notes)
    efs = [web for web in site.webs if web.efs]
    told = (
        f"{named(efs)} keeps a file under EFS: as another account than the pool's its copy fails, or stays encrypted."
    )
    yield Step(
        "back-up-application",
        f"Back up the application folder of {named(site.webs)}, {version}",
        tuple(
            Command(f"robocopy {site.root(web)} {site.saved(web, version)} /E /R:2 /W:5", "cmd", web.name)
            for web in site.webs
        ),
        notes=(_COPIED, told) if efs else (_COPIED,),
        proof=Proof(
            "both files, for each node, and nothing missing beside them",
            tuple(Command(f'dir {site.saved(web, version)[:-1]}\\*.config"', "cmd", web.name) for web in site.webs),
        ),
        documented=documented,
    )


def back_up_database(site: Site, version: str, documented: tuple[str, ...], notes: tuple[str, ...] = ()) -> Step:
    """The backup of the database of `version`."""
    file = f"N'D:\\Backup\\SecretServer-{version}.bak'"
    return Step(
        "back-up-database",
        f"Back up the database of {version}, and prove that the backup can be read",
        (
            Command(
                f"BACKUP DATABASE {site.sql_name()} TO DISK = {file} WITH COPY_ONLY, CHECKSUM, INIT;", "sql", site.sql
            ),
        ),
        notes=(
            *notes,
            (
                "D:\\Backup stands for a folder that is there, with room, and outlives this machine; put your "
                "own in its "
                "place, the same throughout. INIT writes over a file of that name."
            ),
        ),
        proof=Proof(
            "The backup set on file 1 is valid.",
            (Command(f"RESTORE VERIFYONLY FROM DISK = {file} WITH CHECKSUM;", "sql", site.sql),),
        ),
        documented=documented,
    )
