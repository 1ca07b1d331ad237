"""Standard error is not the answer: it is shown, it says why there is no answer, and it decides nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from checks.outcome import Result, Status
from scanner.cli.options import resolve_options
from scanner.files.evidence.file import read_evidence
from scanner.lab.lab import Lab
from scanner.lab.scenario import load_scenario
from scanner.probes.probe import Answer
from scanner.run.judge import build_scan
from scanner.run.offline import saved_answers
from scanner.transports.answers import NodeResponse
from tests.recordings.collect import FOLDER, evidence_path
from tests.test_scanner.conftest import Preflight

FIELD = Path(__file__).parents[3] / "field" / "chef"
NOISE = {path.name: path.read_text(encoding="utf-8") for path in sorted(FIELD.glob("*stderr*.txt"))}


def judged(name: str, change: Callable[[str, Answer], Answer]) -> dict[tuple[str, str | None], Result]:
    """The results of a recording with each answer changed."""

    def changed(said: NodeResponse) -> NodeResponse:
        return replace(
            said,
            answers={
                probe: change(probe, answer) if isinstance(answer, Answer) else answer
                for probe, answer in said.answers.items()
            },
        )

    selection, job = resolve_options(FOLDER / f"{name}.inventory.toml")
    file = read_evidence(evidence_path(name))
    linux = [node for node in file.evidence.nodes if node.said.transport == "ssh"]
    nodes = tuple(replace(node, said=changed(node.said)) for node in linux)
    file = replace(file, evidence=replace(file.evidence, nodes=nodes))
    now = file.evidence.finished + timedelta(hours=1)
    done = build_scan(job, saved_answers(job, [file], now, narrowed=selection.narrowed), now.date())
    return {(result.check, result.node): result for result in done.results}


def told(results: Mapping[Any, Result]) -> dict[Any, tuple[object, ...]]:
    return {key: (each.status, each.message, each.observed, each.expected) for key, each in results.items()}


@pytest.mark.parametrize("recording", ["chef-healthy", "demo"])
@pytest.mark.parametrize("noise", NOISE)
def test_what_real_programs_say_there_changes_nothing(recording: str, noise: str) -> None:
    plain = judged(recording, lambda _, answer: answer)
    noisy = judged(recording, lambda _, answer: replace(answer, error_output=answer.error_output + NOISE[noise]))
    assert told(noisy) == told(plain)


def test_it_is_shown_beside_what_was_judged() -> None:
    def change(probe: str, answer: Answer) -> Answer:
        return replace(answer, error_output="warning: x\n" * 1000) if probe == "chef-service-status" else answer

    found = judged("chef-healthy", change)
    shown = {key: told for key, each in found.items() if (told := each.evidence.get("standard_error"))}
    assert {check for check, _ in shown} >= {"chef-cluster-status", "chef-version-match"}
    nodes: Any = shown["chef-cluster-status", None]
    assert set(nodes) == {"backend-1", "backend-2", "backend-3"}
    assert nodes["backend-1"].keys() == {"chef-service-status"}
    assert nodes["backend-1"]["chef-service-status"].startswith("warning: x\n")
    assert len(nodes["backend-1"]["chef-service-status"]) < 3000


@pytest.mark.parametrize("code", [0, 1])
def test_a_program_that_only_complains_has_not_answered(code: int) -> None:
    def mute(_: str, answer: Answer) -> Answer:
        return Answer("", code, error_output=f"{answer.output}\nERROR: x")

    passed = {check for (check, _), each in judged("chef-healthy", mute).items() if each.status is Status.PASS}
    assert passed == {"connectivity", "clock-skew"}  # the conversation itself goes well


def test_it_travels_beside_the_answer_from_a_node_to_the_evidence(tmp_path: Path, preflight: Preflight) -> None:
    text = "WARN: Unresolved specs during Gem::Specification.reset:\n      ffi (>= 1.0.1)"
    with Lab(load_scenario("chef-standard-error")) as lab:
        inventory = lab.write(tmp_path)
        ended = preflight("scan", inventory, "--evidence", tmp_path / "e.json", "--json", tmp_path / "r.json")
    assert ended.code == 0, ended.out
    saved = json.loads((tmp_path / "e.json").read_text(encoding="utf-8"))
    answer = saved["nodes"][0]["answers"]["chef-cluster-status"]
    assert answer["error_output"] == text
    assert text not in answer["output"]
    assert "error_output" not in saved["nodes"][0]["answers"]["shell"]
    preflight("scan", inventory, "--from", tmp_path / "e.json", "--json", tmp_path / "again.json")
    fresh, again = (json.loads((tmp_path / name).read_text(encoding="utf-8")) for name in ("r.json", "again.json"))
    (row,) = (row for row in fresh["results"] if row["check"] == "chef-cluster-status")
    assert row["evidence"]["standard_error"]["backend-1"] == {"chef-cluster-status": text}
    assert again["results"] == fresh["results"]
