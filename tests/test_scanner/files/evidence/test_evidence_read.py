"""What is read again is what was written, or it is refused: damaged, cut off, foreign, too new, or made to hurt."""

from __future__ import annotations

import copy
import gzip
import json
import os
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanner.errors import UsageError
from scanner.files.evidence import file as evidence_file
from scanner.files.evidence.document import schema, to_document
from scanner.files.evidence.file import checksum, pack, parse_evidence, read_evidence, to_bytes, write_evidence
from scanner.files.evidence.model import Evidence
from scanner.transports.answers import NodeResponse
from tests.schemas import closed
from tests.test_scanner.files.evidence.conftest import NOON, node_evidence

Make = Callable[..., Evidence]
PATH = Path("site.json.gz")
WHOLE = Evidence(
    tool_version="0.1.0",
    host="bastion",
    inventory="inventory.toml",
    started=NOON,
    finished=NOON,
    complete=False,
    nodes=(node_evidence("b1"), node_evidence("b2", failure="refused", hint="start it", clock=None, asked_at=None)),
    unanswered=(("chef", "b3"),),
    notices=("the TLS certificate is not verified (verify = false): chef.b1",),
)


def refusal(data: bytes) -> str:
    with pytest.raises(UsageError) as caught:
        parse_evidence(data, PATH)
    text = str(caught.value)
    assert text.startswith(f"evidence {PATH}: ")
    assert "\n" not in text
    return text


def resealed(document: dict[str, Any]) -> bytes:
    """The document with the checksum that fits it, as a forger would send it."""
    return json.dumps({**document, "checksum": checksum(document)}).encode()


@pytest.mark.parametrize("name", ["e.json", "e.json.gz"])
def test_everything_comes_back(tmp_path: Path, name: str) -> None:
    write_evidence(tmp_path / name, WHOLE)
    assert read_evidence(tmp_path / name).evidence == WHOLE


def test_nothing_that_a_node_said_is_left_out() -> None:
    """A new field of an answer must be kept too, or the results from evidence differ from those of the live scan."""
    said = WHOLE.nodes[0].said
    bare = NodeResponse(cluster="", node="", host="", transport="")
    made_later = {"lacking", "cleaned_by"}
    untried = {
        each.name
        for each in fields(NodeResponse)
        if getattr(said, each.name) == getattr(bare, each.name)
        and getattr(WHOLE.nodes[1].said, each.name) == getattr(bare, each.name)
    }
    assert untried == made_later


def test_what_is_written_has_the_published_shape() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.validate(json.loads(to_bytes(WHOLE)), closed(schema()))
    flaws: tuple[dict[str, object], ...] = ({"clock": {}}, {"failure": 1}, {"later": 1})
    for flaw in flaws:
        document = json.loads(to_bytes(WHOLE))
        document["nodes"][0] |= flaw
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(document, closed(schema()))
    document = json.loads(to_bytes(WHOLE))
    document["nodes"][0] |= {"later": 1}
    jsonschema.validate(document, schema())


def test_the_packing_is_told_by_the_content_not_by_the_name() -> None:
    data = to_bytes(WHOLE)
    assert parse_evidence(data, Path("e.json.gz")) == parse_evidence(gzip.compress(data), Path("e.json.gz"))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "it is empty"),
        (b" \n", "it is empty"),
        (b"[clusters.vault]\nproduct = 1", "not JSON at line 1, column 2"),
        (b"\x89PNG\r\n\x1a\n\x00\xff", "this is no text"),
        (b'["preflight.evidence/1"]', "`preflight collect INVENTORY -o FILE` writes some"),
        (b"null", "`preflight collect INVENTORY -o FILE` writes some"),
        (b"{}", "it names no schema"),
        (b'{"schema": "preflight.result/1"}', "its schema is 'preflight.result/1', not 'preflight.evidence/1'"),
        (b'{"schema": "preflight.evidence/0"}', "its schema is 'preflight.evidence/0'"),
        (
            b'{"schema": "preflight.evidence/2"}',
            "made by a newer preflight, in the format preflight.evidence/2: upgrade",
        ),
        (
            b'{"schema": "preflight.evidence/12", "tool": {"name": "preflight", "version": "3.1"}}',
            "made by a newer preflight (3.1), in the format preflight.evidence/12: upgrade preflight here to read it",
        ),
        (b'{"schema": "preflight.evidence/1"}', "its checksum does not fit its content"),
        (b'{"schema": "preflight.evidence/1", "checksum": 1}', "its checksum does not fit its content"),
        (b"[" * 100_000, "preflight writes nothing of the kind"),
        (b'{"schema": "preflight.evidence/1", "checksum": "", "a": ' + b"[" * 900 + b"]" * 900 + b"}", ""),
        (b"1" * 10_000, "preflight writes nothing of the kind"),
        (b'{"schema": NaN}', "preflight writes nothing of the kind"),
        (b'{"schema": "preflight.evidence/1", "checksum": "", "a": 1e999}', "preflight writes nothing of the kind"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_what_is_no_evidence_is_refused(data: bytes, said: str, packed: bool) -> None:
    text = refusal(gzip.compress(data) if packed else data)
    assert said in text
    assert any(advice in text for advice in ("collect", "upgrade"))


def test_a_file_that_was_cut_off_is_noticed_wherever_it_was() -> None:
    plain = to_bytes(WHOLE)
    packed = pack("e.gz", plain)
    for cut in range(len(packed)):
        refusal(packed[:cut])
    for cut in range(0, len(plain.rstrip()), 7):
        refusal(plain[:cut])
    assert "cut off in its middle" in refusal(packed[:-1])
    assert "cut off" in refusal(plain[:-20])


def test_something_after_the_end_is_noticed() -> None:
    packed = pack("e.gz", to_bytes(WHOLE))
    assert "after its end" in refusal(packed + b"\0")
    assert "after its end" in refusal(packed + packed)
    assert "not JSON" in refusal(to_bytes(WHOLE) * 2)


def test_a_changed_answer_is_noticed() -> None:
    changed = to_bytes(WHOLE).replace(b"2.3.16", b"2.3.17")
    assert "its checksum does not fit its content: it was damaged or changed" in refusal(changed)


def test_a_part_that_is_missing_is_noticed_though_the_checksum_fits() -> None:
    document = to_document(WHOLE)
    document["nodes"] = document["nodes"][:1]
    assert "1 nodes where 2 were written" in refusal(resealed(document))


def test_a_node_that_stands_there_twice_is_refused() -> None:
    twice = replace(WHOLE, nodes=(WHOLE.nodes[0], WHOLE.nodes[0]))
    assert "stands there twice" in refusal(to_bytes(twice))


def test_keys_that_came_later_are_passed_over() -> None:
    document = to_document(WHOLE)
    document["mood"] = "fine"
    document["nodes"][0]["weather"] = {"rain": True}
    assert parse_evidence(resealed(document), PATH).evidence == WHOLE


def test_a_small_file_that_unpacks_to_a_huge_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence_file, "MOST_BYTES", 10 * 1024 * 1024)
    bomb = gzip.compress(b" " * (64 * 1024 * 1024))
    assert len(bomb) < 100_000
    assert "it unpacks to more than 10 MiB" in refusal(bomb)


def test_what_could_not_be_read_again_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence_file, "MOST_BYTES", 1000)
    with pytest.raises(UsageError, match="collect it in parts with --cluster or --node"):
        write_evidence(tmp_path / "e.json", WHOLE)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "large").write_bytes(b" " * 1001)
    with pytest.raises(UsageError, match="it is larger than"):
        read_evidence(tmp_path / "large")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are POSIX's")
@pytest.mark.parametrize("name", ["e.json", "e.json.gz", "e.jsonl", "e.jsonl.gz"])
def test_a_named_pipe_is_opened_once_and_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Opened and left, it would be broken for whoever writes to it, if the reader is quick enough."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    opened, real = [], Path.open

    def counted(path: Path, *how: Any) -> Any:
        opened.append(path)
        return real(path, *how)

    def write() -> None:
        with os.fdopen(os.open(pipe, os.O_WRONLY), "wb") as end:
            end.write(content)

    write_evidence(tmp_path / name, WHOLE)
    content = (tmp_path / name).read_bytes()
    monkeypatch.setattr(Path, "open", counted)
    found: queue.Queue[Evidence] = queue.Queue()
    for end in (write, lambda: found.put(read_evidence(pipe).evidence)):
        threading.Thread(target=end, daemon=True).start()
    assert found.get(timeout=20) == WHOLE
    assert opened == [pipe]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path, said in (
        (tmp_path / "none", "there is no such file"),
        (tmp_path, "this is a folder; name the evidence file in it"),
        (tmp_path / "a\0b", "it cannot be read"),
    ):
        with pytest.raises(UsageError, match=said):
            read_evidence(path)


MUTATIONS = st.lists(
    st.tuples(
        st.floats(0, 1, exclude_max=True),
        st.sampled_from(["flip", "drop", "add", "cut", "swap"]),
        st.binary(min_size=1, max_size=4),
    ),
    min_size=1,
    max_size=4,
)


def mutated(data: bytes, changes: list[tuple[float, str, bytes]]) -> bytes:
    for where, how, piece in changes:
        at = int(where * len(data))
        if how == "flip" and data:
            data = data[:at] + bytes([data[at] ^ (piece[0] or 1)]) + data[at + 1 :]
        elif how == "drop":
            data = data[:at] + data[at + len(piece) :]
        elif how == "add":
            data = data[:at] + piece + data[at:]
        elif how == "cut":
            data = data[:at]
        else:
            data = data[:at] + piece + data[at + len(piece) :]
    return data


@settings(max_examples=300, deadline=None)
@given(MUTATIONS, st.booleans())
def test_no_damage_goes_unnoticed_or_breaks_anything(changes: list[tuple[float, str, bytes]], packed: bool) -> None:
    data = mutated(pack("e.gz" if packed else "e", to_bytes(WHOLE)), changes)
    try:
        read = parse_evidence(data, PATH)
    except UsageError:
        return
    assert read.evidence == WHOLE


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path to every value in a document."""
    yield path
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in pairs:
        yield from places(each, (*path, key))


PLACES = [place for place in places(to_document(WHOLE)) if place]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
ODD = st.sampled_from(
    [-1, 2**64, 10**400, 1e308, "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "x", "", True]
)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(PLACES), st.none() | JSON | ODD, st.booleans())
def test_a_forged_document_is_read_or_refused_and_never_breaks_anything(
    place: tuple[Any, ...], value: Any, removed: bool
) -> None:
    document = copy.deepcopy(to_document(WHOLE))
    inside: Any = document
    for key in place[:-1]:
        inside = inside[key]
    if removed:
        del inside[place[-1]]
    else:
        inside[place[-1]] = value
    try:
        read = parse_evidence(resealed(document), PATH).evidence
    except UsageError as error:
        assert "\n" not in str(error)  # noqa: PT017  either outcome is right
        return
    assert to_document(read).keys() == to_document(WHOLE).keys()
