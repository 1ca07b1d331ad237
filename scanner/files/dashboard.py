"""A folder that a web server shows: our pages in it come and go, and nothing else in it is touched."""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from reports.dashboard.pages import GENERATOR
from scanner.errors import UsageError
from scanner.files.atomic import ensure_writable, make_folder, write_atomically
from scanner.inventory.reading.looking import exists, is_folder

MANIFEST = ".preflight-dashboard.json"
"""Lists our pages; web servers do not show a file with such a name, or need not."""
_SCHEMA = "preflight.dashboard/1"
_PAGE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,120}\.html")
_MARK = f'<meta name="generator" content="{GENERATOR} '.encode()
_HEAD_BYTES = 4096
_MOST_BYTES = 16 * 1024 * 1024


def ready(folder: Path) -> frozenset[str]:
    """Make the folder if need be, and return which pages in it are ours. Raises UsageError where it cannot be used."""
    if str(folder) == "-":
        raise UsageError("a dashboard is a folder of pages, and cannot go to standard output: name one with -o FOLDER")
    if exists(folder) and not is_folder(folder):
        raise UsageError(f"{folder} is no folder; name one with -o")
    make_folder(folder)
    ensure_writable(folder / MANIFEST)
    return _listed(folder)


def publish(folder: Path, pages: Mapping[str, str], ours: frozenset[str], *, tidy: bool) -> list[str]:
    """Write the pages, the last one last, and with `tidy` take away those of ours that are not among them any more.

    A killed run leaves old or new pages, each whole, and a manifest that knows them. Returns what was taken away.
    Raises UsageError, before anything is written, where a page's name is somebody else's file.
    """
    for name in pages:
        if name not in ours and os.path.lexists(folder / name):
            raise UsageError(f"{folder / name} is there and is no page of a dashboard: choose another folder")
    stale = sorted(ours - pages.keys())
    _write_manifest(folder, ours | pages.keys())
    for name, text in pages.items():
        write_atomically(folder / name, text)
    if not tidy:
        return []
    gone = [name for name in stale if _take_away(folder / name)]
    _write_manifest(folder, frozenset(pages))
    return gone


def _listed(folder: Path) -> frozenset[str]:
    file = folder / MANIFEST
    try:
        if not stat.S_ISREG(os.lstat(file).st_mode) or file.stat().st_size > _MOST_BYTES:
            raise UsageError(f"{file} is not what a dashboard leaves there: choose another folder")
        table = json.loads(file.read_text(encoding="utf-8"))
        if table["schema"] != _SCHEMA:
            raise UsageError(f"{file}: a later preflight wrote it; use that one, or choose another folder")
        return frozenset(name for name in table["pages"] if isinstance(name, str) and _PAGE.fullmatch(name))
    except FileNotFoundError:
        return frozenset()
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}; check who owns it") from None
    except (ValueError, TypeError, KeyError, RecursionError):
        raise UsageError(
            f"{file} is damaged, and so it is not known which pages are ours: take it and the pages away, "
            "or choose another folder"
        ) from None


def _write_manifest(folder: Path, names: frozenset[str]) -> None:
    table = {"schema": _SCHEMA, "pages": sorted(names)}
    write_atomically(folder / MANIFEST, json.dumps(table, indent=1) + "\n")


def _take_away(page: Path) -> bool:
    """Remove a page that is listed, if it still is what we wrote: a file, with our mark in its head."""
    with contextlib.suppress(OSError):
        if not stat.S_ISREG(os.lstat(page).st_mode):
            return False
        with page.open("rb") as file:
            if _MARK not in file.read(_HEAD_BYTES):
                return False
        page.unlink()
        return True
    return False
