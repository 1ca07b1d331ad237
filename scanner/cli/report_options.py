"""The options that say which reports are written: one for each format that a command's document can be had in."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from reports.format import Format, formats_of

PANEL = "Reports"
Asked = Mapping[str, str | Path | None]
"""Format's name to the file that the command line names for it."""


def takes_reports(document: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command, in place of its parameter `reports`, an option for each format; it gets them as one mapping."""
    formats = formats_of(document)
    names = [each.name for each in formats]
    keyword = inspect.Parameter.KEYWORD_ONLY
    options = [
        inspect.Parameter(each.name, keyword, annotation=_option(each, folder=each.in_folder(document)), default=None)
        for each in formats
    ]

    def wrap(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command, eval_str=True)

        @functools.wraps(command)
        def call(**given: Any) -> None:
            asked = {name: given.pop(name) for name in names}
            command(**given, reports=asked)

        parameters: list[inspect.Parameter] = []
        for item in own.parameters.values():
            parameters += options if item.name == "reports" else [item.replace(kind=keyword)]
        setattr(call, "__signature__", own.replace(parameters=parameters))  # noqa: B010  a wrapper has none to assign to
        call.__annotations__ = {item.name: item.annotation for item in parameters}
        return call

    return wrap


def _option(each: Format, *, folder: bool) -> Any:
    """A folder's name ends in a slash, which a Path would lose."""
    more = "; into a folder: an index, and a page for each cluster." if folder else "."
    return Annotated[
        (str if folder else Path) | None,
        typer.Option(
            f"--{each.name}",
            metavar="FILE|FOLDER/" if folder else "FILE",
            help=each.writes.removesuffix(".") + more,
            rich_help_panel=PANEL,
        ),
    ]
