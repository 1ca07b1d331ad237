"""The plan's page on paper: A4, each hop on a sheet of its own, and no command cut off. Printed by a real browser."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from checks.runbook.model import Runbook, numbered_steps
from reports.render import html
from tests.test_reports.scan.test_report_browser import FLAGS
from tests.test_scanner.test_plan import book

pytestmark = pytest.mark.live


def program(*names: str) -> str:
    found = next((path for name in names if (path := shutil.which(name))), "")
    if not found:
        if os.environ.get("REQUIRE_LIVE") == "1":
            pytest.fail(f"no {names[0]} on the PATH")
        pytest.skip(f"no {names[0]} on the PATH")
    return found


def sheets(page: str, folder: Path) -> tuple[list[str], str]:
    """The text of each sheet, and what is told of the file."""
    browser, reader = program("chromium", "chromium-browser", "google-chrome"), program("pdftotext")
    teller = program("pdfinfo")
    source, paper = folder / "plan.html", folder / "plan.pdf"
    source.write_text(page, encoding="utf-8")
    options = [*FLAGS, f"--user-data-dir={folder / 'profile'}", "--no-pdf-header-footer", f"--print-to-pdf={paper}"]
    subprocess.run([browser, *options, source.as_uri()], capture_output=True, timeout=60, check=True)
    text = subprocess.run([reader, "-raw", paper, "-"], capture_output=True, check=True).stdout.decode()
    about = subprocess.run([teller, paper], capture_output=True, check=True).stdout.decode()
    return text.split("\f")[:-1], about


@pytest.mark.parametrize("name", ["vault-mirrored", "chef-old-index"])
def test_each_hop_begins_a_sheet_and_no_command_is_cut(name: str, tmp_path: Path) -> None:
    made = book(name)
    (plan,) = made.plans
    assert isinstance(plan, Runbook)
    found, about = sheets(html.render(made), tmp_path)
    assert re.search(r"Page size: +59[456]\S* x 84[123]\S* pts \(A4\)", about)
    for chapter, part in enumerate(plan.parts, 1):
        heading = _bare(f"{chapter}. {part.title}")
        (sheet,) = [sheet for sheet in found if heading in _bare(sheet)]
        assert _bare(sheet).startswith(heading), f"{part.title} begins in the middle of a sheet"
    whole = _bare("".join(found))
    commands = [command.text for _, _, step in numbered_steps(plan) for command in step.commands]
    assert commands
    for text in commands:
        assert _bare(text) in whole, "cut off, or broken over two sheets"


def _bare(text: str) -> str:
    """Without blanks and line ends, which a line of paper adds, and without the number of the sheet."""
    return re.sub(r"\s+", "", re.sub(r"^\d+ / \d+\n", "", text))


def test_the_boxes_are_big_enough_for_a_pen(tmp_path: Path) -> None:
    page = html.render(book("vault-single"))
    rule = re.search(r'input\[type="checkbox"\] \{ width: (\d+)mm; height: (\d+)mm', page)
    assert rule
    assert min(int(rule[1]), int(rule[2])) >= 5
    found, _ = sheets(page, tmp_path)
    assert any("1.1" in sheet for sheet in found)
