"""Backups of a Secret Server site, each named for the version that it holds: none is written over another."""

from __future__ import annotations

from collections.abc import Iterable

from checks.runbook.commands import cmd_on, sql_on
from checks.runbook.model import Command, Proof, Step
from checks.secret_server.runbook.files import COPIED
from checks.secret_server.runbook.site import Site, Web, below, named

_REHEARSED = (
    "This is the rehearsal: that both can be done, how long they take, that there is room. Users and Secret Server "
    "itself go on changing secrets after it; the backups that count are made in the window, when nobody writes."
)
_COUNTS = "This is the backup that counts: what is written after it is lost where the hop has to be taken back."


def rehearsal(site: Site, version: str) -> Iterable[Step]:
    """Both backups before the window, while users still work."""
    what, told = f"{version}-rehearsal", (_REHEARSED,)
    yield back_up_database(site, what, version, ("web-clustering before-2",), told)
    yield back_up_application(site, site.webs, what, version, ("web-clustering before-2",), told)


def steps(site: Site, version: str) -> Iterable[Step]:
    """Both backups of `version` in the window, in the vendor's order: the application folder, then the database."""
    yield back_up_application(site, site.webs, version, version, ("ss-upgrade folder",), (_COUNTS,))
    smaller = (
        "Where the whole takes too long: a differential backup on your own last full one, or a backup of the log, is "
        "enough if it restores together with what came before."
    )
    documented = ("ss-upgrade database", *(("ss-rolling always-on",) if site.mirrored == "group" else ()))
    yield back_up_database(site, version, version, documented, (_COUNTS, smaller))


def back_up_application(
    site: Site, webs: tuple[Web, ...], what: str, version: str, documented: tuple[str, ...], notes: tuple[str, ...]
) -> Step:
    """The backup of the folders of `webs`, TMS among them, into folders called for `what`."""
    efs = [web for web in webs if web.efs]
    with_tms = [web for web in webs if web.tms]
    told = [*notes, *_where(webs), COPIED]
    if efs:
        told.append(
            f"{named(efs)} keeps a file under EFS: as another account than the pool's its copy fails, or stays "
            "encrypted."
        )
    if with_tms:
        told.append(
            f"TMS of {named(with_tms)} is backed up likewise. Where Privilege Manager has a database of its own, back "
            "that up with it."
        )
    return Step(
        id="back-up-application",
        title=f"Back up the application folder of {named(webs)}, {version}",
        commands=tuple(command for web in webs for command in _copies(site, web, what)),
        notes=tuple(told),
        proof=Proof(
            "both files, for each node, and nothing missing beside them",
            tuple(cmd_on(web.name, f"dir {below(site.saved(web, what), '*.config')}") for web in webs),
        ),
        documented=(*documented, *(("pm-upgrade backup",) if with_tms else ())),
    )


def _copies(site: Site, web: Web, what: str) -> Iterable[Command]:
    yield cmd_on(web.name, f"robocopy {site.root(web)} {site.saved(web, what)} /E /R:2 /W:5")
    if web.tms:
        folder = site.names.cmd(web.tms.root, f"the TMS folder of {web.name}")
        yield cmd_on(web.name, f"robocopy {folder} {site.saved(web, f'{what}-TMS')} /E /R:2 /W:5")


def _where(webs: Iterable[Web]) -> Iterable[str]:
    """Why the folders are where they are, each reason once."""
    found: dict[str, list[Web]] = {}
    for web in webs:
        if web.backups is not None:
            found.setdefault(f"{web.backups} ({web.backups_from})", []).append(web)
    for folder, those in found.items():
        yield f"On {named(those)} it goes to {folder}. Put another in its place throughout where that does not suit."


def back_up_database(
    site: Site, what: str, version: str, documented: tuple[str, ...], notes: tuple[str, ...] = (), where: str = ""
) -> Step:
    """The backup of the database of `version`, in a file called for `what`, on the server `where` or the site's own."""
    file, server = site.sql_file(what), where or site.sql
    folder = f"{site.sql_backups} ({site.sql_backups_from})" if site.sql_backups else "The folder"
    return Step(
        id="back-up-database",
        title=f"Back up the database of {version}, and prove that the backup can be read",
        commands=(
            sql_on(server, f"BACKUP DATABASE {site.sql_name()} TO DISK = {file} WITH COPY_ONLY, CHECKSUM, INIT;"),
        ),
        notes=(
            *notes,
            (
                f"{folder} has to be there, with room, and to outlive this machine; where it does not suit, put "
                f"another in "
                "its place throughout. INIT writes over a file of that name."
            ),
        ),
        proof=Proof(
            "The backup set on file 1 is valid.",
            (sql_on(server, f"RESTORE VERIFYONLY FROM DISK = {file} WITH CHECKSUM;"),),
        ),
        documented=documented,
    )
