"""Results that an earlier scan wrote with --json, read back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from checks.common.dataclass import dataclass
from checks.outcome import Result, Severity, Status
from reports.codec.reading import MalformedError, read
from reports.codec.shape import Form
from reports.scan.json import SCHEMA
from scanner.errors import UsageError
from scanner.files.bounded import read_json

MOST_BYTES = 256 * 1024 * 1024
"""A larger file is none of ours."""
_ADVICE = "name a file that `preflight scan --json FILE` wrote"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """What is read of one result; the document has more."""

    status: Annotated[Status, Form("status", Status, {})]
    check: str
    title: str
    severity: Annotated[Severity, Form("severity", Severity, {})]
    cluster: str
    node: str | None
    message: str
    expected: str
    observed: str
    not_evaluated: bool = False
    not_declared: str = ""
    left_out: str = ""
    follows: tuple[str, ...] = ()

    @property
    def missed(self) -> bool:
        """Whether it was planned and could not be judged."""
        # Files from before the key was written tell a moot skip from a missed one in the engine's words alone.
        said = self.status is Status.SKIP and self.message.startswith("not evaluated: ")
        return self.status is Status.ERROR or self.not_evaluated or said


@dataclass(frozen=True, slots=True)
class _Document:
    results: tuple[_Row, ...]


def read_results(path: Path) -> tuple[Result, ...]:
    """The results in the file at `path`: of each what it is about, its status, and what was said and observed.

    Raises UsageError for anything but a whole document of this format.
    """
    table = read_json(path, MOST_BYTES, what=f"no results; {_ADVICE}", advice=_ADVICE)
    if not isinstance(table, dict) or table.get("schema") != SCHEMA:
        raise UsageError(f"{path}: these are no results in the format {SCHEMA}; {_ADVICE}")
    try:
        found = read(_Document, table)
    except MalformedError as error:
        raise UsageError(f"{path}: {error}; {_ADVICE}") from None
    return tuple(_result(row) for row in found.results)


def _result(row: _Row) -> Result:
    return Result(
        check=row.check,
        title=row.title,
        severity=row.severity,
        cluster=row.cluster,
        node=row.node,
        status=row.status,
        message=row.message,
        expected=row.expected,
        observed=row.observed,
        not_evaluated=row.missed,
        not_declared=row.not_declared,
        left_out=row.left_out,
        follows=row.follows,
    )
