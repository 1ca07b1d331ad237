"""Each probe has its healthy answer beside it, and that is what a healthy node of the lab gives."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from checks.facts import Unknown
from scanner.lab.machines.chef_backend.cluster import CommandOutput
from scanner.lab.machines.linux import sh_answers
from scanner.lab.machines.windows.script import Machine, run_script
from scanner.lab.scenario import load_scenario
from scanner.probes.batch.powershell import compose, parse
from scanner.probes.probe import Answer, Probe
from scanner.probes.registry import BUILTIN
from scanner.testing import read

HEALTHY = ("secret-server-healthy", "chef-healthy", "chef-frontends")
NONCE = "n" * 32
ASKED = [probe for probe in BUILTIN if probe.language in ("sh", "powershell")]


def given(probe: Probe) -> Iterator[Answer]:
    """What the healthy nodes that are asked it answer to `probe`, each without anything else to go by."""
    for name in HEALTHY:
        for cluster in load_scenario(name).clusters:
            for node in cluster.nodes:
                if probe.roles and not set(probe.roles) & set(node.roles):
                    continue
                if probe.language == "powershell" and node.machine:
                    yield _windows(node.machine, probe)
                elif probe.language == "sh" and not node.machine:
                    # What no machine of the lab knows is answered with the sample; what one knows has to agree.
                    sample = {probe.id: CommandOutput(probe.sample, 0, probe.sample_errors)}
                    said = sh_answers.answer(node, cluster, sample, probe.id, sudo=True)
                    yield Answer(said.output, said.exit_code, error_output=said.error_output)


def _windows(machine: Machine, probe: Probe) -> Answer:
    script = compose((probe,), nonce=NONCE, budget_s=10, options={}, probe_bytes=10**6)
    answer = parse(run_script(script, machine, (probe,)).stdout, nonce=NONCE, probe_ids=[probe.id])[probe.id]
    assert not isinstance(answer, Unknown), answer.reason
    return answer


@pytest.mark.parametrize("probe", ASKED, ids=lambda probe: probe.id)
def test_the_sample_is_a_healthy_node_s_answer_and_its_readers_read_it(probe: Probe) -> None:
    said = json.dumps(json.loads(probe.sample)) if probe.language == "powershell" else probe.sample
    assert Answer(said, 0, error_output=probe.sample_errors) in list(given(probe))
    assert not [fact for fact in read(probe).values() if isinstance(fact, Unknown)]
