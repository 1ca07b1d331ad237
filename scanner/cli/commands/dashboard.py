"""`preflight dashboard`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from checks.exit_codes import ExitCode
from scanner.cli.output.ending import leave

if TYPE_CHECKING:
    from datetime import datetime

    from checks.history.kept import Kept

_NIGHTS = 60


def dashboard(
    databases: Annotated[list[Path], typer.Argument(metavar="FILE...", help="The histories, one or several.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="Where the pages go, index.html first.")
    ],
    nights: Annotated[int, typer.Option("--nights", metavar="N", min=7, max=400, help="Show so many days.")] = _NIGHTS,
    today: Annotated[
        str | None,
        typer.Option("--today", metavar="DATE", help="Show how it looked at the end of that day (UTC), not now."),
    ] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print nothing where all is well.")] = False,
) -> None:
    """Write a fleet page for any web server: every cluster night by night, from the histories of `--history`.

    Pages of clusters that are gone are taken away, no other file in FOLDER is touched. A history that cannot be read
    costs its own clusters, is told on the page, and makes the exit code 2.
    """
    from checks.history.fleet import fleet
    from checks.history.rhythm import LONGEST_DAYS
    from reports.dashboard.pages import pages, summary
    from reports.scan.page.folder import INDEX
    from reports.text import count, escape_invisible
    from scanner import __version__
    from scanner.cli.output.streams import print_error
    from scanner.clock import utc_now
    from scanner.errors import UsageError
    from scanner.files.dashboard import publish, ready

    now = _end_of(today) if today is not None else utc_now()
    kept, notices, problems = _read(databases, now, max(nights, LONGEST_DAYS))
    if problems and not kept:
        raise UsageError("\n".join([*problems, f"nothing was written to {output}"]))
    ours = ready(output)
    found = fleet(kept, now, nights)
    gone = publish(output, pages(found, [*notices, *problems], __version__), ours, tidy=not problems)
    if not quiet:
        took = f", took away {count(len(gone), 'page')} of clusters that are gone" if gone else ""
        typer.echo(escape_invisible(f"wrote {output / INDEX}: {summary(found)}{took}"))
    if problems:
        print_error("\n".join([*problems, f"{output / INDEX} was written without"]))
        leave(ExitCode.USAGE)


def _read(databases: list[Path], now: datetime, days: int) -> tuple[list[Kept], list[str], list[str]]:
    """What the histories hold; what the page has to say of them; which could not be read."""
    from dataclasses import replace

    from reports.text import count
    from scanner.errors import UsageError
    from scanner.files.atomic import same_file
    from scanner.files.short_names import apart
    from scanner.history.fleet import read_fleet

    distinct: list[Path] = []
    for path in databases:
        if not any(same_file(path, other) for other in distinct):
            distinct.append(path)
    kept: list[Kept] = []
    notices: list[str] = []
    problems: list[str] = []
    for path, source in zip(distinct, apart([str(path) for path in distinct]), strict=True):
        try:
            found, later = read_fleet(path, source, now=now, days=days)
        except UsageError as error:
            problems.append(str(error))
            continue
        called = apart([one.inventory for one in found])
        kept += [replace(one, inventory=name) for one, name in zip(found, called, strict=True)]
        if later:
            notices.append(f"{source}: {count(later, 'run')} after {now:%Y-%m-%d %H:%M} UTC left out")
    return kept, notices, problems


def _end_of(text: str) -> datetime:
    from datetime import UTC, date, datetime, time

    from scanner.errors import UsageError

    try:
        return datetime.combine(date.fromisoformat(text), time(23, 59, 59), UTC)
    except ValueError:
        raise UsageError(f"--today {text!r}: expected a day such as 2026-03-31") from None
