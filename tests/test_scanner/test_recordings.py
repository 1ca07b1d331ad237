"""Recordings of the lab, made with `preflight collect`: what an earlier version collected, today's version judges.

A recording of a released version stays as it is; its statuses alone are changed, where a rule was changed on purpose.
"""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.facts import Unknown
from reports.codec.writing import write
from reports.render.json_kinds import Remedy
from scanner.cli.options import resolve_options
from scanner.files.evidence.file import read_evidence
from scanner.probes.chef_backend.cluster_readers import read_cluster_status
from scanner.probes.probe import Answer, UnreadableError
from scanner.probes.registry import BUILTIN
from scanner.run.facts import read_facts
from scanner.run.judge import build_scan
from scanner.run.offline import saved_answers
from tests.recordings.collect import FOLDER, answer, evidence_path, key
from tests.test_scanner.remedies import assert_can_be_pasted
from tests.test_scanner.ways_out import assert_no_breach_is_repaired_unseen

NAMES = sorted(path.name.removesuffix(".evidence.json") for path in FOLDER.glob("*.evidence.json"))
PROBES = {probe.id: probe for probe in BUILTIN}
ANSWERS = sorted(
    {
        (name, answer.output, answer.exit_code)
        for path in FOLDER.glob("*.evidence.json")
        for node in read_evidence(path).evidence.nodes
        for name, answer in node.said.answers.items()
        if isinstance(answer, Answer) and name in PROBES
    }
)


@pytest.mark.parametrize("name", NAMES)
def test_what_was_collected_then_is_judged_now(name: str) -> None:
    selection, job = resolve_options(FOLDER / f"{name}.inventory.toml")
    file = read_evidence(evidence_path(name))
    now = file.evidence.finished + timedelta(hours=1)
    done = build_scan(job, saved_answers(job, [file], now, narrowed=selection.narrowed), now.date())
    then = json.loads((FOLDER / f"{name}.statuses.json").read_text(encoding="utf-8"))
    statuses = {key(result): str(result.status) for result in done.results}
    assert {each: statuses.get(each) for each in then} == then
    rows = [
        {
            "check": row.check,
            "node": row.node,
            "status": row.status,
            "message": row.message,
            "observed": row.observed,
            "remediation": write(Remedy, row.remediation),
        }
        for row in done.results
    ]
    assert_can_be_pasted(rows)
    assert_no_breach_is_repaired_unseen(rows)


@pytest.mark.parametrize(
    ("name", "unread"),
    [
        ("chef-healthy", set()),
        # A database host has no application.
        ("secret-server-healthy", {"sql1: WebRoot", "sql1: AppFiles", "sql1: EncryptionConfig"}),
    ],
)
def test_every_answer_of_a_healthy_node_can_be_read(name: str, unread: set[str]) -> None:
    found = set()
    for node in read_evidence(evidence_path(name)).evidence.nodes:
        facts = read_facts(node.said, [PROBES[probe] for probe in node.probes if probe in PROBES])
        found |= {f"{node.said.node}: {kind.__name__}" for kind, fact in facts.items() if isinstance(fact, Unknown)}
    assert found == unread


def test_a_reader_reads_what_a_recording_holds() -> None:
    status = read_cluster_status(answer("demo", "chef-backend1", "chef-cluster-status"))
    assert [(member.name, member.role) for member in status.members] == [
        ("chef-backend1", "deposed_leader"),
        ("chef-backend2", "leader"),
        ("chef-backend3", "follower"),
    ]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(ANSWERS), st.floats(0, 1), st.sampled_from(["cut", "add", "lose"]), st.text(max_size=3))
def test_a_garbled_answer_is_unreadable_and_nothing_worse(
    told: tuple[str, str, int], where: float, how: str, piece: str
) -> None:
    name, output, code = told
    at = int(where * len(output))
    rest = {"cut": "", "add": piece + output[at:], "lose": output[at + len(piece) :]}[how]
    for kind, reader in PROBES[name].readers:
        try:
            fact = reader(Answer(output[:at] + rest, code))
        except UnreadableError as error:
            assert str(error)  # noqa: PT017  either outcome is right
            continue
        assert isinstance(fact, kind)


def test_there_are_recordings() -> None:
    assert {"demo", "chef-healthy", "secret-server-healthy"} <= set(NAMES)
    assert all((FOLDER / f"{name}.{rest}").is_file() for name in NAMES for rest in ("inventory.toml", "statuses.json"))
    assert Path(FOLDER / "collect.py").is_file()
