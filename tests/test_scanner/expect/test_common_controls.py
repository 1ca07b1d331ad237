"""The controls that public profiles ask for most, as expectations: they are read, and real shells answer them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from checks.engine.expect.findings import State, findings
from checks.engine.expect.model import Expectation
from scanner.inventory.loaded import Loaded
from scanner.loading.inventory import load_inventory
from scanner.probes.batch.sh import compose, parse
from scanner.probes.probe import Answer, Probe

EXAMPLE = Path(__file__).parents[3] / "examples" / "expectations.toml"
INVENTORY = """
[defaults.winrm]
user = 'CORP\\svc'
password_env = "PW"
[clusters.chef]
product = "chef-backend"
  [clusters.chef.nodes.be1]
  roles = ["backend"]
[clusters.vault]
product = "secret-server"
  [clusters.vault.nodes.web1]
  roles = ["web"]
"""


def own(folder: Path) -> Loaded:
    (folder / "checks.d").mkdir()
    (folder / "checks.d" / "common.toml").write_text(EXAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "inventory.toml").write_text(INVENTORY)
    return load_inventory(folder / "inventory.toml").own


def wanted_by(probe: Probe) -> Expectation:
    ((_, reader),) = probe.readers
    expectation: Expectation = reader.args[0]  # type: ignore[attr-defined]  # a partial of the reader and what is wanted
    return expectation


def test_they_are_at_least_twenty_of_all_kinds(tmp_path: Path) -> None:
    found = own(tmp_path)
    assert len(found.checks) >= 20
    kinds = {wanted_by(probe).kind for probe in found.probes}
    assert kinds == {"file", "registry", "service", "package", "port", "command"}


@pytest.mark.skipif(os.name == "nt", reason="the nodes that are asked so run POSIX systems")
def test_this_machine_answers_every_one_of_them(tmp_path: Path) -> None:
    probes = [
        probe
        for probe in own(tmp_path).probes
        if probe.language == "sh" and wanted_by(probe).products != ("secret-server",)
    ]
    assert len(probes) >= 20
    script = compose(probes, nonce="7f3a00nonce", budget_s=60, options={}, sudo=False, probe_bytes=50_000)
    done = subprocess.run(["sh", "-s"], input=script.encode(), capture_output=True, timeout=90, check=True)
    answers = parse(done.stdout, nonce="7f3a00nonce", probe_ids=[probe.id for probe in probes])
    states = set()
    for probe in probes:
        ((_, reader),) = probe.readers
        answer = answers[probe.id]
        assert isinstance(answer, Answer), (probe.id, answer)
        judged = findings(wanted_by(probe), reader(answer))  # type: ignore[arg-type]  # an observation
        assert judged
        states |= {one.state for one in judged}
    assert states >= {State.KEPT, State.BROKEN}
