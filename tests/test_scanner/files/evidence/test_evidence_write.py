"""An evidence file is the old one or the new one, whatever happens, and never anybody else's to read."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scanner.errors import UsageError
from scanner.files.evidence.file import MODE, read_evidence, write_evidence
from scanner.files.evidence.model import Evidence
from tests.test_scanner.faults import Tripwire, failing, injected, kill_each_step, steps_of
from tests.test_scanner.files.evidence.conftest import node_evidence

Make = Callable[..., Evidence]
posix = pytest.mark.skipif(os.name != "posix", reason="POSIX modes and signals")


def test_the_same_evidence_gives_the_same_bytes(evidence: Make, tmp_path: Path) -> None:
    for name in ("a.json.gz", "b.json.gz"):
        write_evidence(tmp_path / name, evidence(node_evidence()))
    assert (tmp_path / "a.json.gz").read_bytes() == (tmp_path / "b.json.gz").read_bytes()
    assert (tmp_path / "a.json.gz").read_bytes()[:2] == b"\x1f\x8b"


@posix
@pytest.mark.parametrize("before", [None, 0o644])
def test_it_is_for_its_owner_alone_from_the_first_moment(evidence: Make, tmp_path: Path, before: int | None) -> None:
    path = tmp_path / "e.json"
    if before is not None:
        path.write_text("old", encoding="utf-8")
        path.chmod(before)
    seen: list[int] = []

    class Watcher(Tripwire):
        def step(self, name: str) -> None:
            found = tmp_path.glob(".preflight-*.tmp")
            seen.extend(stat.S_IMODE(each.stat().st_mode) for each in found)

    with injected(Watcher()):
        write_evidence(path, evidence(node_evidence()))
    assert set(seen) == {MODE}
    assert stat.S_IMODE(path.stat().st_mode) == MODE == 0o600


@pytest.mark.parametrize("name", ["e.json", "e.json.gz"])
def test_a_full_disk_costs_the_new_file_and_nothing_else(evidence: Make, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    old, new = evidence(node_evidence("old")), evidence(node_evidence("new"))
    steps = steps_of(lambda: write_evidence(tmp_path / f"rehearsal-{name}", new))
    (tmp_path / f"rehearsal-{name}").unlink()
    assert {"open", "write", "fsync", "replace"} <= set(steps)
    refused = []
    for number, step in enumerate(steps, 1):
        write_evidence(path, old)
        said = ""
        try:
            with injected(Tripwire(number, failing(errno.ENOSPC))):
                write_evidence(path, new)
        except UsageError as error:
            refused.append(step)
            said = str(error)
        assert said in ("", f"cannot write {path}: No space left on device")
        assert read_evidence(path).evidence.nodes[0].said.node == ("old" if said else "new")
        assert list(tmp_path.iterdir()) == [path]
    # Only when the name is there already, and its folder alone is still to be flushed, does an error change nothing.
    assert refused == steps[: steps.index("replace") + 1]


@posix
def test_kill_9_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    folders = kill_each_step(
        tmp_path,
        imports=(
            "from dataclasses import replace; from scanner.files.evidence.file import write_evidence\n"
            "from scanner.files.evidence.model import Evidence; from datetime import UTC, datetime\n"
            "now = datetime(2026, 1, 1, tzinfo=UTC)\n"
            "old = Evidence(tool_version='0.1.0', host='old', inventory='inventory.toml', started=now, finished=now, "
            "complete=True, nodes=())"
        ),
        prepare="write_evidence(folder / 'e.json.gz', old)",
        act="write_evidence(folder / 'e.json.gz', replace(old, host='new'))",
    )
    held = [read_evidence(folder / "e.json.gz").evidence.host for folder in folders]
    assert len(held) > 6
    assert held == sorted(held, reverse=True)
    assert (held[0], held[-1]) == ("old", "new")
    left = [each for folder in folders for each in folder.iterdir() if each.name != "e.json.gz"]
    assert all(stat.S_IMODE(each.stat().st_mode) == MODE for each in left)
    assert [each.name for each in folders[-1].iterdir()] == ["e.json.gz"]


@posix
def test_a_write_protected_folder_is_said_before_anybody_is_asked(
    tmp_path: Path, preflight: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    inventory = tmp_path / "inventory.toml"
    inventory.write_text(
        '[clusters.c]\nproduct = "chef-backend"\n[clusters.c.nodes.b]\nhost = "127.0.0.1"\nroles = ["backend"]\n',
        encoding="utf-8",
    )
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, how: Path(path) != tmp_path and real(path, how))
    for command in (["collect", inventory, "-o"], ["scan", inventory, "--evidence"]):
        ended = preflight(*command, tmp_path / "e.json")
        assert (ended.code, ended.out) == (2, "")
        assert f"you may not write in the folder {tmp_path}; choose another place" in ended.err
