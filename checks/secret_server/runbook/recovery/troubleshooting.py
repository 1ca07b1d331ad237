"""What to do where a step of a Secret Server upgrade went wrong."""

from __future__ import annotations

from checks.runbook.commands import sql_on
from checks.runbook.model import Troubleshooting
from checks.secret_server.runbook import files
from checks.secret_server.runbook.site import Site
from checks.secret_server.urls import ENCRYPTION_URL

_RESUME_GROUP_URL = (
    "https://learn.microsoft.com/en-us/sql/database-engine/availability-groups/windows/"
    "resume-an-availability-database-sql-server"
)
_RESUME_MIRROR_URL = (
    "https://learn.microsoft.com/en-us/sql/database-engine/database-mirroring/"
    "pause-or-resume-a-database-mirroring-session-sql-server"
)


def troubles(site: Site) -> tuple[Troubleshooting, ...]:
    """What to do where a step went wrong."""
    first = site.first
    everyone = (*site.others, *site.spares) or (first,)
    return (
        Troubleshooting(
            sign="A node does not run and says that the version does not match",
            help=(
                "Its files are not those of the database's version: stop its pool.",
                f"Copy the application folder from {first.name} over it again, without the two files, and start it.",
                "Take the line of that node alone.",
            ),
            look=(site.scan("app-version-match", phase="window"),),
            cure=tuple(files.copy_command(site, first, web) for web in site.others),
            documented=("web-clustering error-version",),
        ),
        Troubleshooting(
            sign="A node says that the encryption configs do not match, or that the encryption key does not match",
            help=(
                "Its encryption.config is not the site's. Overwrite nothing: keep the node stopped, and compare.",
                "Without DPAPI the file of a node that works is right; put it there after saving the other.",
                "With DPAPI a file from another machine cannot work: turn DPAPI off on the node that works first.",
            ),
            look=(site.scan("encryption-config-match", phase="window"),),
            documented=("web-clustering error-key",),
            url=ENCRYPTION_URL,
        ),
        Troubleshooting(
            sign="A node shows the web installer instead of the log-in",
            help=(
                (
                    "Its database.config is missing: put back its own, from the backup of that node. Install nothing "
                    "there."
                ),
            ),
            look=(site.scan("config-files-present", phase="window"),),
        ),
        Troubleshooting(
            sign="The installer stops",
            help=(
                "Read what it says before anything is tried again: .NET, SQL Server, Maintenance Mode are usual.",
                "The pools of the other nodes stay stopped.",
                "Where its database step has begun, the way back is the restored backup.",
            ),
            look=site.appcmd("list apppool", everyone),
        ),
        *((_suspended(site),) if site.mirrored else ()),
        *((files.closed_share(site),) if site.others or site.spares else ()),
    )


def _suspended(site: Site) -> Troubleshooting:
    """Data movement that stands still, which the plan asks for nowhere."""
    group = site.mirrored == "group"
    copies = "a replica" if group else "the mirroring"
    return Troubleshooting(
        sign=f"database-mirroring says that {copies} is suspended",
        help=(
            "Somebody suspended it, or SQL Server did, after an error: read its error log on both sides first.",
            (
                "Until it is resumed there is no second copy, and the log grows: what is left to do may end with a "
                "full log (error 9002)."
            ),
            "Resume it where it was suspended: on the primary replica for all of them, on a secondary one for that one."
            if group
            else "Resume it on either side.",
            "Then wait until it is in step; begin no hop before.",
        ),
        look=(site.scan("database-mirroring", phase="window"),),
        cure=(sql_on(site.sql, f"ALTER DATABASE {site.sql_name()} SET {'HADR' if group else 'PARTNER'} RESUME;"),),
        url=_RESUME_GROUP_URL if group else _RESUME_MIRROR_URL,
    )
