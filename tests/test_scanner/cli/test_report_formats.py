"""One list of formats: what is added to it is an option, a key of the inventory and a file, for every document."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from reports.format import DRIFT, FORMATS, RUNBOOK, SCAN, formats_of
from scanner.inventory.settings.catalogue import REPORTS
from tests.recordings.collect import FOLDER, evidence_path

TOY = """
import sys
import reports.format as formats
def rendering(document):
    return lambda done: f"toy {document}: {done.verdict}"
render = {each: rendering(each) for each in ("scan", "drift", "runbook")}
formats.FORMATS += (
    formats.Format(
        name="toy", writes="Write a toy.", about="A toy.", example="preflight.toy", render=render, suffixes=(".toy",)
    ),
)
from scanner.cli import main
main()
"""


def run(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """The program with one format more."""
    command = [sys.executable, "-c", TOY, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False, timeout=120)


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    path = tmp_path / "inventory.toml"
    text = (FOLDER / "chef-healthy.inventory.toml").read_text(encoding="utf-8")
    path.write_text(f'{text}\n[reports]\ntoy = "asked-by-the-inventory.toy"\n', encoding="utf-8")
    return path


def test_a_format_more_is_there_for_scan_drift_and_plan(tmp_path: Path, inventory: Path) -> None:
    kept = ("--from", evidence_path("chef-healthy"))
    baseline = tmp_path / "b.json"
    assert run(tmp_path, "baseline", inventory, *kept, "-o", baseline, "--reason", "first").returncode == 0
    for arguments in (
        ("scan", inventory, *kept),
        ("scan", inventory, *kept, "--toy", "scan.toy"),
        ("drift", inventory, *kept, "--baseline", baseline, "--toy", "drift.toy"),
        ("plan", inventory, *kept, "-o", "plan.toy"),
    ):
        done = run(tmp_path, *arguments)
        assert done.returncode in (0, 1, 3), done.stderr
    written = {path.name: path.read_text(encoding="utf-8").partition(":")[0] for path in tmp_path.glob("*.toy")}
    assert written == {
        "asked-by-the-inventory.toy": "toy scan",
        "scan.toy": "toy scan",
        "drift.toy": "toy drift",
        "plan.toy": "toy runbook",
    }


def test_help_names_it(tmp_path: Path) -> None:
    for command in ("scan", "drift"):
        assert "Write a toy." in run(tmp_path, command, "--help").stdout


def test_a_name_that_says_nothing_of_its_format_is_refused_with_those_there_are(
    tmp_path: Path, inventory: Path
) -> None:
    done = run(tmp_path, "plan", inventory, "--from", evidence_path("chef-healthy"), "-o", "plan.txt")
    assert done.returncode == 2
    assert "the name has to end in .md or .html or .toy" in " ".join(done.stderr.split())


def test_the_keys_of_the_inventory_are_the_formats_of_a_scan() -> None:
    assert [key.name for key in REPORTS] == [each.name for each in formats_of(SCAN)]


def test_names_and_endings_say_one_format_each() -> None:
    names = [each.name for each in FORMATS]
    endings = [ending for each in FORMATS for ending in each.suffixes]
    assert len(set(names)) == len(names)
    assert len(set(endings)) == len(endings)
    assert all(set(each.render) <= {SCAN, DRIFT, RUNBOOK} for each in FORMATS)
    assert all(each.index for each in FORMATS if each.pages)
