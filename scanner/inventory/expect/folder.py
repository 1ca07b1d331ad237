"""`checks.d` beside an inventory: files with further expectations, and Python files with checks of one's own."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

from checks.common.dataclass import dataclass
from scanner.errors import InventoryError, Problem
from scanner.inventory.expect.reading import Written, read_list
from scanner.inventory.products import Product
from scanner.inventory.reading.positions import nearest, positions
from scanner.inventory.reading.values import KeyPath, Problems, UnquotedPart, unknown_key

FOLDER = "checks.d"
MOST_BYTES = 1024 * 1024
"""A larger file holds no expectations."""
MOST_FILES = 500
_LIST = "expect"


@dataclass(frozen=True, slots=True)
class Listing:
    """What lies in the folder, by name; hidden files and all others are nobody's business."""

    folder: Path
    toml: tuple[str, ...] = ()
    python: tuple[str, ...] = ()


def listing(inventory: Path) -> Listing:
    """The files of `checks.d` beside the inventory at that path; none where there is no such folder.

    Raises InventoryError for one that cannot be listed: what lies there must not be passed over.
    """
    folder = inventory.absolute().parent / FOLDER
    try:
        names = sorted(name for name in os.listdir(folder) if not name.startswith("."))  # noqa: PTH208  names are wanted
    except FileNotFoundError:
        return Listing(folder)
    except OSError as error:
        raise InventoryError(
            str(inventory), [Problem(FOLDER, f"cannot be listed: {error.strerror or error}")]
        ) from None
    if len(names) > MOST_FILES:
        raise InventoryError(str(inventory), [Problem(FOLDER, f"holds more than {MOST_FILES} files")])
    return Listing(
        folder,
        tuple(name for name in names if name.endswith(".toml")),
        tuple(name for name in names if name.endswith(".py")),
    )


def read_files(found: Listing, known: Mapping[str, Product], problems: Problems) -> list[Written]:
    """What the TOML files of the folder expect, in the order of their names."""
    written: list[Written] = []
    for name in found.toml:
        written += _file(found.folder / name, known, problems)
    return written


def _file(path: Path, known: Mapping[str, Product], problems: Problems) -> list[Written]:
    here: KeyPath = (UnquotedPart(f"{FOLDER}/{path.name}"),)
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        problems.add(here, f"cannot be read: {error.strerror or error}")
        return []
    if len(data) > MOST_BYTES:
        problems.add(here, "is larger than 1 MiB, and holds no expectations")
        return []
    try:
        text = data.decode("utf-8-sig")
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        problems.add(here, f"not TOML: {str(error) or 'nested too deeply'}")
        return []
    inside = Problems()
    for name in table:
        if name != _LIST:
            unknown_key(name, (name,), (_LIST,), inside, advice="; a file of checks.d holds [[expect]] tables alone")
    if _LIST not in table and not inside.found:
        inside.add((), "expects nothing; an expectation is a table [[expect]]")
    written = read_list(table[_LIST], (), known, inside) if _LIST in table else []
    lines = _lines(text)
    for problem in inside.located(lambda place: nearest(place, lines)):
        at = f":{problem.line}" if problem.line else ""
        problems.add(
            (UnquotedPart(f"{here[0]}{at}"), *([UnquotedPart(problem.place)] if problem.place else [])), problem.message
        )
    return [Written(one.expectation, (UnquotedPart(f"{here[0]}"), *one.place)) for one in written]


def _lines(text: str) -> Mapping[KeyPath, tuple[int, int]]:
    try:
        return positions(text)
    except (ValueError, RecursionError):  # a place is a help; without one, a problem is told all the same
        return {}
