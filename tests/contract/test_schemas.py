"""Schemas that are made from the types of a document are shipped as they are made.

`python -m tests.contract.test_schemas` writes them anew.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from scanner.files.evidence.document import made_schema

TOP = Path(__file__).parents[2]
MADE: dict[str, Callable[[], str]] = {"scanner/files/evidence/schema.json": made_schema}


@pytest.mark.parametrize("name", MADE)
def test_a_schema_is_shipped_as_it_is_made(name: str) -> None:
    assert (TOP / name).read_text("utf-8") == MADE[name](), "`make readme` writes it anew"


if __name__ == "__main__":
    for shipped, made in MADE.items():
        (TOP / shipped).write_text(made(), "utf-8")
