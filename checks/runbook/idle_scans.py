"""What a plan says where it would ask for a check that the inventory leaves out: a scan for it alone tells nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from checks.runbook.model import Command, Proof, Runbook, Step, Troubleshooting


def without_idle_scans(runbook: Runbook, skip: Mapping[str, str]) -> Runbook:
    """The plan without scans for nothing but what `skip` leaves out; a person looks in their stead."""
    if not skip:
        return runbook
    return replace(
        runbook,
        parts=tuple(replace(part, steps=tuple(_step(step, skip) for step in part.steps)) for part in runbook.parts),
        troubles=tuple(_trouble(trouble, skip) for trouble in runbook.troubles),
        steps_back=tuple(_step(step, skip) for step in runbook.steps_back),
    )


def _trouble(trouble: Troubleshooting, skip: Mapping[str, str]) -> Troubleshooting:
    return replace(trouble, look=_kept(trouble.look, skip), help=(*trouble.help, *_instead(trouble.look, skip)))


def _step(step: Step, skip: Mapping[str, str]) -> Step:
    proof = step.proof
    told = _instead((*step.commands, *(proof.commands if proof else ())), skip)
    if not told:
        return step
    return replace(
        step,
        commands=_kept(step.commands, skip),
        proof=proof and Proof(proof.shows, _kept(proof.commands, skip)),
        notes=(*step.notes, *told),
    )


def _kept(commands: Iterable[Command], skip: Mapping[str, str]) -> tuple[Command, ...]:
    return tuple(command for command in commands if not _is_idle(command, skip))


def _is_idle(command: Command, skip: Mapping[str, str]) -> bool:
    return bool(command.judges) and skip.keys() >= set(command.judges)


def _instead(commands: Iterable[Command], skip: Mapping[str, str]) -> list[str]:
    out = [check for command in commands if _is_idle(command, skip) for check in command.judges]
    return [
        f"{check} is left out of this cluster ({skip[check]}): see for yourself that it would pass. "
        f"`preflight explain {check}` says what it would look at."
        for check in dict.fromkeys(out)
    ]
