"""What the process ends with, for whoever asks nothing but that: `cron`, a CI job, a runbook's gate."""

from __future__ import annotations

import enum
from typing import Self


class ExitCode(enum.IntEnum):
    """Every exit code of every command. The guides' tables are made from it.

    What is handed on is the member, never its number: 1 said by anything else, a library or the interpreter, is a
    crash and no NO-GO.
    """

    verdict: str
    """What it says, in a word or two."""
    when: str
    """When a command ends with it, as the guides tell it."""
    drift: tuple[str, str] | None
    """What `drift` says with it and when, where its answer is another than a scan's."""

    def __new__(cls, number: int, verdict: str, when: str, drift: tuple[str, str] | None = None) -> Self:
        """Make a member that is the number, and carries its meaning."""
        code = int.__new__(cls, number)
        code._value_ = number
        code.verdict, code.when, code.drift = verdict, when, drift
        return code

    GO = (
        0,
        "GO",
        "nothing failed, everything could be determined",
        ("NO DRIFT", "all facts are as approved, and all checks that passed do pass"),
    )
    NO_GO = (
        1,
        "NO-GO",
        "at least one `fail` (with `--strict`: or `warn`)",
        (
            "DRIFT",
            "a fact changed, appeared or disappeared; a node came or went; a check that passed does not any more",
        ),
    )
    USAGE = (
        2,
        "usage or inventory error",
        "command line, inventory or installation are wrong: nothing was contacted; or a report could not be written",
    )
    UNKNOWN = (
        3,
        "UNKNOWN",
        "nothing failed, but something could not be determined, or nothing was evaluated",
        ("UNKNOWN", "no drift was seen, but something could not be read, today or when the baseline was approved"),
    )
    DEFECT = (
        70,
        "a defect of preflight",
        "preflight itself broke, or a library that it needs is missing: nothing is known",
    )
    INTERRUPTED = (130, "interrupted", "interrupted: what was finished is reported, marked partial")

    @property
    def is_answer(self) -> bool:
        """True for what a verdict ends with, False for what says that there is none."""
        return self.drift is not None
