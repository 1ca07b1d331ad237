"""Reports that are written as they come are, byte for byte, those of a scan that is judged in one go.

Of all the lab's scenarios, a few that their names choose are tried every time, and all of them in the slow run.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from checks.engine.acceptance import waivers
from checks.engine.acceptance.attestations import hear
from checks.engine.evaluation import evaluate
from checks.scan import Scan
from reports.scan import json as json_report
from reports.scan import junit
from reports.scan.page.folder import pages
from reports.text import escape_json
from scanner.cli.options import resolve_options
from scanner.clock import utc_now
from scanner.files.evidence.file import read_evidence
from scanner.lab.lab import Lab
from scanner.lab.scenario import load_scenario, scenario_names
from scanner.loading.inventory import lines_of
from scanner.run.job import ScanRequest
from scanner.run.judge import build_scan, gathered_clusters
from scanner.run.offline import saved_answers
from scanner.secrets.last_door import without_secrets
from scanner.transports.answers import Responses

ONE_OF = 16
TODAY = date(2026, 11, 26)


def tried(name: str) -> Any:
    """The name as a parameter: of those that its checksum leaves out, for the slow run alone."""
    return pytest.param(name, marks=() if zlib.crc32(name.encode()) % ONE_OF == 0 else pytest.mark.slow)


def in_one_go(job: ScanRequest, collected: Responses) -> Scan:
    """All clusters judged together, with nothing packed away and nothing left out: the plain way to do it."""
    rows = without_secrets(evaluate(job.checks, tuple(gathered_clusters(job, collected))))
    applied = waivers.apply(rows, job.waivers, TODAY, whole=job.whole and collected.complete)
    results = (*job.failures, *applied.results, *hear(job.attestations, TODAY).results)
    return replace(build_scan(job, collected, TODAY), results=without_secrets(results))


def as_whole_json(scan: Scan) -> str:
    return escape_json(json.dumps(json_report.document(scan), ensure_ascii=False, indent=2)) + "\n"


def as_whole_xml(text: str) -> str:
    """The same document, laid out by the library at once."""
    root = ET.fromstring(text)  # noqa: S314  written by ourselves a moment ago
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def read_folder(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


@pytest.mark.parametrize("name", [tried(name) for name in scenario_names()])
def test_a_scenarios_reports_are_those_of_a_scan_in_one_go(
    name: str, tmp_path: Path, preflight: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # One notice tells where the facts are from, and is of the kept ones alone.
    monkeypatch.setattr("scanner.run.offline._origin", lambda *_: ())
    monkeypatch.setattr("scanner.clock.today", lambda: TODAY)
    evidence = tmp_path / "evidence.json.gz"
    scenario = load_scenario(name)
    phase = ("--phase", scenario.expect.phase if scenario.expect else "before")
    folders = [tmp_path / "live", tmp_path / "kept"]
    for folder in folders:
        (folder / "pages").mkdir(parents=True)

    def written(folder: Path, *more: object) -> None:
        files = ("--json", folder / "s.json", "--junit", folder / "s.xml", "--html", folder / "pages")
        preflight("scan", tmp_path / "inventory.toml", *phase, *files, *more)

    with Lab(scenario) as lab:
        lab.write(tmp_path)
        written(folders[0], "--evidence", evidence)
    written(folders[1], "--from", evidence)
    texts = [{path.name: path.read_text(encoding="utf-8") for path in folder.glob("s.*")} for folder in folders]
    assert texts[0] == texts[1]
    assert read_folder(folders[0] / "pages") == read_folder(folders[1] / "pages")

    selection, job = resolve_options(tmp_path / "inventory.toml", phase=phase[1])
    saved = saved_answers(job, [read_evidence(evidence)], utc_now(), narrowed=selection.narrowed)
    whole = replace(in_one_go(job, saved), lines=lines_of(selection.inventory))
    assert texts[1]["s.json"] == as_whole_json(whole)
    assert texts[1]["s.xml"] == junit.render(whole) == as_whole_xml(texts[1]["s.xml"])
    assert read_folder(folders[1] / "pages") == dict(pages(whole))


def test_some_are_tried_every_time() -> None:
    names = scenario_names()
    quick = [name for name in names if not tried(name).marks]
    assert len(names) / ONE_OF / 2 < len(quick) < 2 * len(names) / ONE_OF
