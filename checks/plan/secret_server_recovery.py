"""The instances for disaster recovery, after the primary site: restore, copy, recycle, confirm."""

from __future__ import annotations

from collections.abc import Iterable

from checks.plan.model import Command, Proof, Step
from checks.plan.secret_server_backup import back_up_database
from checks.plan.secret_server_site import Site, named


def steps(site: Site, target: str) -> Iterable[Step]:
    """What is done at the other site once the primary one runs `target`, in order."""
    database = site.sql_name()
    file = f"N'D:\\Backup\\SecretServer-{target}.bak'"
    first, there = site.first, f"the SQL Server of {named(site.spares)}, and on no other"
    yield back_up_database(site, target, target, ("web-clustering dr-2",))
    yield Step(
        "carry-backup",
        "Copy that backup to the database server of the other site",
        notes=("Copy it in full before anything there is touched.",),
        proof=Proof(
            "The backup set on file 1 is valid.",
            (Command(f"RESTORE VERIFYONLY FROM DISK = {file} WITH CHECKSUM;", "sql", there),),
        ),
        documented=("web-clustering dr-3",),
    )
    yield Step(
        "restore-elsewhere",
        "Restore the database there",
        (Command(f"RESTORE DATABASE {database} FROM DISK = {file} WITH REPLACE, CHECKSUM;", "sql", there),),
        notes=(
            "On the primary site's server this command destroys what was just upgraded.",
            "Where its files lie in other folders there, add MOVE for each; RESTORE FILELISTONLY names them.",
            (
                f"It stops with an error while {named(site.spares)} is connected: stop the pool there first, and "
                "start it "
                "in the place of the recycling below."
            ),
        ),
        proof=Proof(
            "ONLINE, and users of the database are mapped to logins",
            (Command(f"SELECT name, state_desc FROM sys.databases WHERE name = {site.sql_text()};", "sql", there),),  # noqa: S608  typed by a person
        ),
        documented=("web-clustering dr-4",),
        no_return=True,
    )
    for web in site.spares:
        yield Step(
            "copy-to-spare",
            f"Copy the application folder from {first.name} over that of {web.name}, without the two files",
            (site.copy(first, web),),
            notes=("robocopy ends with a code below 8 where all went well.",),
            proof=Proof(f"the files of {web.name} stand for {target}", (site.file_version(web),)),
            documented=("web-clustering dr-5",),
        )
        yield Step(
            "recycle-spare",
            f"Recycle the application pool of {web.name}, or restart IIS there",
            site.appcmd("recycle apppool", (web,)),
            proof=Proof("state:Started for each", site.appcmd("list apppool", (web,))),
            documented=("web-clustering dr-6",),
        )
        yield Step(
            "confirm-spare",
            f"Confirm that {web.name} works",
            (site.address(web, "/"),),
            proof=Proof("a log-in works and a secret opens; pass", (site.scan("dr-instance", phase="after"),)),
            documented=("web-clustering dr-7",),
        )
