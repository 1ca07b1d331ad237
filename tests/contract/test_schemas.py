"""Schemas that are made from the types of a document are shipped as they are made.

`python -m tests.contract.test_schemas` writes them anew.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from scanner.files.evidence.document import made_schema

TOP = Path(__file__).parents[2]
SENT = (
    "reports/schemas/drift.schema.json",
    "reports/schemas/plan.schema.json",
    "reports/schemas/result.schema.json",
    "scanner/files/evidence/schema.json",
)
EDITED = ("scanner/files/baseline.schema.json",)
"""What people edit: a key that nothing knows is a mistake there."""
MADE: dict[str, Callable[[], str]] = {"scanner/files/evidence/schema.json": made_schema}


@pytest.mark.parametrize("name", MADE)
def test_a_schema_is_shipped_as_it_is_made(name: str) -> None:
    assert (TOP / name).read_text("utf-8") == MADE[name](), "`make readme` writes it anew"


def test_programs_may_be_sent_keys_that_later_versions_add() -> None:
    """A format gains keys under its number: whoever holds a document to the schema of his day must not refuse them."""
    shut = [name for name in SENT if 'additionalProperties": false' in (TOP / name).read_text("utf-8")]
    assert shut == []
    shipped = {
        str(path.relative_to(TOP)) for room in ("reports", "scanner") for path in (TOP / room).rglob("*schema.json")
    }
    assert shipped == {*SENT, *EDITED}


if __name__ == "__main__":
    for shipped, made in MADE.items():
        (TOP / shipped).write_text(made(), "utf-8")
