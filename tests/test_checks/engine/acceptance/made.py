"""A finding, and a waiver that covers it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from checks.engine.acceptance.model import Waiver
from checks.outcome import Result, Severity, Status

LATER = date(2027, 3, 31)


def row(
    status: str, node: str | None = "web1", check: str = "size", observed: str = "too big", *, missed: bool = False
) -> Result:
    return Result(
        check=check,
        title="T",
        severity=Severity.LOW,
        cluster="prod",
        node=node,
        status=Status(status),
        message="it is too big",
        observed=observed,
        not_evaluated=missed or status == "error",
    )


def waiver(node: str | None = "web1", expires: date = LATER, value: str = "", **more: str) -> Waiver:
    made = Waiver(
        check="size",
        cluster="prod",
        node=node,
        value=value,
        reason="why",
        owner="Ada",
        expires=expires,
        place="waivers[1]",
    )
    return replace(made, **more)  # type: ignore[arg-type]
