"""Which exit code wins where several could be said."""

from __future__ import annotations

import pytest
import typer

from checks.exit_codes import ExitCode
from scanner.cli.output import ending


class _AtOnceError(Exception):
    """In the place of a process that ends."""


@pytest.mark.parametrize(
    ("answer", "problems", "interrupted", "code"),
    [
        (ExitCode.GO, False, False, ExitCode.GO),
        (ExitCode.NO_GO, False, False, ExitCode.NO_GO),
        (ExitCode.UNKNOWN, False, False, ExitCode.UNKNOWN),
        (ExitCode.NO_GO, False, True, ExitCode.INTERRUPTED),
        # A report that was not written is the graver: yesterday's GO may still stand in its place.
        (ExitCode.GO, True, False, ExitCode.USAGE),
        (ExitCode.NO_GO, True, True, ExitCode.USAGE),
    ],
)
def test_the_gravest_of_what_could_be_said_wins(
    answer: ExitCode,
    problems: bool,
    interrupted: bool,
    code: ExitCode,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def exit_now(code: int) -> None:
        raise _AtOnceError(code)

    monkeypatch.setattr(ending, "exit_now", exit_now)
    with pytest.raises(_AtOnceError if interrupted else typer.Exit) as ended:
        ending.leave(answer, problems=problems, interrupted=interrupted)
    said = ended.value.args[0] if interrupted else getattr(ended.value, "exit_code", None)
    assert said == code
