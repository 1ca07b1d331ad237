"""Simulated nodes say the field's own texts over real connections, and the checks come to the right conclusion."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scanner.lab.lab import Lab
from scanner.lab.machines.chef_backend.cluster import CommandOutput
from scanner.lab.scenario import Scenario, load_scenario
from tests.field.samples import Sample, answer_of, awaited, readers, samples

JUDGED = [pytest.param(sample, id=str(sample), marks=awaited(sample)) for sample in samples() if sample.judged]


def played(sample: Sample) -> Scenario:
    """The sample's scenario, whose nodes answer with it."""
    scenario = load_scenario(sample.scenario)
    answers = {probe: CommandOutput(text) for probe, text in sample.beside.items()}
    for name in sample.readers:
        said = answer_of(sample, readers()[name][0])
        answers[readers()[name][0].id] = CommandOutput(said.output, said.exit_code, said.error_output)
    clusters = tuple(
        replace(
            cluster,
            nodes=tuple(
                replace(node, answers={**node.answers, **answers})
                if not sample.roles or set(sample.roles) & set(node.roles)
                else node
                for node in cluster.nodes
            ),
        )
        for cluster in scenario.clusters
    )
    return replace(scenario, clusters=clusters)


@pytest.mark.parametrize("sample", JUDGED)
def test_the_conclusion_is_the_right_one(sample: Sample, tmp_path: Path, preflight: Callable[..., Any]) -> None:
    out = tmp_path / "out.json"
    with Lab(played(sample)) as lab:
        preflight("scan", lab.write(tmp_path), "--json", out)
    results = json.loads(out.read_text(encoding="utf-8"))["results"]
    for check, status in sample.judged.items():
        told = [(result["status"], result["message"]) for result in results if result["check"] == check]
        statuses = {one for one, _ in told if one != "skip"}
        assert statuses == {status}, told
