"""Dataclasses as JSON and back: what comes back, where a mistake is, and a schema that says the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, Literal

import jsonschema
import pytest

from reports.codec.reading import MalformedError, read
from reports.codec.schema import schema_of
from reports.codec.shape import LATER, About, Form, From, one_of, whole
from reports.codec.writing import outline, write


def _even(value: object) -> int:
    if (number := whole(value)) % 2:
        raise ValueError
    return number


Even = Annotated[int, Form("even number", _even, {"type": "integer", "multipleOf": 2}, name="even")]


@dataclass(frozen=True, slots=True)
class Said:
    output: str
    exit_code: int
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Silent:
    unknown: Annotated[str, About("Why.")]


@dataclass(frozen=True, slots=True)
class Node:
    roles: tuple[str, ...]
    answers: tuple[Said | Silent, ...]
    failure: str | None
    pairs: Even


@dataclass(frozen=True, slots=True)
class Site:
    format: Annotated[str, About(const="site/1")]
    nodes: Mapping[str, Node]
    owner: Silent | None = None


WHOLE = Site(
    "site/1",
    {
        "web1": Node(("web", "dr"), (Said("ok", 0), Silent("timed out"), Said("\ud800", -1, cut=True)), None, 4),
        "": Node((), (), "refused", 0),
    },
)
SCHEMA = schema_of(Site, title="site/1", urn="urn:site:1", description="A site.")


def document() -> Any:
    return write(Site, WHOLE)


def test_what_is_written_comes_back() -> None:
    assert read(Site, json.loads(json.dumps(document()))) == WHOLE


def test_keys_stand_in_the_order_of_the_fields_and_defaults_are_left_out() -> None:
    first = document()["nodes"]["web1"]
    assert list(document()) == ["format", "nodes"]
    assert list(first) == ["roles", "answers", "failure", "pairs"]
    assert first["answers"] == [
        {"output": "ok", "exit_code": 0},
        {"unknown": "timed out"},
        {"output": "\ud800", "exit_code": -1, "cut": True},
    ]


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("nodes", "web1", "answers", 2, "exit_code"), "x", "nodes.web1.answers[2].exit_code is no whole number"),
        (("nodes", "web1", "answers", 0, "exit_code"), True, "nodes.web1.answers[0].exit_code is no whole number"),
        (("nodes", "web1", "answers", 0, "exit_code"), 2**63, "nodes.web1.answers[0].exit_code is no whole number"),
        (("nodes", "web1", "answers", 0, "cut"), 1, "nodes.web1.answers[0].cut is no true or false"),
        (("nodes", "web1", "answers", 1, "unknown"), None, "nodes.web1.answers[1].unknown is no text"),
        (("nodes", "web1", "answers", 1), {}, "nodes.web1.answers[1].output is missing"),
        (("nodes", "web1", "answers", 1), "x", "nodes.web1.answers[1] is no object"),
        (("nodes", "web1", "answers"), {}, "nodes.web1.answers is no list"),
        (("nodes", "web1", "roles"), ["web", 1], "nodes.web1.roles is no list of texts"),
        (("nodes", "web1", "failure"), 0, "nodes.web1.failure is no text"),
        (("nodes", "web1", "pairs"), 3, "nodes.web1.pairs is no even number"),
        (("nodes",), [], "nodes is no object"),
        (("owner",), {}, "owner.unknown is missing"),
        (("nodes", "a\nb" + "c" * 99), 0, "nodes.a b" + "c" * 57 + " is no object"),
    ],
)
def test_a_mistake_is_told_with_its_place(path: tuple[Any, ...], value: object, told: str) -> None:
    damaged = document()
    *way, last = path
    inner = damaged
    for key in way:
        inner = inner[key]
    inner[last] = value
    with pytest.raises(MalformedError) as caught:
        read(Site, damaged)
    assert str(caught.value) == told
    if value != 2**63:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(damaged, SCHEMA)


def test_what_is_missing_is_told() -> None:
    with pytest.raises(MalformedError, match=r"^nodes is missing$"):
        read(Site, {"format": "site/1"})


def test_keys_of_later_versions_are_passed_over() -> None:
    later = document()
    later["nodes"]["web1"]["answers"][0]["colour"] = "blue"
    later["more"] = [1]
    assert read(Site, later) == WHOLE


def test_the_schema_takes_what_is_written() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(document(), SCHEMA)
    assert SCHEMA["required"] == ["format", "nodes"]
    assert SCHEMA["$defs"] == {"even": {"type": "integer", "multipleOf": 2}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**document(), "format": "site/2"}, SCHEMA)


class Shade(StrEnum):
    DARK = "dark"
    LIGHT = "light"


@dataclass(frozen=True)
class Paint:
    """What a house has; no document."""

    shade: Shade
    litres: int


@dataclass(frozen=True)
class House:
    number: int
    paint: Paint
    rooms: tuple[str, ...] = ()
    bell: str = ""


@dataclass(frozen=True)
class Coat:
    shade: Shade
    litres: int


@dataclass(frozen=True, kw_only=True)
class Told:
    from_: Annotated[int, From("number")]
    coat: Annotated[Coat, From("paint"), About(repeats=True)]
    rooms: Annotated[tuple[str, ...], About("Its rooms.")] = ()
    doors: Annotated[int, From(lambda house: len(house.rooms) + 1), LATER]
    bell: Literal["none", "loud", ""] = ""
    end: Annotated[Coat | None, From(lambda house: house.paint if house.rooms else None)] = None


HOUSE = House(7, Paint(Shade.DARK, 3))
OPEN = House(8, Paint(Shade.LIGHT, 2), ("hall",), "loud")
TOLD = schema_of(Told, title="told/1", urn="urn:told:1", description="A house.")


def test_a_document_is_made_of_what_it_tells_of() -> None:
    assert write(Told, HOUSE) == {"from": 7, "coat": {"shade": "dark", "litres": 3}, "doors": 1}
    assert list(write(Told, OPEN).items()) == [
        ("from", 8),
        ("coat", {"shade": "light", "litres": 2}),
        ("rooms", ["hall"]),
        ("doors", 2),
        ("bell", "loud"),
        ("end", {"shade": "light", "litres": 2}),
    ]


@pytest.mark.parametrize("house", [HOUSE, OPEN])
def test_its_schema_takes_it_and_what_comes_back_is_the_document(house: House) -> None:
    written = write(Told, house)
    jsonschema.validate(written, TOLD)
    assert write(Told, house) == json.loads(json.dumps(written))
    assert read(Told, written).doors == len(house.rooms) + 1


@pytest.mark.parametrize(
    "change",
    [{"bell": ""}, {"bell": "soft"}, {"end": None}, {"coat": {"shade": "red", "litres": 1}}, {"from": "7"}],
    ids=str,
)
def test_its_schema_refuses_what_is_never_written(change: dict[str, Any]) -> None:
    """Least of all the value with which a key is left out."""
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**write(Told, HOUSE), **change}, TOLD)


def test_documents_of_before_a_key_fit_the_schema() -> None:
    written = write(Told, HOUSE)
    del written["doors"]
    jsonschema.validate(written, TOLD)
    del written["from"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(written, TOLD)


def test_a_word_that_is_none_of_the_choice_is_told_with_its_place() -> None:
    written = {**write(Told, HOUSE), "bell": "soft"}
    with pytest.raises(MalformedError, match=r"^bell is no choice of none, loud, $"):
        read(Told, written)


def test_an_outline_makes_the_entries_of_its_lists_as_they_are_asked_for() -> None:
    outlined = outline(Site, WHOLE)
    assert {key: list(each) if isinstance(each, map) else each for key, each in outlined.items()} == document()
    rooms = outline(Told, OPEN)["rooms"]
    assert next(rooms) == "hall"
    assert next(rooms, "no more") == "no more"


@dataclass(frozen=True, kw_only=True)
class Lamp:
    """Something that people write."""

    lit: bool = False
    watts: float = 4.5
    of_room: Mapping[Annotated[str, one_of("hall", "attic")], int] = field(default_factory=dict)
    note: Any = None


LAMPS = Annotated[Lamp, About(closed=True)]
LAMP = schema_of(LAMPS, title="lamp/1", urn="urn:lamp:1", description="A lamp.")


def test_what_is_left_out_is_as_the_class_says() -> None:
    assert read(LAMPS, {"watts": 3, "of_room": {"attic": 1}}) == Lamp(watts=3.0, of_room={"attic": 1})
    assert write(LAMPS, Lamp(lit=True)) == {"lit": True}
    assert write(LAMPS, Lamp(of_room={"hall": 2}, note=[1])) == {"of_room": {"hall": 2}, "note": [1]}


@pytest.mark.parametrize(
    ("written", "told", "known"),
    [
        ({"lid": True}, "lid is unknown; there are lit, watts, of_room, note", ("lit", "watts", "of_room", "note")),
        ({"of_room": {"cellar": 1}}, "of_room.cellar is unknown; there are hall, attic", ("hall", "attic")),
        ({"of_room": {"hall": "1"}}, "of_room.hall is no whole number", ()),
        ({"watts": "4"}, "watts is no number", ()),
        ({"watts": True}, "watts is no number", ()),
    ],
)
def test_what_people_write_has_the_keys_that_there_are(
    written: dict[str, Any], told: str, known: tuple[str, ...]
) -> None:
    with pytest.raises(MalformedError) as caught:
        read(LAMPS, written)
    assert str(caught.value) == told
    assert caught.value.mistake
    assert caught.value.mistake.known == known
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(written, LAMP)
