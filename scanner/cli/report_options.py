"""The options that say which reports are written: one for each format that a command's document can be had in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

from reports.format import Format, formats_of
from scanner.cli.options import reports_option
from scanner.cli.parsing.signature import with_options

Asked = Mapping[str, str | Path | None]
"""Format's name to the file that the command line names for it."""


def takes_reports(document: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command, in place of its parameter `reports`, an option for each format; it gets them as one mapping."""
    options = {each.name: (_option(each, folder=each.in_folder(document)), None) for each in formats_of(document)}

    def wrap(command: Callable[..., None]) -> Callable[..., None]:
        return with_options(command, "reports", options, dict)

    return wrap


def _option(each: Format, *, folder: bool) -> Any:
    """A folder's name ends in a slash, which a Path would lose."""
    more = "; into a folder: an index, and a page for each cluster." if folder else "."
    return Annotated[
        (str if folder else Path) | None,
        reports_option(
            f"--{each.name}", metavar="FILE|FOLDER/" if folder else "FILE", help=each.writes.removesuffix(".") + more
        ),
    ]
