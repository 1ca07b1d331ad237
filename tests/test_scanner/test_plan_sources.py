"""Every step of every reviewed plan says where it comes from: the vendor's words, its page, or the plan itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reports.runbook.wording import OWN

PLANS = sorted((Path(__file__).parent / "plans").glob("*.md"))
_STEP = re.compile(r"^- \[ \] \*\*", re.MULTILINE)
_NUMBERED = re.compile(r"(?:R?\d+|\d+\.\d+)\*\* ")


@pytest.mark.parametrize("plan", PLANS, ids=[plan.stem for plan in PLANS])
def test_each_step_says_where_it_comes_from(plan: Path) -> None:
    steps = [part.split("\n#", 1)[0] for part in _STEP.split(plan.read_text(encoding="utf-8"))[1:]]
    numbered = [step for step in steps if _NUMBERED.match(step)]
    own = OWN.split(":", 1)[0]
    silent = [step for step in numbered if "<sub>As in " not in step and own not in step and "http" not in step]
    assert [step.split("\n", 1)[0] for step in silent] == []


def test_there_are_steps_to_look_at() -> None:
    assert sum(len(_STEP.findall(plan.read_text(encoding="utf-8"))) for plan in PLANS) > 500
