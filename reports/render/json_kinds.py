"""Kinds of values that several JSON documents have."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from checks.common.pages import Link, current
from checks.outcome import Remediation
from checks.runbook.quoting import JOINS
from reports.codec.shape import LATER, About, Form, From, whole
from reports.render.json_text import utc_text


def _at_least(least: int, name: str) -> Form:
    def read(value: object) -> int:
        if (number := whole(value)) < least:
            raise ValueError
        return number

    return Form("count", read, {"type": "integer", "minimum": least}, name=name)


def _maybe(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise ValueError


Count = Annotated[int, _at_least(0, "count")]
Positive = Annotated[int, _at_least(1, "")]
Maybe = Annotated[
    str | None, Form("text or null", _maybe, {"type": ["string", "null"]}, write=lambda text: text or None)
]
"""A text that is null where it is empty."""
Moment = Annotated[
    datetime,
    Form(
        "time in UTC",
        datetime.fromisoformat,
        {
            "description": "UTC, with milliseconds.",
            "type": "string",
            "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$",
        },
        name="moment",
        write=utc_text,
    ),
]
Day = Annotated[
    date,
    Form(
        "day",
        date.fromisoformat,
        {
            "description": "The last one is included, in UTC.",
            "type": "string",
            "pattern": r"^\d{4}-\d{2}-\d{2}$",
        },
        name="day",
        write=date.isoformat,
    ),
]
Verdicts = Annotated[str, Form("verdict", str, {"enum": ["GO", "NO-GO", "UNKNOWN"]}, name="verdict")]
Table = Annotated[Any, Form("object", dict, {"type": "object"})]
"""An object with keys of nobody's choosing here."""
Since = Annotated[Moment, About("Start of the first run of the unbroken row that found it.")]
OpenStart = Annotated[bool, From("open_start"), About("True where no earlier run saw it gone.")]
Runs = Annotated[Positive, About("Runs that found it, this one included.")]
New = Annotated[bool, About("True where the last run that looked did not find it.")]
"""What a history says of a finding that stands."""


class Tool:
    """What has written a document; made of what says so itself."""

    name: Annotated[str, About(const="preflight")]
    version: Annotated[str, From("tool_version")]


def _language(fix: Remediation) -> str:
    return fix.language if fix.command and fix.language in JOINS else ""


class _Remediation:
    summary: str
    command: Annotated[str, About("On one line.")]
    url: Annotated[str, From(lambda fix: current(fix.url)), About("The first of the links; empty where there is none.")]
    language: Annotated[
        Literal["sh", "cmd", "powershell", "sql", ""], From(_language), About("What takes the command.")
    ] = ""
    links: Annotated[
        tuple[Link, ...],
        LATER,
        About("Where to read on: the page of today, then the one that was read, where that is another."),
    ]


Remedy = Annotated[_Remediation, About(repeats=True)]
"""What to do, as every JSON report tells it."""


def itself(done: Any) -> Any:
    """For a part of a document that is made of the same as the whole."""
    return done
