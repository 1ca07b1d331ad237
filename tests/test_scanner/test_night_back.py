"""Whole nights that are taken back: forward until the last hop should be proven, then by the steps of the way back.

Each is looked at with `plan --check` before it is done, done on the wrong node, and done, like those forward.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from checks.runbook.model import steps_back
from tests.test_scanner.conftest import Preflight
from tests.test_scanner.night_lab import Site
from tests.test_scanner.test_night_steps import (
    DONE,
    ELSEWHERE,
    NIGHTS,
    NOT_DONE,
    SKIPPED,
    TOO_EARLY,
    Night,
    folder_of,
    tallied,
)

QUICK = "vault-two-step"

UNNOTICED: Mapping[tuple[str, str], str] = {
    ("back-end-mirroring", TOO_EARLY): "in front of it the database is kept, which can be done without a mirror, too",
    ("back-leave-group", TOO_EARLY): "in front of it the database is kept, which can be done outside a group, too",
    ("back-restore-database", TOO_EARLY): "SQL Server itself restores no database that is mirrored or in a group",
    ("back-copy-application", TOO_EARLY): "no pool runs: whether database or files come back first is the same",
    ("back-start-first", TOO_EARLY): "its own files are back, and the others' pools are looked at by themselves",
    ("back-start-others", TOO_EARLY): "all files are back by then; which node is tried first, a person sees",
    ("back-back-up-for-copy", TOO_EARLY): "what is written after it reaches the copy with the log",
    ("back-mirror-again", TOO_EARLY): "SQL Server itself takes no partner without a restored copy",
    ("back-join-group", TOO_EARLY): "SQL Server itself joins no database without a restored copy",
    ("back-configure-frontend", TOO_EARLY): "in front of it are machines of no inventory, or another frontend",
}
"""Step and slip that the look at the step does not notice, each with the reason. It may only shrink."""


def taken_back(name: str, folder: Path, preflight: Preflight, monkeypatch: pytest.MonkeyPatch) -> Night:
    """A night that goes wrong in its last hop, and every step back from there."""
    night = Night(site=Site(folder, NIGHTS[name](), monkeypatch), preflight=preflight)
    plan = night.go_wrong()
    source = [str(plan.path.current), *(hop.version for hop in plan.path.hops)][-2]
    every = list(steps_back(plan))
    # Of a Chef cluster there is one way back, whichever hop failed.
    own = [(number, step) for number, step in every if step.title.startswith(f"Back to {source}: ")] or every
    for place, (number, step) in enumerate(own):
        night.take(number, step, own[place + 1 :])
    assert not night.told
    assert night.unnoticed <= UNNOTICED.keys()
    if name.startswith("vault-"):
        assert dict(night.seen.values())["back-verify"] == DONE, name
    return night


def test_each_step_back_shows_once_it_is_done_and_a_slip_shows_too(
    tmp_path: Path, preflight: Preflight, monkeypatch: pytest.MonkeyPatch
) -> None:
    night = taken_back(QUICK, tmp_path, preflight, monkeypatch)
    seen = dict(night.seen.values())
    assert seen["back-restore-database"] == seen["back-copy-application"] == seen["back-verify"] == DONE
    slips = {(kind, slip) for (_, kind, slip), code in night.slips.items() if code == NOT_DONE}
    assert slips >= {
        (kind, slip)
        for kind in ("back-stop-pools", "back-copy-application", "back-start-first")
        for slip in (SKIPPED, ELSEWHERE)
    } - {("back-stop-pools", ELSEWHERE)}


@pytest.mark.slow
def test_every_night_is_taken_back(
    tmp_path: Path,
    preflight: Preflight,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
) -> None:
    nights = ((name, taken_back(name, folder_of(tmp_path, name), preflight, monkeypatch)) for name in NIGHTS)
    assert tallied(nights, record_property) == UNNOTICED.keys()
