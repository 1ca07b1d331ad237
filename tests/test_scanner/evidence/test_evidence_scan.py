"""`collect`, `scan --evidence` and `scan --from`: what is kept, what is told of it, and what is never made of it."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from scanner.evidence.document import schema
from scanner.evidence.file import read_evidence
from scanner.lab.lab import Lab

Preflight = Callable[..., Any]
KINDS = ("json", "junit", "html", "markdown")
ORIGIN = "judged from evidence of "


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an inventory whose nodes are gone, and the evidence of them."""
    from scanner.cli.obtain import keep, obtain
    from scanner.cli.options import settle

    folder = tmp_path_factory.mktemp("kept")
    with Lab("chef-healthy") as lab:
        inventory = lab.write(folder)
        selection, job = settle(inventory)
        assert keep(folder / "e.json", job, obtain(job, selection, quiet=True)) == ""
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


def test_the_file_is_for_its_owner_and_has_the_published_shape(kept: Path) -> None:
    assert stat.S_IMODE((kept / "e.json").stat().st_mode) == 0o600
    document = json.loads((kept / "e.json").read_text(encoding="ascii"))
    jsonschema.validate(document, schema())
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
