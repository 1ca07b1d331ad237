"""Of a large estate, one cluster's facts and one node's answers are in memory at a time, and nothing said gets lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from checks.check import NodeView
from checks.engine.evaluation import GatheredCluster, evaluate
from scanner.cli.options import resolve_options
from scanner.clock import utc_now
from scanner.errors import UsageError
from scanner.files.evidence import document, stream
from scanner.files.evidence.file import (
    MOST_BYTES,
    pack,
    parse_evidence,
    pieces,
    read_evidence,
    to_bytes,
    write_evidence,
)
from scanner.files.evidence.model import Evidence, EvidenceFile, NodeEvidence
from scanner.files.packed.results import ShelvedEvidence
from scanner.probes.probe import Answer
from scanner.run.job import ScanRequest
from scanner.run.judge import build_scan, gathered_clusters
from scanner.run.offline import saved_answers
from scanner.transports.answers import Responses
from tests.living import alive, older_objects_aside
from tests.recordings.collect import FOLDER, evidence_path

__all__ = ["older_objects_aside"]

CLUSTERS = 6
RECORDED = "chef-healthy"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Evidence of several clusters, each as the recorded one."""
    recorded = read_evidence(evidence_path(RECORDED)).evidence
    nodes = [
        replace(node, said=replace(node.said, cluster=f"chef{number}"))
        for number in range(CLUSTERS)
        for node in recorded.nodes
    ]
    path = tmp_path_factory.mktemp("estate") / "estate.evidence.json"
    write_evidence(path, replace(recorded, nodes=tuple(nodes), unanswered=(), inventory="estate.toml"))
    return path


@pytest.fixture(scope="module")
def job(file: Path) -> ScanRequest:
    text = (FOLDER / f"{RECORDED}.inventory.toml").read_text(encoding="utf-8")
    start = text.index("[clusters.chef]")
    port = iter(range(20_000, 30_000))
    parts = [
        "\n".join(
            f"port = {next(port)}" if line.startswith("port") else line
            for line in text[start:].replace("clusters.chef", f"clusters.chef{number}").splitlines()
        )
        for number in range(CLUSTERS)
    ]
    path = file.with_name("estate.toml")
    path.write_text(text[:start] + "\n".join(parts), encoding="utf-8")
    return resolve_options(path)[1]


def collected(job: ScanRequest, file: Path) -> Responses:
    return saved_answers(job, [read_evidence(file)], utc_now(), narrowed=False)


def test_a_judged_clusters_facts_are_gone_when_the_next_one_is_judged(job: ScanRequest, file: Path) -> None:
    seen: list[set[str]] = []

    def see(cluster: GatheredCluster) -> None:
        assert cluster.nodes[0].facts
        seen.append({str(view.cluster.name) for view in alive(NodeView)})

    before = {str(view.cluster.name) for view in alive(NodeView)}
    done = build_scan(job, collected(job, file), date(2026, 11, 26), see)
    assert [names - before for names in seen] == [{f"chef{number}"} for number in range(CLUSTERS)]
    assert {row.cluster for row in done.results} == {f"chef{number}" for number in range(CLUSTERS)}


def test_never_more_than_one_nodes_answers_are_there_while_evidence_is_read(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = len(alive(Answer))
    most = 0
    read = document.node_from

    def reading(value: object) -> NodeEvidence:
        nonlocal most
        most = max(most, len(alive(Answer)) - before)
        return read(value)

    monkeypatch.setattr(stream, "node_from", reading)
    held = read_evidence(file)
    assert len(held.evidence.nodes) == CLUSTERS * 3
    assert most == 0
    assert len(alive(Answer)) == before
    assert held.evidence.nodes[0].said.answers["chef-cluster-status"]


def test_evidence_is_written_node_by_node(file: Path) -> None:
    evidence = read_evidence(file).evidence
    made = [len(piece) for piece in pieces(evidence)]
    assert len(made) == len(evidence.nodes) + 2
    assert max(made) < 3 * sum(made) / len(made)
    assert b"".join(pieces(evidence)) == to_bytes(evidence) == file.read_bytes()


def test_results_keep_their_evidence_packed_and_give_it_back_whole(job: ScanRequest, file: Path) -> None:
    told = collected(job, file)
    done = build_scan(job, told, date(2026, 11, 26))
    plain = evaluate(job.checks, tuple(gathered_clusters(job, told)))
    assert any(isinstance(row.evidence, ShelvedEvidence) for row in done.results)
    assert list(done.results) == list(plain)


@pytest.mark.parametrize("name", ["demo", "chef-estate", "secret-server-healthy"])
def test_evidence_read_node_by_node_is_what_is_read_whole(name: str, tmp_path: Path) -> None:
    """However the file is cut, changed or laid out: both give the same, or the whole reader says why not."""
    whole = evidence_path(name).read_bytes()
    sample = range(0, len(whole), len(whole) // 23)
    variants = [whole, pack("e.gz", whole), pack("e.gz", whole)[:-3], pack("e.gz", whole) + b"x", whole + b" ", b""]
    variants += [whole[:at] for at in sample]
    variants += [whole[:at] + b"7" + whole[at + 1 :] for at in sample]
    variants += [
        whole.replace(b' "nodes"', b' "later": 1,\n "nodes"'),
        b"\xef\xbb\xbf" + whole,
        whole.replace(b"\n", b""),
    ]
    path = tmp_path / "e.json"
    streamed = 0
    for data in variants:
        path.write_bytes(data)
        found = stream.stream_evidence(path, MOST_BYTES)
        told: EvidenceFile | None = None
        try:
            told = parse_evidence(data, path)
        except UsageError:
            assert found is None
        if found:
            assert found == told
            streamed += 1
    assert streamed >= 4


def test_evidence_of_no_node_is_evidence(file: Path, tmp_path: Path) -> None:
    empty: Evidence = replace(read_evidence(file).evidence, nodes=())
    write_evidence(tmp_path / "e.json", empty)
    assert read_evidence(tmp_path / "e.json").evidence == empty
