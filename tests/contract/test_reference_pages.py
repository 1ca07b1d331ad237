"""The site's reference has all that the code has, and leads nowhere that is not there."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from checks.registry import BUILTIN
from scanner.lab.scenario import scenario_names
from tests.manual_page import manual
from tests.reference_pages import TOP, pages

DOCS = TOP / "docs"
MADE = pages()


def test_every_check_has_its_entry_with_why_and_cure() -> None:
    entries = {part.split(" ", 1)[0]: part for part in MADE["reference/checks.md"].split("\n### ")[1:]}
    assert sorted(entries) == sorted(check.id for check in BUILTIN)
    for name, entry in entries.items():
        assert all(f"#### {each}" in entry for each in ("What it checks", "Why it matters", "How to fix it")), name


def test_every_command_and_option_of_the_manual_is_there() -> None:
    page = MADE["reference/commands.md"]
    assert re.findall(r"^\.SS preflight (.*)$", manual().replace("\\-", "-"), re.MULTILINE) == re.findall(
        r"^## preflight ([^{]*) \{", page, re.MULTILINE
    )
    options = set(re.findall(r"--[a-z][a-z-]+", manual().replace("\\-", "-")))
    assert options - set(re.findall(r"--[a-z][a-z-]+", page)) == set()


def test_every_scenario_is_listed() -> None:
    assert {name for name in scenario_names() if f"| `{name}` |" not in MADE["reference/scenarios.md"]} == set()


def test_every_schema_can_be_fetched() -> None:
    links = re.findall(r"\((schemas/[^)]+)\)", MADE["reference/formats.md"])
    assert len(links) >= 5
    for link in links:
        assert json.loads(MADE[f"reference/{link}"])["title"]


def addresses() -> set[str]:
    return {*MADE, *(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*") if path.is_file())}


@pytest.mark.parametrize("page", sorted(address for address in addresses() if address.endswith(".md")))
def test_no_link_leads_nowhere(page: str) -> None:
    """Files alone; `make docs` looks at the anchors, too."""
    text = MADE.get(page) or (DOCS / page).read_text("utf-8")
    text = re.sub(r"```.*?```|`[^`\n]+`", "", text, flags=re.DOTALL)
    for link in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text):
        target = (Path("/") / page).parent / link
        assert Path("/", *target.parts).resolve().as_posix().lstrip("/") in addresses(), f"{page}: {link}"


def test_every_page_is_in_the_navigation() -> None:
    listed = set(re.findall(r": ([\w/-]+\.md)$", (TOP / "mkdocs.yml").read_text("utf-8"), re.MULTILINE))
    assert listed == {address for address in addresses() if address.endswith(".md")}


def test_make_docs_fails_for_a_link_to_nothing_and_fetches_nothing(tmp_path: Path) -> None:
    """With the command and the options that `make docs` has, over a small site of its own."""
    found = re.search(
        r"^\t(.*\$\(BIN\)/python -m mkdocs build .*)$", (TOP / "Makefile").read_text("utf-8"), re.MULTILINE
    )
    assert found
    options = (TOP / "mkdocs.yml").read_text("utf-8")
    validation = options[options.index("validation:\n") : options.index("nav:\n")]
    look = options[options.index("theme:\n") : options.index("hooks:\n")]
    (tmp_path / "mkdocs.yml").write_text(f"site_name: small\n{look}{validation}", encoding="utf-8")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("# Here\n[a](nope.md) [b](#nowhere)\n", encoding="utf-8")
    words = [word.replace("$(BIN)/python", sys.executable) for word in shlex.split(found[1])]
    command = words[words.index(sys.executable) :]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "nope.md" in done.stderr
    assert "#nowhere" in done.stderr
    (tmp_path / "docs" / "index.md").write_text("# Here\n[a](#here)\n", encoding="utf-8")
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 0
    page = (tmp_path / "site" / "index.html").read_text("utf-8")
    fetched = re.findall(r"<(?:script|link|img|iframe)\b[^>]*(?:src|href)=\"((?:https?:)?//[^\"]*)", page)
    assert fetched == [], "a reader behind a closed network gets all of it"
