"""Where an inventory leaves a check out, the plan asks a person to look, and no scan that would look at nothing."""

from __future__ import annotations

from dataclasses import replace

from checks.engine.upgrade_path import UpgradePath
from checks.runbook.idle_scans import without_idle_scans
from checks.runbook.model import Command, Part, Proof, Runbook, Step, Troubleshooting
from checks.scan import Verdict


def scan(*checks: str) -> Command:
    return Command(text=f"preflight scan {checks}", language="sh", judges=checks)


STOP = Command(text="stop")
OUT = (
    "a is left out of this cluster (no such thing here): see for yourself that it would pass. "
    "`preflight explain a` says what it would look at."
)


def plan(*steps: Step, look: tuple[Command, ...] = ()) -> Runbook:
    return Runbook(
        cluster="c",
        product="p",
        path=UpgradePath(current="1", target="2", hops=()),
        verdict=Verdict.GO,
        blockers=(),
        warnings=(),
        waived=(),
        parts=(Part("One", steps),),
        way_back=(),
        troubles=(Troubleshooting(sign="it stops", help=("Wait.",), look=look),),
        steps_back=steps,
    )


def step(*commands: Command, proof: tuple[Command, ...] | None = None) -> Step:
    shown = None if proof is None else Proof("pass", proof)
    return Step(id="s", title="S", commands=commands, notes=("Mind.",), proof=shown)


def test_a_scan_for_nothing_but_what_is_left_out_is_a_look_of_ones_own() -> None:
    whole = plan(step(STOP, scan("a"), proof=(scan("a"), scan("a", "b"))), step(scan("a")), look=(scan("a"), STOP))
    found = without_idle_scans(whole, {"a": "no such thing here"})
    first, second = found.parts[0].steps
    assert first.commands == (STOP,)
    assert first.proof == Proof("pass", (scan("a", "b"),))
    # Once for each step, however often it was asked for there.
    assert first.notes == ("Mind.", OUT)
    assert (second.commands, second.proof, second.notes) == ((), None, ("Mind.", OUT))
    assert found.steps_back == found.parts[0].steps
    assert found.troubles == (Troubleshooting(sign="it stops", help=("Wait.", OUT), look=(STOP,)),)


def test_a_scan_that_looks_at_anything_else_stays() -> None:
    both = step(STOP, scan(), scan("a", "b"), proof=(scan("b"),))
    assert without_idle_scans(plan(both), {}) == plan(both)
    assert without_idle_scans(plan(both), {"a": "no"}) == plan(both)
    found = without_idle_scans(plan(both), {"a": "no", "b": "nor that"})
    (left,) = found.parts[0].steps
    # A scan for all there is names nothing, and leaves out what the inventory does.
    assert left.commands == (STOP, scan())
    assert left.proof == replace(Proof("pass"), commands=())
    assert len(left.notes) > 2
