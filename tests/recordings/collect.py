"""Collect the recordings anew: `python -m tests.recordings.collect [NAME]...`; all of them without a name.

Each is the evidence of a lab scenario, as `preflight collect` gives it, with the inventory that it was collected by and
the statuses that its checks came to. What tells of the machine that collected it is left out.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from checks.outcome import Result
from scanner.cli.answers import with_credentials
from scanner.cli.options import resolve_options
from scanner.files.evidence.file import read_evidence, write_evidence
from scanner.lab.lab import Lab
from scanner.probes.probe import Answer
from scanner.run.collect import collect
from scanner.run.job import ScanRequest
from scanner.run.judge import build_scan
from scanner.run.offline import evidence_of
from scanner.transports.answers import Responses

FOLDER = Path(__file__).parent
RECORDED = ("demo", "chef-healthy", "secret-server-healthy")


def record(name: str) -> None:
    """Write the three files of one recording."""
    with tempfile.TemporaryDirectory() as folder, Lab(name) as lab:
        inventory = lab.write(Path(folder))
        text = inventory.read_text(encoding="utf-8").replace(folder, "lab")
        selection, job = resolve_options(inventory)
        collected = collect(with_credentials(job, selection))
    keep(name, text, job, collected)


def keep(name: str, inventory: str, job: ScanRequest, collected: Responses) -> None:
    """Write the three files of a recording, whatever machines were asked."""
    path = FOLDER / f"{name}.inventory.toml"
    path.write_text(inventory, encoding="utf-8", newline="\n")
    write_evidence(evidence_path(name), replace(evidence_of(job, collected), host="lab", inventory=path.name))
    evidence_path(name).chmod(0o644)
    done = build_scan(job, collected, collected.finished.date())
    rows = json.dumps({key(result): str(result.status) for result in done.results}, indent=1)
    (FOLDER / f"{name}.statuses.json").write_text(rows + "\n", encoding="utf-8", newline="\n")


def evidence_path(name: str) -> Path:
    """Where the evidence of a recording is."""
    return FOLDER / f"{name}.evidence.json"


def answer(name: str, node: str, probe: str) -> Answer:
    """What `node` answered to `probe` in a recording, for the tests of readers."""
    nodes = read_evidence(evidence_path(name)).evidence.nodes
    found = next(each for each in nodes if each.said.node == node).said.answers[probe]
    assert isinstance(found, Answer), found
    return found


def key(result: Result) -> str:
    """What a result is about, in one text."""
    return f"{result.cluster} {result.node or '(cluster)'} {result.check}"


if __name__ == "__main__":
    for each in sys.argv[1:] or RECORDED:
        record(each)
