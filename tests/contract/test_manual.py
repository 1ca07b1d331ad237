"""The manual page says what the commands take, and man has nothing to object to."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.manual_page import manual

TOP = Path(__file__).parents[2]
PAGE = TOP / "docs" / "preflight.1"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == manual(), "run: make readme"


def test_groff_has_nothing_to_object_to() -> None:
    groff = shutil.which("groff")
    if groff is None:
        pytest.skip("no groff on this machine")
    done = subprocess.run(
        [groff, "-man", "-Tutf8", "-ww", str(PAGE)], capture_output=True, text=True, check=True, encoding="utf-8"
    )
    assert done.stderr == ""
    shown = " ".join(done.stdout.split())
    assert "discover" in shown
    assert "CORP\\svc-preflight" in shown, "a backslash is one"


def test_a_page_with_a_fault_would_be_objected_to(tmp_path: Path) -> None:
    groff = shutil.which("groff")
    if groff is None:
        pytest.skip("no groff on this machine")
    broken = tmp_path / "broken.1"
    broken.write_text(PAGE.read_text(encoding="utf-8") + ".NOSUCH\n", encoding="utf-8")
    asked = [groff, "-man", "-Tutf8", "-ww", "-z", str(broken)]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert "NOSUCH" in done.stderr


def test_the_wheel_brings_it_to_where_man_looks() -> None:
    project = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["shared-data"] == {"docs/preflight.1": "share/man/man1/preflight.1"}
