"""What cannot be determined says why: the node's own reason reaches the message, whatever a check makes of the gap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from checks.facts import Unknown
from checks.outcome import Result, Status
from scanner.cli.options import resolve_options
from scanner.files.evidence.file import read_evidence
from scanner.probes.probe import Answer
from scanner.probes.registry import BUILTIN
from scanner.run.judge import build_scan
from scanner.run.offline import saved_answers
from scanner.transports.answers import NodeResponse
from tests.recordings.collect import FOLDER, evidence_path

Change = Callable[[str, Answer], Answer | Unknown]

ROOT = {probe.id for probe in BUILTIN if "$SUDO" in probe.script}


def refused(said: str) -> Change:
    """What needs root is refused."""
    return lambda probe, answer: Answer("", 1, error_output=said) if probe in ROOT else answer


CAUSES: dict[str, tuple[Change, str]] = {
    "sudo": (refused("sudo: a password is required\n"), "a password is required"),
    "requiretty": (refused("sudo: sorry, you must have a tty to run sudo\n"), "must have a tty"),
    "rights": (lambda _, __: Answer("", 1, error_output="cat: /x: Permission denied\n"), "ermission denied"),
    "timeout": (lambda _, __: Unknown("timed out on the node after 30 s"), "timed out on the node after 30 s"),
    "cut": (lambda _, answer: replace(answer, output=answer.output[:5], truncated=True), "cut"),
}
WINDOWS: dict[str, tuple[Change, str]] = {
    "rights": (lambda _, __: Answer("denied: C:\\x: Access to the path is denied.", 1), "Access to the path is denied"),
    "timeout": (lambda _, __: Unknown("not asked: the node's time was used up"), "time was used up"),
}
CASES = [
    *(("chef-healthy", name, *case) for name, case in CAUSES.items()),
    *(("secret-server-healthy", name, *case) for name, case in WINDOWS.items()),
]


def judged(recording: str, change: Change) -> tuple[Result, ...]:
    def changed(said: NodeResponse) -> NodeResponse:
        # That the node answers at all is none of these faults.
        answers = {
            probe: change(probe, answer)
            if isinstance(answer, Answer) and probe not in ("shell", "powershell", "chef-traces")
            else answer
            for probe, answer in said.answers.items()
        }
        return replace(said, answers=answers)

    selection, job = resolve_options(FOLDER / f"{recording}.inventory.toml")
    file = read_evidence(evidence_path(recording))
    nodes = tuple(replace(node, said=changed(node.said)) for node in file.evidence.nodes)
    file = replace(file, evidence=replace(file.evidence, nodes=nodes))
    now = file.evidence.finished + timedelta(hours=1)
    return build_scan(job, saved_answers(job, [file], now, narrowed=selection.narrowed), now.date()).results


@pytest.mark.parametrize(
    ("recording", "name", "change", "words"), CASES, ids=[f"{case[0]}-{case[1]}" for case in CASES]
)
def test_every_error_names_its_cause(recording: str, name: str, change: Change, words: str) -> None:
    results = judged(recording, change)
    errors = [row for row in results if row.status is Status.ERROR]
    assert len(errors) > 3
    # The recording of Secret Server is from before its database was asked.
    missed = [row for row in errors if words not in row.message and "not in the evidence" not in row.message]
    silent = {f"{row.check}: {row.message}" for row in missed}
    assert not silent, name
