"""Drift as JSON, `preflight.drift/1`: for programs, and kept stable for them. The classes here are its shape."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from checks.baseline.drift import Approval, Difference, Drift
from checks.baseline.fact_paths import Value
from checks.outcome import Status
from reports.codec.schema import schema_of
from reports.codec.shape import About, Form, From
from reports.codec.writing import outline, write
from reports.render.json_kinds import Count, Maybe, Moment, New, OpenStart, Positive, Runs, Since, Tool, itself
from reports.render.json_text import json_safe, pretty_pieces

SCHEMA = "preflight.drift/1"
_COUNTED = [kind for kind in Difference if kind is not Difference.BETTER]
_Value = Annotated[
    Value,
    Form(
        "value",
        lambda value: tuple(value) if isinstance(value, list) else value,
        {
            "description": "A list is a set of lines.",
            "type": ["string", "number", "boolean", "null", "array"],
            "items": {"type": "string"},
        },
        name="value",
        write=lambda value: list(value) if isinstance(value, tuple) else value,
    ),
]
_Counts = Annotated[
    Any,
    Form(
        "object",
        dict,
        {
            "type": "object",
            "required": [str(kind) for kind in _COUNTED],
            "properties": {str(kind): {"type": "integer", "minimum": 0} for kind in _COUNTED},
        },
    ),
]


class _Baseline:
    file: Annotated[str, From("baseline")]
    approvals: Annotated[tuple[Approval, ...], About("The first one of everything, later ones of parts.")]


class _Fact:
    cluster: Annotated[str, From("place.cluster")]
    node: Annotated[str, From("place.node")]
    fact: Annotated[str, From("place.path"), About("Its name, which never changes.")]
    difference: Literal["changed", "appeared", "disappeared", "not-compared"]
    old: _Value
    new: _Value
    note: Annotated[str, About("Why it was not compared; of versions, newer or older.")]


class _Unread:
    cluster: Annotated[str, From("place.cluster")]
    node: Annotated[str, From("place.node")]
    fact: Annotated[
        Maybe,
        From("place.path"),
        About("The first part of the facts' names; null: the node as a whole."),
    ]
    reason: str


class _Node:
    cluster: str
    node: str
    difference: Literal["appeared", "disappeared"]


class _Check:
    check: Annotated[str, From("subject.check")]
    cluster: Annotated[str, From("subject.cluster")]
    node: Annotated[Maybe, From("subject.node"), About("Null where the check judges the cluster as a whole.")]
    difference: Literal["changed", "better", "not-compared"]
    old: Maybe
    new: Maybe
    message: str


class _Subject:
    cluster: Annotated[str, From("subject.cluster")]
    node: Annotated[str | None, From("subject.node")]
    name: Annotated[
        str,
        From("subject.check"),
        About("A fact, a check, a part of a fact's name with .* behind it (all below it), or `node`."),
    ]


class _Finding(_Subject):
    compared: Annotated[
        bool, From(lambda item: item.status is not Status.ERROR), About("False for what was not compared.")
    ]
    since: Since
    since_or_before: OpenStart
    runs: Runs
    new: New


class _Ended(_Subject):
    was: Annotated[
        str,
        From("message"),
        About("changed, appeared, disappeared, not-compared; of checks, worse than approved."),
    ]
    since: Moment
    since_or_before: Annotated[bool, From("open_start")]
    runs: Positive


class _Flapping(_Subject):
    changes: Count
    runs: Annotated[Count, About("The changes happened within so many runs, this one included.")]


_Closed = Annotated[_Ended, About(name="ended")]


class _History:
    last_run: Annotated[
        Moment | None,
        From("last"),
        About("Start of the last comparable run; null where this is the first one, and then nothing else is told."),
    ]
    findings: Annotated[
        tuple[_Finding, ...],
        From("standings"),
        About("One for each difference, and for each part that was not compared."),
    ]
    resolved: Annotated[tuple[_Closed, ...], About("Told by earlier runs, and as approved now.")]
    not_looked_at: Annotated[
        tuple[_Closed, ...],
        From("gone"),
        About("Told by the last run, of a node or a check that is not there any more."),
    ]
    flapping: tuple[_Flapping, ...]


def _otherwise(drift: Drift) -> list[Any]:
    return [row for row in drift.checks if row.difference is not Difference.SAME]


def _counts(drift: Drift) -> dict[str, int]:
    return {str(kind): drift.counts[kind] for kind in _COUNTED}


class _Document:
    schema: Annotated[str, About(const=SCHEMA)]
    tool: Annotated[Tool, From(itself)]
    started: Moment
    finished: Moment
    partial: Annotated[bool, About("True where the run was interrupted.")]
    inventory: str
    baseline: Annotated[_Baseline, From(itself)]
    verdict: Literal["NO DRIFT", "DRIFT", "UNKNOWN"]
    exit_code: Annotated[
        Literal[0, 1, 3, 130],
        About("0 no drift, 1 drift, 3 could not compare everything, 130 interrupted."),
    ]
    counts: Annotated[_Counts, From(_counts), About("Facts by what became of them.")]
    notices: tuple[str, ...]
    facts: Annotated[tuple[_Fact, ...], From("differing"), About("All that are not as approved.")]
    unread: Annotated[
        tuple[_Unread, ...], From("gaps"), About("What could not be read, now or when the baseline was approved.")
    ]
    nodes: Annotated[tuple[_Node, ...], About("Nodes that came into the inventory or left it.")]
    checks: Annotated[
        tuple[_Check, ...],
        From(_otherwise),
        About("Checks that ended otherwise: changed for the worse, better, or not-compared."),
    ]
    history: Annotated[
        _History | None, About("What earlier comparisons say of this one. Only where a history is kept.")
    ] = None


def render(drift: Drift) -> str:
    """The document, pretty-printed, with the keys always in the same order."""
    return "".join(pieces(drift))


def pieces(drift: Drift) -> Iterator[str]:
    """The same, fact by fact."""
    return pretty_pieces(outline(_Document, drift))


def document(drift: Drift) -> dict[str, Any]:
    """The document as JSON values. Facts that are as approved are counted, not listed."""
    safe: dict[str, Any] = json_safe(write(_Document, drift))
    return safe


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of the document."""
    about = "What changed since a baseline was approved."
    return schema_of(_Document, title=SCHEMA, urn="urn:preflight:drift:1", description=about)
