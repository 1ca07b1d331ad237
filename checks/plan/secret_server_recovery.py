"""The instances for disaster recovery, after the primary site: restore, copy, recycle, confirm."""

from __future__ import annotations

from collections.abc import Iterable

from checks.plan.model import Command, Proof, Step
from checks.plan.secret_server_site import Site


def steps(site: Site, target: str) -> Iterable[Step]:
    """What is done at the other site once the primary one runs `target`, in order."""
    database = site.sql_name()
    file = "N'D:\\Backup\\SecretServer-after.bak'"
    where = site.databases[0] if site.databases else ""
    first = site.first
    yield Step(
        "back-up-upgraded",
        f"Back up the database of {target}",
        (Command(f"BACKUP DATABASE {database} TO DISK = {file} WITH COPY_ONLY, CHECKSUM, INIT;", "sql", where),),
        proof=Proof(
            "the backup set is valid", Command(f"RESTORE VERIFYONLY FROM DISK = {file} WITH CHECKSUM;", "sql", where)
        ),
        documented=("web-clustering dr-2",),
    )
    yield Step(
        "carry-backup",
        "Copy that backup to the database server of the other site",
        notes=("Copy it in full before anything there is touched.",),
        proof=Proof("the backup set is valid on the other server, too"),
        documented=("web-clustering dr-3",),
    )
    yield Step(
        "restore-elsewhere",
        "Restore the database there",
        (Command(f"RESTORE DATABASE {database} FROM DISK = {file} WITH REPLACE, CHECKSUM;", "sql"),),
        notes=("On the other site's server only. On the primary one this command destroys what was just upgraded.",),
        proof=Proof("the database is ONLINE, and users of it are mapped to logins"),
        documented=("web-clustering dr-4",),
        no_return=True,
    )
    for web in site.spares:
        yield Step(
            "copy-to-spare",
            f"Copy the application folder from {first.name} over that of {web.name}, without the two files",
            (site.copy(first, web),),
            proof=Proof(f"the files of {web.name} stand for {target}", site.file_version(web)),
            documented=("web-clustering dr-5",),
        )
        yield Step(
            "recycle-spare",
            f"Recycle the application pool of {web.name}, or restart IIS there",
            site.appcmd("recycle apppool", (web,)),
            proof=Proof("state:Started", site.appcmd("list apppool", (web,))[0]),
            documented=("web-clustering dr-6",),
        )
        yield Step(
            "confirm-spare",
            f"Confirm that {web.name} works",
            (site.address(web, "/"),),
            proof=Proof("a log-in works and a secret opens; pass", site.scan("dr-instance", phase="after")),
            documented=("web-clustering dr-7",),
        )
