"""Evidence as JSON values and back: the shape of `preflight.evidence/1`, from which `schema.json` is made.

Keys may be added to the format under the same number, so a reader passes over those that it does not know. A number is
raised where older readers would be misled. `make readme` writes the schema anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from operator import itemgetter
from typing import Annotated, Any, ClassVar

from checks.common.clock_facts import ClockSample
from checks.common.dataclass import dataclass
from checks.facts import Unknown
from reports.codec.reading import MalformedError, read
from reports.codec.schema import schema_of
from reports.codec.shape import About, Form, From, as_it_is, whole
from reports.codec.writing import write
from scanner.files.evidence.model import Evidence, NodeEvidence
from scanner.files.packed.answers import packed
from scanner.probes.probe import Answer
from scanner.transports.answers import NodeResponse
from scanner.transports.protocol import ConnectionCost

SCHEMA = "preflight.evidence/1"
LINES = "preflight.evidence-lines/1"
"""The same content in lines, see lines.py."""
_MOST_S = 10**11
"""No number of seconds is greater, be it since 1970: that would be the year 5138."""
_DIGEST = "[0-9a-f]{64}$"


def _read_moment(value: object) -> datetime:
    if not isinstance(value, str):
        raise ValueError  # noqa: TRY004  what the codec tells of
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError
    return moment.astimezone(UTC)


def _write_moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _read_count(value: object) -> int:
    if (count := whole(value)) < 0:
        raise ValueError
    return count


def _read_seconds(value: object) -> float:
    number = value if isinstance(value, float) else whole(value)
    if not 0 <= number < _MOST_S:
        raise ValueError
    return float(number)


def _read_scalar(value: object) -> str | int | bool:
    return value if isinstance(value, str | bool) else whole(value)


_Moment = Annotated[
    datetime,
    Form(
        "time in UTC",
        _read_moment,
        {
            "description": "UTC, with microseconds.",
            "type": "string",
            "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z$",
        },
        name="moment",
        write=_write_moment,
    ),
]
_Seconds = Annotated[
    float,
    Form(
        "number of seconds",
        _read_seconds,
        {"type": "number", "minimum": 0, "exclusiveMaximum": _MOST_S},
        name="seconds",
    ),
]
_Count = Annotated[int, Form("count", _read_count, {"type": "integer", "minimum": 0}, name="count")]
_Scalar = Annotated[
    str | int | bool,
    Form("text, whole number or true or false", _read_scalar, {"type": ["string", "integer", "boolean"]}),
]


@dataclass(frozen=True, slots=True)
class _Tool:
    name: Annotated[str, About(const="preflight")]
    version: Annotated[str, From("tool_version")]


@dataclass(frozen=True, slots=True)
class _Counts:
    nodes: _Count
    answers: _Count


@dataclass(frozen=True, slots=True)
class _Unanswered:
    cluster: Annotated[str, From(itemgetter(0))]
    node: Annotated[str, From(itemgetter(1))]


@dataclass(frozen=True, slots=True)
class _Usage:
    connections: _Count
    commands: _Count
    requests: _Count


@dataclass(frozen=True, slots=True, kw_only=True)
class _Clock:
    sent_s: Annotated[_Seconds, About("By the asking machine's clock.")]
    begun_s: Annotated[_Seconds, About("By the node's clock.")]
    ended_s: Annotated[_Seconds, About("By the node's clock.")]
    received_s: Annotated[_Seconds, About("By the asking machine's clock.")]
    resolution_s: _Seconds


@dataclass(frozen=True, slots=True)
class _Probe:
    id: Annotated[str, From(itemgetter(0))]
    sha256: Annotated[str, From(itemgetter(1)), About("Of the script that was sent.", pattern=f"^{_DIGEST}")]


@dataclass(frozen=True, slots=True)
class _Answer:
    of: ClassVar[type] = Answer
    output: Annotated[str, About("As printed, with secrets taken out.")]
    exit_code: int
    truncated: Annotated[bool, About("True where it was cut at the probe's cap.")]
    # Earlier versions did not tell the two apart: there `output` holds both.
    error_output: Annotated[
        str,
        About("What went to standard error; left out where nothing did. Earlier versions had it in `output`."),
    ] = ""


@dataclass(frozen=True, slots=True)
class _NoAnswer:
    of: ClassVar[type] = Unknown
    unknown: Annotated[str, From("reason"), About("Why there is no answer.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Node:
    cluster: Annotated[str, From("said.cluster")]
    node: Annotated[str, From("said.node")]
    host: Annotated[str, From("said.host")]
    transport: Annotated[str, From("said.transport"), About("winrm, ssh, local or tds.")]
    product: str
    roles: tuple[str, ...]
    options: Annotated[Mapping[str, _Scalar], About("The product keys of the inventory that probes read.")]
    asked_at: Annotated[_Moment | None, From("said.asked_at")]
    seconds: Annotated[_Seconds, From("said.seconds")]
    usage: Annotated[_Usage, From("said.usage"), About("What the conversation cost.")]
    clock: Annotated[
        _Clock | None,
        From(lambda each: each.said.clock if isinstance(each.said.clock, ClockSample) else None),
        About("Four moments in seconds since 1970 UTC; null where the node did not say what time it is."),
    ]
    failure: Annotated[
        str | None, From("said.failure"), About("Why the conversation did not go to its end; null where it did.")
    ]
    hint: Annotated[str, From("said.hint"), About("What to do about the failure.")]
    probes: Annotated[
        tuple[_Probe, ...],
        From(lambda each: each.probes.items()),
        About("What was asked. A fallback among them may not have been needed, and has no answer then."),
    ]
    answers: Annotated[Mapping[str, _Answer | _NoAnswer], From("said.answers"), About("Probe id to what came back.")]


@dataclass(frozen=True, kw_only=True)
class _Beginning:
    """What is known before anybody is asked."""

    schema: Annotated[str, About(const=SCHEMA)]
    tool: Annotated[_Tool, From(as_it_is)]
    host: Annotated[str, About("Name of the machine that asked the nodes.")]
    inventory: Annotated[str, About("The inventory's file name as given.")]
    started: _Moment


@dataclass(frozen=True, kw_only=True)
class _End:
    """What is known when all is said."""

    finished: _Moment
    complete: Annotated[bool, About("False where the run was interrupted.")]
    notices: Annotated[
        tuple[str, ...],
        About("What a reader must know of how the answers were come by, such as loosened verification."),
    ]
    counts: Annotated[
        _Counts,
        From(lambda each: _Counts(**counts(each))),
        About("How much there is, so that a part that is missing is noticed."),
    ]
    unanswered: Annotated[tuple[_Unanswered, ...], About("Nodes that were to be asked when the run was interrupted.")]


@dataclass(frozen=True, kw_only=True)
class _Head(_End, _Beginning):
    """The document but for its nodes, which stand at its end, and its checksum: the keys of both, in that order."""


@dataclass(frozen=True, kw_only=True)
class _Document(_Head):
    nodes: Annotated[tuple[_Node, ...], About("In inventory order.")]
    checksum: Annotated[
        str,
        About(
            "SHA-256 over the rest as JSON with sorted keys, without blanks, in ASCII.",
            pattern=f"^sha256:{_DIGEST}",
        ),
    ]


@dataclass(frozen=True, kw_only=True)
class _FirstLine(_Beginning):
    schema: Annotated[str, About(const=LINES)]


@dataclass(frozen=True, kw_only=True)
class _LastLine(_End):
    """No other line has a checksum."""

    checksum: Annotated[
        str,
        About(
            "SHA-256 over all lines before this one, as they are with their ends, and the rest of this one as JSON "
            "with sorted keys, without blanks, in ASCII.",
            pattern=f"^sha256:{_DIGEST}",
        ),
    ]


def lines_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of each line: the first, a node's, or the last."""
    about = (
        "The same as preflight.evidence/1 in lines, each of them by itself what this schema says: the first one has "
        "the schema's name, then comes one for each node in inventory order, and the last one has the checksum."
    )
    kind: Any = _FirstLine | _Node | _LastLine
    return schema_of(kind, title=LINES, urn="urn:preflight:evidence-lines:1", description=about)


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of the document."""
    about = "Everything that the nodes said in one run, with who was asked what and when; made to be judged later."
    return schema_of(_Document, title=SCHEMA, urn="urn:preflight:evidence:1", description=about)


def to_document(evidence: Evidence) -> dict[str, Any]:
    """The document, but for its checksum."""
    return {**head_of(evidence), "nodes": [node_document(each) for each in evidence.nodes]}


def head_of(evidence: Evidence) -> dict[str, Any]:
    """The document but for its nodes, which stand at its end, and its checksum."""
    head: dict[str, Any] = write(_Head, evidence)
    return head


def first_line(evidence: Evidence) -> dict[str, Any]:
    """What stands before the nodes where they are lines."""
    line: dict[str, Any] = write(_FirstLine, evidence)
    return line


def last_line(evidence: Evidence) -> dict[str, Any]:
    """What stands behind them, but for the checksum."""
    line: dict[str, Any] = write(_End, evidence)
    return line


def node_document(each: NodeEvidence) -> dict[str, Any]:
    """One of the document's nodes."""
    written: dict[str, Any] = write(_Node, each)
    return written


def from_document(document: Mapping[str, Any]) -> Evidence:
    """The evidence in a document of this version. Raises MalformedError."""
    found: _Document = read(_Document, {**document, "checksum": ""})
    return _evidence(found, tuple(_node_evidence(each) for each in found.nodes))


def from_parts(head: Mapping[str, Any], nodes: Sequence[NodeEvidence]) -> Evidence:
    """The same, where the nodes are read already. Raises MalformedError."""
    return _evidence(read(_Head, head), nodes)


def node_from(value: object) -> NodeEvidence:
    """One of a document's nodes. Raises MalformedError."""
    return _node_evidence(read(_Node, value))


def _evidence(top: _Head, nodes: Sequence[NodeEvidence]) -> Evidence:
    evidence = Evidence(
        tool_version=top.tool.version,
        host=top.host,
        inventory=top.inventory,
        started=top.started,
        finished=top.finished,
        complete=top.complete,
        nodes=tuple(nodes),
        unanswered=tuple((each.cluster, each.node) for each in top.unanswered),
        notices=top.notices,
    )
    told = {"nodes": top.counts.nodes, "answers": top.counts.answers}
    for name, count in counts(evidence).items():
        if told[name] != count:
            raise MalformedError(f"{count} {name} where {told[name]} were written")
    keys = [(each.said.cluster, each.said.node) for each in evidence.nodes]
    if len(set(keys)) < len(keys):
        raise MalformedError("nodes: one of them stands there twice")
    return evidence


def counts(evidence: Evidence) -> dict[str, int]:
    """How much there is, so that a part that is missing is noticed."""
    return {"nodes": len(evidence.nodes), "answers": sum(len(each.said.answers) for each in evidence.nodes)}


def _node_evidence(each: _Node) -> NodeEvidence:
    said = packed(
        NodeResponse(
            cluster=each.cluster,
            node=each.node,
            host=each.host,
            transport=each.transport,
            answers={
                name: Unknown(found.unknown)
                if isinstance(found, _NoAnswer)
                else Answer(found.output, found.exit_code, found.truncated, found.error_output)
                for name, found in each.answers.items()
            },
            failure=each.failure,
            hint=each.hint,
            usage=ConnectionCost(each.usage.connections, each.usage.commands, each.usage.requests),
            seconds=each.seconds,
            clock=ClockSample(**asdict(each.clock)) if each.clock else None,
            asked_at=each.asked_at,
        )
    )
    return NodeEvidence(
        said=said,
        product=each.product,
        roles=each.roles,
        options=each.options,
        probes={probe.id: probe.sha256 for probe in each.probes},
    )
