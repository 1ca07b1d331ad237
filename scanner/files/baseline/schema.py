"""The shape of the baseline's file, from which `schema.json` is made (`make readme` writes it anew)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from reports.codec.schema import schema_of
from reports.codec.shape import About, Form
from scanner.files.baseline.document import FORMAT, STATUSES

_SHUT = About(closed=True)
_VALUE = {"type": ["string", "number", "boolean", "null", "array"], "items": {"type": "string"}}


def _named(about: str, pattern: str) -> About:
    """Of a table by name."""
    return About(about, more={"propertyNames": {"pattern": pattern}})


class _Approval:
    at: Annotated[str, About("UTC.", pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$")]
    by: str
    reason: str
    scope: Annotated[str, About('"everything", or what was approved anew.')]
    tool: Annotated[str, About("The version of preflight.")]


class _Document:
    """The shape of the file, for its schema; what reads it tells the line of every mistake, too."""

    schema: Annotated[str, About(const=FORMAT)]
    inventory: Annotated[str, About("The inventory's file name as given.")]
    approvals: Annotated[
        tuple[Annotated[_Approval, _SHUT], ...],
        About("Who approved what; the first one everything, later ones parts.", more={"minItems": 1}),
    ]
    nodes: Annotated[
        Mapping[str, Annotated[tuple[str, ...], About(more={"uniqueItems": True})]],
        _named("CLUSTER / NODE to the kinds of facts that the node was asked for.", "^[^/]+ / [^/]+$"),
    ]
    not_read: Annotated[
        Mapping[str, str],
        _named(
            "CLUSTER / NODE, or CLUSTER / NODE / FACT, to why it could not be read: holes, never an approval.",
            "^[^/]+ / [^/]+( / .+)?$",
        ),
    ]
    checks: Annotated[
        Mapping[str, Annotated[str, Form("status", str, {"enum": [*STATUSES]})]],
        _named(
            "CLUSTER / NODE / CHECK, or CLUSTER / CHECK for a whole cluster, to how the check ended.",
            "^[^/]+ / [^/]+( / [^/]+)?$",
        ),
    ]
    facts: Annotated[
        Mapping[str, Annotated[Any, Form("value", str, _VALUE)]],
        _named("CLUSTER / NODE / FACT to its value; a list is a set of lines.", "^[^/]+ / [^/]+ / .+$"),
    ]


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of the file. People edit it: a key that nothing knows is a mistake."""
    about = "Facts that somebody approved, to be compared with by preflight drift."
    shut = Annotated[_Document, _SHUT]
    return schema_of(shut, title=FORMAT, urn="urn:preflight:baseline:1", description=about)
