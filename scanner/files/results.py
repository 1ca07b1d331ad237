"""Results that an earlier scan wrote with --json, read back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from checks.outcome import Result, Severity, Status
from reports.scan.json import SCHEMA
from scanner.errors import UsageError

MOST_BYTES = 256 * 1024 * 1024
"""A larger file is none of ours."""
_ADVICE = "name a file that `preflight scan --json FILE` wrote"


def read_results(path: Path) -> tuple[Result, ...]:
    """The results in the file at `path`: of each what it is about, its status, and what was said and observed.

    Raises UsageError for anything but a whole document of this format.
    """
    table = _document(path)
    if table.get("schema") != SCHEMA:
        raise UsageError(f"{path}: these are no results in the format {SCHEMA}; {_ADVICE}")
    rows = table.get("results")
    if not isinstance(rows, list):
        raise UsageError(f"{path}: results: expected a list; {_ADVICE}")
    return tuple(_result(row, number, path) for number, row in enumerate(rows))


def _document(path: Path) -> Mapping[str, object]:
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise UsageError(f"{path}: there is no such file; {_ADVICE}") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(data) > MOST_BYTES:
        raise UsageError(f"{path}: is too large for results; {_ADVICE}")
    try:
        table = json.loads(data.decode("utf-8-sig"))
    except RecursionError:
        raise UsageError(f"{path}: is nested too deeply; {_ADVICE}") from None
    except ValueError as error:  # no JSON, no UTF-8, a number with thousands of digits
        raise UsageError(f"{path}: no JSON: {error}; {_ADVICE}") from None
    if not isinstance(table, dict):
        raise UsageError(f"{path}: these are no results in the format {SCHEMA}; {_ADVICE}")
    return table


def _result(row: object, number: int, path: Path) -> Result:
    try:
        if not isinstance(row, dict):
            raise TypeError("expected a table")  # noqa: TRY301  told like every other flaw
        node = row["node"]
        status = Status(_text(row, "status"))
        return Result(
            check=_text(row, "check"),
            title=_text(row, "title"),
            severity=Severity(_text(row, "severity")),
            cluster=_text(row, "cluster"),
            node=node if node is None else _text(row, "node"),
            status=status,
            message=_text(row, "message"),
            expected=_text(row, "expected"),
            observed=_text(row, "observed"),
            # Files from before the key was written tell a moot skip from a missed one in the engine's words alone.
            not_evaluated=status is Status.ERROR
            or row.get("not_evaluated") is True
            or (status is Status.SKIP and _text(row, "message").startswith("not evaluated: ")),
            not_declared=_text(row, "not_declared") if "not_declared" in row else "",
            left_out=_text(row, "left_out") if "left_out" in row else "",
            follows=tuple(map(str, row["follows"])) if isinstance(row.get("follows"), list) else (),
        )
    except KeyError as missing:
        raise UsageError(f"{path}: results[{number}]: {missing.args[0]} is missing; {_ADVICE}") from None
    except (TypeError, ValueError) as error:
        raise UsageError(f"{path}: results[{number}]: {error}; {_ADVICE}") from None


def _text(row: Mapping[str, object], name: str) -> str:
    value = row[name]
    if not isinstance(value, str):
        raise TypeError(f"{name}: expected a string")
    return value
