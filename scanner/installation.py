"""Whose `scanner`, `checks` and `reports` would be run: these names are short, and others use them, too.

Asked before any of them is imported, so nothing of ours but this package is used here.
"""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Iterator
from pathlib import Path

ROOMS = ("scanner", "checks", "reports")
_HERE = Path(__file__).resolve().parents[1]
_ITS_OWN = "give preflight an environment of its own (pipx, or python -m venv)"
_ANEW = "install it anew: python -m pip install --force-reinstall preflight-scanner"


def trouble(here: Path = _HERE) -> str:
    """What stands in the way of running the packages that lie in `here`, with the cure, on two lines; "" if nothing."""
    for room in ROOMS:
        wanted = here / room / "__init__.py"
        if not wanted.is_file():
            return f"the installation is incomplete: {wanted} is missing\n{_ANEW}"
        found = _found(room)
        if not _same(found, wanted):
            return f"another package is called {room}, too: {found}\ntake it out of {_way_in(found)}, or {_ITS_OWN}"
    if changed := next(_changed(here), None):
        return (
            f"{changed} is not the file that was installed with preflight; another package may have written over it\n"
            f"{_ITS_OWN}, or {_ANEW}"
        )
    return ""


def _found(room: str) -> str:
    """Where an import of `room` leads, "" if nowhere."""
    for finder in sys.meta_path:
        spec = finder.find_spec(room, None) if hasattr(finder, "find_spec") else None
        if spec is not None:
            places = list(spec.submodule_search_locations or ())
            # A namespace package has no file, and a frozen or generated one none that could be looked at.
            return spec.origin if spec.origin and spec.has_location else ", ".join(places) or str(spec.origin)
    return ""


def _same(found: str, wanted: Path) -> bool:
    try:
        return bool(found) and wanted.samefile(found)
    except OSError:
        return False


def _way_in(found: str) -> str:
    """What to change, as precisely as can be known."""
    named = [os.path.abspath(part) for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]  # noqa: PTH100
    if any(Path(found).is_relative_to(part) for part in named):
        return "PYTHONPATH"
    if sys.path and Path(found).is_relative_to(os.path.abspath(sys.path[0] or ".")):  # noqa: PTH100
        return f"the folder {os.path.abspath(sys.path[0] or '.')}"  # noqa: PTH100
    return "this environment"


def _changed(here: Path) -> Iterator[str]:
    """Files of ours whose size is another than pip noted when it installed them. A checkout has no such notes."""
    try:
        (record,) = here.glob("preflight_scanner-*.dist-info/RECORD")
        rows = list(csv.reader(record.read_text(encoding="utf-8").splitlines()))
    except (OSError, ValueError, csv.Error):
        return
    for row in rows:
        if len(row) == 3 and row[2].isascii() and row[2].isdigit() and row[0].split("/")[0] in ROOMS:
            path = here / row[0]
            try:
                if path.stat().st_size != int(row[2]):
                    yield str(path)
            except OSError:
                yield str(path)
