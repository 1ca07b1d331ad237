"""Backups of a Secret Server site, each named for the version that it holds: none is written over another."""

from __future__ import annotations

from collections.abc import Iterable

from checks.plan.model import Command, Proof, Step
from checks.plan.secret_server_site import Site, named

_COPIED = "robocopy ends with a code below 8 where all went well."
_REHEARSED = (
    "This is the rehearsal: that both can be done, how long they take, that there is room. Users and Secret Server "
    "itself go on changing secrets after it; the backups that count are made in the window, when nobody writes."
)
_COUNTS = "This is the backup that counts: what is written after it is lost where the hop has to be taken back."


def rehearsal(site: Site, version: str) -> Iterable[Step]:
    """Both backups before the window, while users still work."""
    yield back_up_database(site, f"{version}-rehearsal", version, ("web-clustering before-2",), (_REHEARSED,))
    yield _back_up_application(site, f"{version}-rehearsal", version, ("web-clustering before-2",), (_REHEARSED,))


def steps(site: Site, version: str) -> Iterable[Step]:
    """Both backups of `version` in the window, in the vendor's order: the application folder, then the database."""
    yield _back_up_application(site, version, version, ("ss-upgrade folder",), (_COUNTS,))
    smaller = (
        "Where the whole takes too long: a differential backup on your own last full one, or a backup of the log, is "
        "enough if it restores together with what came before."
    )
    yield back_up_database(site, version, version, ("ss-upgrade database",), (_COUNTS, smaller))


def _back_up_application(
    site: Site, what: str, version: str, documented: tuple[str, ...], notes: tuple[str, ...]
) -> Step:
    efs = [web for web in site.webs if web.efs]
    told = (
        f"{named(efs)} keeps a file under EFS: as another account than the pool's its copy fails, or stays encrypted."
    )
    return Step(
        "back-up-application",
        f"Back up the application folder of {named(site.webs)}, {version}",
        tuple(
            Command(f"robocopy {site.root(web)} {site.saved(web, what)} /E /R:2 /W:5", "cmd", web.name)
            for web in site.webs
        ),
        notes=(*notes, _COPIED, told) if efs else (*notes, _COPIED),
        proof=Proof(
            "both files, for each node, and nothing missing beside them",
            tuple(Command(f'dir {site.saved(web, what)[:-1]}\\*.config"', "cmd", web.name) for web in site.webs),
        ),
        documented=documented,
    )


def back_up_database(
    site: Site, what: str, version: str, documented: tuple[str, ...], notes: tuple[str, ...] = ()
) -> Step:
    """The backup of the database of `version`, in a file called for `what`."""
    file = f"N'D:\\Backup\\SecretServer-{what}.bak'"
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
