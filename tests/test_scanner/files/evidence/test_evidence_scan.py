"""`collect`, `scan --evidence` and `scan --from`: what is kept, what is told of it, and what is never made of it."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from scanner.files.evidence.document import schema
from scanner.files.evidence.file import read_evidence
from scanner.lab.lab import Lab
from scanner.plugins import GROUP
from tests.schemas import closed

Preflight = Callable[..., Any]
KINDS = ("json", "junit", "html", "markdown")
ORIGIN = "judged from evidence of "


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an inventory whose nodes are gone, and the evidence of them."""
    from scanner.cli.answers import collect_or_load
    from scanner.cli.options import resolve_options
    from scanner.files.evidence.file import write_evidence
    from scanner.run.offline import evidence_of

    folder = tmp_path_factory.mktemp("kept")
    with Lab("chef-healthy") as lab:
        inventory = lab.write(folder)
        selection, job = resolve_options(inventory)
        write_evidence(folder / "e.json", evidence_of(job, collect_or_load(job, selection, quiet=True)))
    for name in ("password", "id_ed25519", "known_hosts"):
        (folder / name).unlink()  # judging needs none of them
    return folder


def test_collect_asks_and_judges_nothing(tmp_path: Path, preflight: Preflight) -> None:
    with Lab("chef-unsynced") as lab:
        ended = preflight("collect", lab.write(tmp_path), "-o", tmp_path / "e.json.gz")
    assert ended.code == 0
    assert ended.out == f"wrote {tmp_path / 'e.json.gz'}: evidence, 3 of 3 nodes answered everything\n"
    judged = preflight("scan", tmp_path / "inventory.toml", "--from", tmp_path / "e.json.gz")
    assert judged.code == 1
    assert "asking" not in judged.err


def test_collect_keeps_what_there_is_and_names_who_is_missing(tmp_path: Path, preflight: Preflight) -> None:
    with Lab("ssh-down") as lab:
        ended = preflight("collect", lab.write(tmp_path), "-q", "-o", tmp_path / "e.json")
    assert ended.code == 3
    assert "2 of 3 nodes answered everything\n  chef.backend-2: nobody listens" in ended.out
    assert ended.err == ""
    assert len(read_evidence(tmp_path / "e.json").evidence.nodes) == 3


def test_collect_is_quiet_when_nothing_is_missing(tmp_path: Path, preflight: Preflight) -> None:
    with Lab("chef-healthy") as lab:
        ended = preflight("collect", lab.write(tmp_path), "-q", "-o", tmp_path / "e.json")
    assert (ended.code, ended.out, ended.err) == (0, "", "")


def test_a_plugin_that_did_not_load_is_missing_from_the_evidence_and_said(
    tmp_path: Path, preflight: Preflight, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = EntryPoint("mood", "preflight_is_not_there:PLUGIN", GROUP)
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: (broken,))
    with Lab("chef-healthy") as lab:
        ended = preflight("collect", lab.write(tmp_path), "-q", "-o", tmp_path / "e.json")
    assert ended.code == 3
    assert "3 of 3 nodes answered everything\n  plugin-mood: the plugin did not load" in ended.out


def test_the_file_is_for_its_owner_and_has_the_published_shape(kept: Path) -> None:
    assert stat.S_IMODE((kept / "e.json").stat().st_mode) == 0o600
    document = json.loads((kept / "e.json").read_text(encoding="ascii"))
    jsonschema.validate(document, closed(schema()))
    jsonschema.Draft202012Validator.check_schema(schema())


def test_every_format_tells_that_it_rests_on_evidence(kept: Path, tmp_path: Path, preflight: Preflight) -> None:
    files = [part for kind in KINDS for part in (f"--{kind}", tmp_path / kind)]
    ended = preflight("scan", kept / "inventory.toml", "--from", kept / "e.json", *files)
    assert ended.code == 0
    for text in (ended.out, *((tmp_path / kind).read_text(encoding="utf-8") for kind in KINDS)):
        assert ORIGIN in text


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--evidence", "e2.json"], "--from contacts nobody, so it leaves nothing to do for --evidence"),
        (["--parallel", "3"], "nothing to do for --parallel"),
        (["--timeout", "3", "--parallel", "3"], "nothing to do for --parallel and --timeout"),
        (["--from", "gone.json"], "evidence gone.json: there is no such file; `preflight collect INVENTORY -o FILE`"),
    ],
)
def test_what_cannot_be_meant_is_refused(kept: Path, preflight: Preflight, options: list[str], said: str) -> None:
    ended = preflight("scan", kept / "inventory.toml", "--from", kept / "e.json", *options)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err


@pytest.mark.parametrize("name", ["demo", "secret-server-healthy"])
def test_a_plan_from_evidence_is_the_plan_that_the_nodes_themselves_give(
    tmp_path: Path, preflight: Preflight, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with Lab(name) as lab:
        inventory = lab.write(tmp_path)
        preflight("collect", inventory, "-o", tmp_path / "e.json.gz")
        live = preflight("plan", inventory)
    monkeypatch.setattr("scanner.run.offline._origin", lambda *_: ())
    kept = preflight("plan", inventory, "--from", tmp_path / "e.json.gz")
    assert (kept.code, untimed(kept.out)) == (live.code, untimed(live.out))
    assert live.out
    refused = preflight("plan", inventory, "--from", tmp_path / "e.json.gz", "--timeout", "9")
    assert (refused.code, refused.out) == (2, "")


def untimed(text: str) -> str:
    return re.sub(r"\d\d:\d\d(:\d\d)?", "", text)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Missing option '-o'"),
        (["-o", "e.json"], "Missing argument INVENTORY"),
        (["inventory.toml"], "Missing option '-o'"),
        (["gone.toml", "-o", "e.json"], "there is no such file; `preflight init`"),
        (["inventory.toml", "-o", "-"], "not to standard output"),
        (["inventory.toml", "-o", "./inventory.toml"], "the evidence cannot go to inventory.toml: that file is read"),
        (["inventory.toml", "-o", "."], "it is a folder; name a file in it"),
        (["inventory.toml", "-o", "none/e.json"], "does not exist; create it, or choose another place"),
        (["inventory.toml", "-o", "e.json", "--node", "b9"], "--node b9: no such node"),
        (["inventory.toml", "-o", "e.json", "--check", "nothing"], "no check 'nothing'"),
        (["inventory.toml", "-o", "e.json", "--parallel", "0"], "parallel"),
        (["inventory.toml", "-o", "e.json", "--from", "e.json"], "No such option: --from"),
    ],
)
def test_a_collect_that_cannot_be_meant_is_refused_before_any_contact(
    kept: Path, preflight: Preflight, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(kept)
    before = sorted(kept.iterdir())
    ended = preflight("collect", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert sorted(kept.iterdir()) == before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--evidence", "inventory.toml"], "the evidence cannot go to inventory.toml: that file is read"),
        (["--evidence", "-"], "not to standard output"),
        (["--evidence", "r.html", "--html", "r.html"], "the evidence cannot go to r.html: a report goes there already"),
        (["--evidence", "none/e.json"], "the evidence: cannot write none/e.json: the folder"),
        (["--from", "e.json", "--json", "e.json"], "the json report cannot go to e.json: that file is read"),
        (["--html", "inventory.toml"], "the html report cannot go to inventory.toml: that file is read"),
        (["--from", "inventory.toml"], "evidence inventory.toml: not JSON at line 1"),
        (["--from", "."], "evidence .: this is a folder; name the evidence file in it"),
        (["--from", "e.json", "--from", "cut.json"], "evidence cut.json: not JSON at line"),
    ],
)
def test_a_scan_with_evidence_that_cannot_be_meant_is_refused(
    kept: Path, preflight: Preflight, monkeypatch: pytest.MonkeyPatch, options: list[str], said: str
) -> None:
    monkeypatch.chdir(kept)
    (kept / "cut.json").write_bytes((kept / "e.json").read_bytes()[:-100])
    before = {path: path.read_bytes() for path in kept.iterdir()}
    ended = preflight("scan", "inventory.toml", *options)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert {path: path.read_bytes() for path in kept.iterdir()} == before


def test_evidence_that_cannot_be_written_costs_no_report(
    tmp_path: Path, preflight: Preflight, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scanner.errors import UsageError

    def full(path: Path, *_: object) -> None:
        raise UsageError(f"cannot write {path}: No space left on device")

    monkeypatch.setattr("scanner.files.evidence.file.write_evidence", full)
    with Lab("chef-healthy") as lab:
        inventory = lab.write(tmp_path)
        scanned = preflight("scan", inventory, "--json", tmp_path / "r.json", "--evidence", tmp_path / "e.json")
        collected = preflight("collect", inventory, "-o", tmp_path / "e.json")
    assert (scanned.code, collected.code) == (2, 2)
    assert scanned.out.startswith("GO")
    assert collected.out == ""
    assert json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))["verdict"] == "GO"
    for ended in (scanned, collected):
        assert f"the evidence was not written: cannot write {tmp_path / 'e.json'}: No space left" in ended.err


def test_a_narrow_collect_asks_no_more_than_it_needs(tmp_path: Path, preflight: Preflight) -> None:
    with Lab("chef-healthy") as lab:
        options = ("--node", "backend-1", "--check", "chef-version-match")
        ended = preflight("collect", lab.write(tmp_path), "-o", tmp_path / "e.json", *options)
    assert ended.code == 0
    assert "1 of 1 node answered everything" in ended.out
    (node,) = read_evidence(tmp_path / "e.json").evidence.nodes
    assert node.said.node == "backend-1"
    assert "chef-leaderl" not in node.probes
    judged = preflight("scan", tmp_path / "inventory.toml", "--from", tmp_path / "e.json")
    assert judged.code == 3
    assert "collected without probe chef-leaderl (collect again)" in " ".join(judged.out.split())
