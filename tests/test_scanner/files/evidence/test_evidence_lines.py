"""Evidence as lines: the same content, whatever the name; what is no sound file of lines is told with its line."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from scanner.errors import UsageError
from scanner.files.evidence import lines
from scanner.files.evidence.document import lines_schema, node_from
from scanner.files.evidence.file import parse_evidence, read_evidence, write_evidence
from scanner.files.evidence.model import Evidence, NodeEvidence
from scanner.lab.lab import Lab
from scanner.probes.probe import Answer
from tests.living import alive, older_objects_aside
from tests.recordings.collect import evidence_path
from tests.schemas import closed

__all__ = ["older_objects_aside"]

RECORDED = ["demo", "chef-estate", "secret-server-healthy"]


@pytest.fixture(scope="module")
def kept() -> Evidence:
    return read_evidence(evidence_path("demo")).evidence


@pytest.fixture(scope="module")
def text(kept: Evidence) -> bytes:
    return b"".join(lines.line_pieces(kept))


def refused(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    with pytest.raises(UsageError) as error:
        read_evidence(path)
    assert str(error.value).startswith(f"evidence {path}: ")
    return str(error.value).removeprefix(f"evidence {path}: ")


def with_line(text: bytes, number: int, line: bytes) -> bytes:
    every = text.splitlines(keepends=True)
    return b"".join([*every[:number], line, *every[number + 1 :]])


@pytest.mark.parametrize("name", RECORDED)
@pytest.mark.parametrize("file", ["e.jsonl", "e.jsonl.gz"])
def test_lines_hold_what_the_document_holds(tmp_path: Path, name: str, file: str) -> None:
    whole = read_evidence(evidence_path(name)).evidence
    write_evidence(tmp_path / file, whole)
    found = read_evidence(tmp_path / file)
    assert found.evidence == whole
    assert (tmp_path / file).stat().st_mode & 0o777 == 0o600
    written = (tmp_path / file).read_bytes()
    text = gzip.decompress(written) if file.endswith(".gz") else written
    assert written.startswith(b"\x1f\x8b") is file.endswith(".gz")
    assert len(text.splitlines()) == len(whole.nodes) + 2
    (tmp_path / "renamed.txt").write_bytes(written)
    assert read_evidence(tmp_path / "renamed.txt").evidence == whole, "whatever it is called"


def test_each_line_is_as_the_schema_says(text: bytes) -> None:
    jsonschema.Draft202012Validator.check_schema(lines_schema())
    shape = jsonschema.Draft202012Validator(closed(lines_schema()))
    first, *nodes, last = [json.loads(line) for line in text.splitlines()]
    for value in (first, *nodes, last):
        assert shape.is_valid(value)
    assert not shape.is_valid({**first, "schema": "preflight.evidence/1"})
    assert not shape.is_valid({key: value for key, value in nodes[0].items() if key != "node"})
    assert ("schema" in first, "checksum" in last) == (True, True)
    assert [value["node"] for value in nodes]


def test_the_commands_write_and_read_lines(tmp_path: Path, preflight: Callable[..., Any]) -> None:
    with Lab("chef-healthy") as lab:
        inventory = lab.write(tmp_path)
        scanned = preflight("scan", inventory, "--evidence", tmp_path / "a.jsonl.gz")
        collected = preflight("collect", inventory, "-o", tmp_path / "b.jsonl")
    assert (scanned.code, collected.code) == (0, 0)
    for name in ("a.jsonl.gz", "b.jsonl"):
        judged = preflight("scan", inventory, "--from", tmp_path / name)
        assert judged.code == 0
        assert judged.out.startswith("GO")
    both = preflight("scan", inventory, "--from", tmp_path / "a.jsonl.gz", "--from", tmp_path / "b.jsonl")
    assert "hold the same nodes" in " ".join(both.out.split())


def test_keys_that_later_versions_add_are_passed_over(tmp_path: Path, kept: Evidence, text: bytes) -> None:
    node = text.splitlines(keepends=True)[1]
    data = with_line(text, 1, node.replace(b'{"cluster"', b'{"later":[1],"cluster"'))
    assert data != text
    told = refused(tmp_path / "e.jsonl", data)
    assert "its checksum does not fit its content" in told, "what is there is what was summed up"
    later = [json.loads(line) for line in text.splitlines()]
    later[1]["later"] = [1]
    (tmp_path / "e.jsonl").write_bytes(summed(later))
    assert read_evidence(tmp_path / "e.jsonl").evidence == kept


def summed(values: list[dict[str, Any]]) -> bytes:
    """The values as lines, with the checksum that they have."""
    before = b"".join(json.dumps(value, separators=(",", ":")).encode() + b"\n" for value in values[:-1])
    rest = {key: value for key, value in values[-1].items() if key != "checksum"}
    canonical = json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()
    told = f"sha256:{hashlib.sha256(before + canonical).hexdigest()}"
    return before + json.dumps({**rest, "checksum": told}, separators=(",", ":")).encode() + b"\n"


def test_the_checksum_is_what_the_schema_says_it_is(text: bytes) -> None:
    assert summed([json.loads(line) for line in text.splitlines()]) == text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text[:-1], "it is cut off in its middle"),
        (lambda text: text[: len(text) // 2], "it is cut off in its middle"),
        (lambda text: b"".join(text.splitlines(keepends=True)[:-1]), "its last line is missing"),
        (lambda text: b"".join(text.splitlines(keepends=True)[:1]), "its last line is missing"),
        (lambda text: text + b"\n", "something stands after its end"),
        (lambda text: text + text, "something stands after its end"),
        (lambda text: with_line(text, 2, b""), "its checksum does not fit its content"),
        (lambda text: text.replace(b"Linux", b"Minix", 1), "its checksum does not fit its content"),
        (lambda text: with_line(text, 2, b"\n"), "line 3: no JSON object, so it is damaged"),
        (lambda text: with_line(text, 2, b"[]\n"), "line 3: no JSON object"),
        (lambda text: with_line(text, 1, b'{"node": NaN}\n'), "line 2: no JSON object"),
        (lambda text: with_line(text, 1, b"[" * 100_000 + b"\n"), "line 2: no JSON object"),
        (lambda text: with_line(text, 1, b"\xff\n"), "line 2: no JSON object"),
        (lambda text: with_line(text, 1, b'{"cluster": "a"}\n'), "line 2: this is no sound evidence"),
        (lambda text: text.replace(b"evidence-lines/1", b"evidence-lines/2", 1), "made by a newer preflight"),
        (lambda text: text.replace(b"evidence-lines/1", b"evidence-lines/x", 1), "line 1: its schema is none"),
        (lambda text: gzip.compress(text)[:-9], "it is cut off in its middle"),
        (lambda text: gzip.compress(text) + b"x", "something stands after its end"),
        (lambda text: gzip.compress(text) + gzip.compress(text), "something stands after its end"),
    ],
)
def test_what_is_damaged_is_told(tmp_path: Path, text: bytes, change: Callable[[bytes], bytes], said: str) -> None:
    assert change(text) != text
    assert said in refused(tmp_path / "e.jsonl.gz", change(text))


@pytest.mark.parametrize("packed", [False, True])
def test_however_it_is_cut_or_changed_it_is_refused_or_the_same(tmp_path: Path, text: bytes, *, packed: bool) -> None:
    whole = gzip.compress(text, mtime=0) if packed else text
    path = tmp_path / "e.jsonl.gz"
    path.write_bytes(whole)
    right = read_evidence(path)
    refusals = 0
    for at in range(0, len(whole), len(whole) // 61):
        for data in (whole[:at], whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :], whole[:at] + whole[at + 1 :]):
            path.write_bytes(data)
            try:
                found = read_evidence(path)
            except UsageError:
                refusals += 1
            else:
                assert packed, "each byte of a text counts"
                assert found == right
    assert refusals > 150


@pytest.mark.parametrize("packed", [False, True])
def test_lines_in_a_pipe_are_read(text: bytes, *, packed: bool) -> None:
    read = parse_evidence(gzip.compress(text) if packed else text, Path("/dev/fd/63"))
    assert len(read.evidence.nodes) == text.count(b"\n") - 2


def test_a_damaged_archive_is_told(tmp_path: Path, text: bytes) -> None:
    packed = bytearray(gzip.compress(text))
    packed[-6] ^= 1
    assert "it cannot be unpacked, so it is damaged" in refused(tmp_path / "e.jsonl.gz", bytes(packed))


def test_a_node_that_stands_there_twice_is_told(tmp_path: Path, text: bytes) -> None:
    values = [json.loads(line) for line in text.splitlines()]
    assert "where" in refused(tmp_path / "e.jsonl", summed([*values[:2], values[1], *values[2:]]))
    values[-1]["counts"]["nodes"] += 1
    values[-1]["counts"]["answers"] += len(values[1]["answers"])
    twice = summed([*values[:2], values[1], *values[2:]])
    assert "one of them stands there twice" in refused(tmp_path / "e.jsonl", twice)


def bomb(before: bytes, filling: bytes, times: int) -> bytes:
    """A small file that unpacks to a large one."""
    packer = zlib.compressobj(9, wbits=31)
    parts = [packer.compress(before), *(packer.compress(filling) for _ in range(times)), packer.flush()]
    return b"".join(parts)


def test_a_small_file_may_not_fill_the_memory(tmp_path: Path, text: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blanks without end, lines without end, nodes without end: each ends at its limit, whatever is to come."""
    head, node, *_ = text.splitlines(keepends=True)
    monkeypatch.setattr(lines, "MOST_BYTES", 4 * 1024**2)
    monkeypatch.setattr(lines, "MOST_LINE_BYTES", 1024**2)
    blanks = bomb(head, b" " * 1024**2, 64)
    assert len(blanks) < 100_000
    assert "one of its lines is longer than 1 MiB" in refused(tmp_path / "e.jsonl.gz", blanks)
    assert "it unpacks to more than 4 MiB" in refused(tmp_path / "e.jsonl.gz", bomb(head, node, 5_000))
    monkeypatch.setattr(lines, "MOST_NODES", 3)
    assert "it holds more than 3 nodes" in refused(tmp_path / "e.jsonl.gz", bomb(head, node, 10))
    monkeypatch.setattr(lines, "MOST_BYTES", 1024**2)
    assert "it is larger than 1 MiB" in refused(tmp_path / "e.jsonl", head + b" " * 2 * 1024**2)


def test_more_than_can_be_read_is_not_written(tmp_path: Path, kept: Evidence, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MOST_BYTES", 10_000)
    with pytest.raises(UsageError, match=r"the evidence takes more than the .* that can be read again.*in parts"):
        write_evidence(tmp_path / "e.jsonl", kept)
    assert not list(tmp_path.iterdir())


def test_no_other_nodes_answers_are_there_while_one_is_read(
    tmp_path: Path, kept: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_evidence(tmp_path / "e.jsonl.gz", kept)

    before, most = len(alive(Answer)), 0

    def reading(value: object) -> NodeEvidence:
        nonlocal most
        most = max(most, len(alive(Answer)) - before)
        return node_from(value)

    monkeypatch.setattr(lines, "node_from", reading)
    assert read_evidence(tmp_path / "e.jsonl.gz").evidence == kept
    assert most == 0


def test_evidence_of_no_node_and_of_an_interrupted_run(tmp_path: Path, kept: Evidence) -> None:
    left = tuple((each.said.cluster, each.said.node) for each in kept.nodes)
    empty = replace(kept, nodes=(), complete=False, unanswered=left)
    write_evidence(tmp_path / "e.jsonl", empty)
    assert read_evidence(tmp_path / "e.jsonl").evidence == empty
