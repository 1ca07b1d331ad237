"""Schemas are made from the classes of their documents, shipped as they are made, and lose nothing on the way.

`python -m tests.contract.test_schemas` writes them anew. `schemas/` holds those that were once written by hand: whoever
holds documents to one of them, or has documents that fit it, must not notice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from reports.drift.json import schema as drift_schema
from reports.runbook.json import schema as plan_schema
from reports.scan.json import schema as result_schema
from scanner.files.baseline.schema import schema as baseline_schema
from scanner.files.evidence.document import lines_schema
from scanner.files.evidence.document import schema as evidence_schema

TOP = Path(__file__).parents[2]
BY_HAND = Path(__file__).with_name("schemas")
EDITED = "scanner/files/baseline/schema.json"
"""What people edit: a key that nothing knows is a mistake there."""
MADE: dict[str, Callable[[], dict[str, Any]]] = {
    "reports/schemas/drift.schema.json": drift_schema,
    "reports/schemas/plan.schema.json": plan_schema,
    "reports/schemas/result.schema.json": result_schema,
    "scanner/files/evidence/lines.schema.json": lines_schema,
    "scanner/files/evidence/schema.json": evidence_schema,
    EDITED: baseline_schema,
}
WRITTEN = {json.loads(path.read_text("utf-8"))["title"]: path for path in BY_HAND.glob("*.schema.json")}
OLD = {name: WRITTEN[title] for name, made in MADE.items() if (title := made()["title"]) in WRITTEN}


def text_of(name: str) -> str:
    return json.dumps(MADE[name](), indent=2) + "\n"


@pytest.mark.parametrize("name", MADE)
def test_a_schema_is_shipped_as_it_is_made(name: str) -> None:
    assert (TOP / name).read_text("utf-8") == text_of(name), "`python -m tests.contract.test_schemas` writes it anew"


def test_programs_may_be_sent_keys_that_later_versions_add() -> None:
    """A format gains keys under its number: whoever holds a document to the schema of his day must not refuse them."""
    shut = [name for name in MADE if 'additionalProperties": false' in (TOP / name).read_text("utf-8")]
    assert shut == [EDITED]
    shipped = {
        str(path.relative_to(TOP)) for room in ("reports", "scanner") for path in (TOP / room).rglob("*schema.json")
    }
    assert shipped == set(MADE)


def plain(schema: Any, root: Any) -> Any:
    """The schema with what it refers to in place, and one way to write what can be written in several."""
    if isinstance(schema, list):
        return [plain(each, root) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: value for key, value in schema.items() if key not in ("description", "$ref", "$defs")}
    if "$ref" in schema:
        found = {**plain(root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root), **found}
    several = found.get("anyOf", found.get("oneOf", []))
    if len(several) == 2 and {"type": "null"} in several:
        other = plain(next(each for each in several if each != {"type": "null"}), root)
        rest = {key: value for key, value in found.items() if key not in ("anyOf", "oneOf")}
        null = {"enum": [*other["enum"], None]} if "enum" in other else {"type": [other["type"], "null"]}
        return plain({**rest, **other, **null}, root)
    found = {
        key: {name: plain(each, root) for name, each in value.items()} if key == "properties" else plain(value, root)
        for key, value in found.items()
    }
    if "const" in found or "enum" in found:
        found.pop("type", None)
    if "pattern" in found:
        found["pattern"] = found["pattern"].replace(r"\d\d", r"\d{2}")
    for key in ("required", "enum", "type"):
        if isinstance(found.get(key), list):
            found[key] = sorted(set(found[key]), key=str)
    return found


def losses(old: Any, new: Any, place: str = "") -> Iterator[str]:
    """Where the new one lacks a key of the old one, or may refuse what that took. Further keys are none."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            if key not in new:
                yield f"{place}.{key} is gone"
            elif key not in old:
                if not place.endswith(".properties"):
                    yield f"{place}.{key} is new"
            elif key == "required" and isinstance(old[key], list):
                yield from (f"{place} demands {name}" for name in new[key] if name not in old[key])
            elif key in ("enum", "type") and isinstance(old[key], list):
                yield from (f"{place} refuses {word}" for word in old[key] if word not in new[key])
            else:
                yield from losses(old[key], new[key], f"{place}.{key}")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from losses(one, other, f"{place}[{number}]")
    elif old != new:
        yield f"{place} was {old} and is {new}"


def described(schema: Any) -> Iterator[str]:
    """Every description in it."""
    for key, value in schema.items() if isinstance(schema, dict) else enumerate(schema):
        if key == "description" and isinstance(value, str):
            yield value
        elif isinstance(value, dict | list):
            yield from described(value)


def both(name: str) -> tuple[Any, Any]:
    old, new = json.loads(OLD[name].read_text("utf-8")), MADE[name]()
    return plain(old, old), plain(new, new)


@pytest.mark.parametrize("name", OLD)
def test_what_fitted_the_schema_that_was_written_by_hand_fits(name: str) -> None:
    assert len(OLD) == 4
    assert list(losses(*both(name))) == []


@pytest.mark.parametrize("name", OLD)
def test_what_it_said_of_a_key_is_said(name: str) -> None:
    old = json.loads(OLD[name].read_text("utf-8"))
    assert set(described(old)) - set(described(MADE[name]())) == set()


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda new: new["properties"].pop("notices"), ".properties.notices is gone"),
        (lambda new: new["required"].append("history"), " demands history"),
        (lambda new: new["properties"]["exit_code"]["enum"].remove(130), ".properties.exit_code refuses 130"),
        (lambda new: new["properties"]["facts"].update(maxItems=9), ".properties.facts.maxItems is new"),
        (lambda new: new["properties"]["partial"].update(type="string"), ".properties.partial.type was boolean and is"),
    ],
    ids=["a key gone", "a key demanded", "a value refused", "a bound", "another type"],
)
def test_a_loss_is_told(spoil: Callable[[Any], object], told: str) -> None:
    old, new = both("reports/schemas/drift.schema.json")
    spoilt = deepcopy(new)
    spoil(spoilt)
    (loss,) = losses(old, spoilt)
    assert loss.startswith(told)


if __name__ == "__main__":
    for shipped in MADE:
        (TOP / shipped).write_text(text_of(shipped), "utf-8")
