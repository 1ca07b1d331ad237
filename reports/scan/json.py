"""A scan as JSON, `preflight.result/1`: for programs, and kept stable for them. The classes here are its shape.

Beside the fields that every version of the format has, it says what each cluster's verdict is and what it is for
(`clusters`, `phase`), who made the scan where, whether warnings counted as failures (`strict`), what a reader must know
about how the scan was made (`notices`), who accepts a finding (`waiver`, where somebody does), what a result only
follows from (`follows`, where it does), why the inventory leaves a check out (`left_out`, where it does), which key of
it a check lacks (`not_declared`; both in numbers in `coverage`), what people vouch for (`attestations`, where there are
any), and what earlier runs say of this one (`history`, where one is kept).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from checks.engine.acceptance.model import Expiry
from checks.outcome import Severity, Status
from checks.scan import ClusterVerdict, FailOn, Scan
from reports.codec.schema import schema_of
from reports.codec.shape import LATER, About, Form, From
from reports.codec.writing import outline, write
from reports.render.json_kinds import (
    Count,
    Day,
    Maybe,
    Moment,
    New,
    OpenStart,
    Positive,
    Remedy,
    Runs,
    Since,
    Table,
    Tool,
    Verdicts,
    itself,
)
from reports.render.json_text import json_safe, pretty_pieces

SCHEMA = "preflight.result/1"

_Status = Annotated[
    Status,
    Form(
        "status",
        Status,
        {
            "description": "error: could not be determined. skip: not applicable, or not evaluated; message says why.",
            "enum": [str(status) for status in Status],
        },
        name="status",
        write=str,
    ),
]
_Bad = Literal["warn", "fail", "error", "waived"]
_Said = About(more={"minLength": 1})
_ENDS = {"GO": 0, "NO-GO": 1, "UNKNOWN": 3}
_NULL_NODE = About("Null where the check judges the cluster as a whole.")


class _RunBy:
    user: str
    host: str


class _Coverage:
    planned: Count
    evaluated: Count
    not_applicable: Count
    not_declared: Annotated[
        Count, LATER, About("Not judged because the inventory does not say what it would be judged by.")
    ]
    waived: Count
    not_evaluated: Count
    left_out: Annotated[Count, LATER, About("Checks that the inventory leaves out of a cluster, with a reason.")]


_Covered = Annotated[_Coverage, About("The others add up to planned.", name="coverage")]


class _Nodes:
    inventory: Annotated[Count, From("nodes")]
    asked: Count
    reached: Count


def _counts(judged: ClusterVerdict) -> dict[str, int]:
    return {str(status): judged.counts[status] for status in Status}


class _Cluster:
    name: Annotated[str, From("record.name")]
    product: Annotated[Maybe, From("record.product")]
    installed: Annotated[
        Maybe,
        From("record.installed"),
        About("The version as the vendor writes it; several with their nodes; null where none is known."),
    ]
    target: Annotated[Maybe, From("record.target"), About("The version to upgrade to; null where none is said.")]
    target_from: Annotated[
        Literal["inventory", "command line"] | None,
        From(lambda judged: judged.record.target_from or None),
        About("Whoever said the target."),
    ]
    verdict: Verdicts
    counts: Annotated[
        Mapping[str, Count],
        From(_counts),
        About("Results by status.", more={"propertyNames": {"enum": [str(status) for status in Status]}}),
    ]
    coverage: _Covered
    nodes: Annotated[_Nodes, From("record")]
    owner: Annotated[Maybe, From("record.owner")]
    contact: Annotated[Maybe, From("record.contact")]


class _Node:
    cluster: str
    node: str
    host: str
    transport: str
    reachable: bool
    connections: Count
    commands: Count
    requests: Annotated[Count, About("HTTP requests; 0 over SSH.")]
    seconds: Annotated[
        float,
        Form("number", float, {"type": "number", "minimum": 0}, write=lambda seconds: round(seconds, 3)),
    ]
    owner: Annotated[str, _Said, About("Where it has one of its own, or its cluster's.")] = ""
    contact: Annotated[str, _Said] = ""


class _Waiver:
    owner: str
    reason: str
    expires: Day
    value: Annotated[Maybe, About("It holds only while this is what is observed; null: whatever is observed.")]


class _Result:
    check: Annotated[str, About("The check's id, which never changes.")]
    title: str
    severity: Severity
    cluster: str
    node: Annotated[str | None, _NULL_NODE]
    status: _Status
    message: str
    expected: str
    observed: str
    remediation: Remedy
    evidence: Annotated[Table, About("What the judgement rests on; each check has its own keys.")]
    waiver: Annotated[_Waiver | None, About("Who accepts the finding, where the status is waived; else left out.")] = (
        None
    )
    not_evaluated: Annotated[
        bool,
        About("True where it was planned and could not be judged; left out else.", more={"const": True}),
    ] = False
    follows: Annotated[
        tuple[Annotated[str, About(pattern="^(connectivity|selection|interruption):")], ...],
        About(
            "What it follows from, where that alone keeps it from being told: connectivity:NODE, selection:NODE (not "
            "selected) or interruption:NODE, of the same cluster; unnamed:CLUSTER, where machines were named without "
            "an inventory and there may be others. Left out: nothing.",
            more={"minItems": 1},
        ),
    ] = ()
    not_declared: Annotated[
        str,
        _Said,
        About("The key of the inventory without which this is not judged; the status is skip then."),
    ] = ""
    left_out: Annotated[
        str,
        _Said,
        About("Why the inventory leaves the check out of the cluster, where it does; the status is skip then."),
    ] = ""


class _Attested:
    statement: Annotated[str, From("attestation.statement")]
    by: Annotated[str, From("attestation.by")]
    date: Annotated[Day, From("attestation.date")]
    expires: Annotated[Day, From("attestation.expires")]
    standing: Annotated[Expiry, About("On the day of the scan; ends-soon: within 14 days.")]
    check: Annotated[Maybe, From("attestation.check"), About("Null: none.")]
    cluster: Annotated[Maybe, From("attestation.cluster"), About("Null: the inventory as a whole.")]
    node: Annotated[str | None, From("attestation.node")]


class _Subject:
    check: Annotated[str, From("subject.check")]
    cluster: Annotated[str, From("subject.cluster")]
    node: Annotated[str | None, From("subject.node")]


class _Finding(_Subject):
    status: _Bad
    since: Since
    since_or_before: OpenStart
    runs: Runs
    new: New
    before: Annotated[_Status | None, About("What was found when it was last judged; null where it never was.")]


class _Ended(_Subject):
    was: _Bad
    message: Annotated[str, About("What the last run that had it said.")]
    since: Moment
    since_or_before: Annotated[bool, From("open_start")]
    runs: Positive
    now: Annotated[Literal["pass", "skip"] | None, About("What this run says; null where it did not look.")]


class _Flapping(_Subject):
    changes: Positive
    runs: Annotated[int, About(more={"minimum": 2})]


class _Run:
    started: Moment
    verdict: Verdicts
    fail: Count
    error: Count
    warn: Count
    waived: Count
    pass_: Annotated[Count, From("passed")]
    not_evaluated: Count


_Closed = Annotated[_Ended, About(name="ended")]


class _History:
    last_run: Annotated[
        Moment | None,
        From("last"),
        About("Start of the last comparable run; null where this is the first one."),
    ]
    findings: Annotated[
        tuple[_Finding, ...], From("standings"), About("One for each failure, warning, waived result and error.")
    ]
    resolved: Annotated[
        tuple[_Closed, ...], About("Findings of earlier runs that this one looked for and does not have.")
    ]
    not_looked_at: Annotated[
        tuple[_Closed, ...],
        From("gone"),
        About("Findings of the last run whose node or check is not there any more."),
    ]
    flapping: tuple[_Flapping, ...]
    trend: Annotated[
        tuple[_Run, ...], About("The last runs that looked at the same, oldest first, in numbers of results.")
    ]


class _Document:
    schema: Annotated[str, About(const=SCHEMA)]
    tool: Annotated[Tool, From(itself)]
    started: Moment
    finished: Moment
    partial: Annotated[bool, About("True where the run was interrupted and only what was finished is here.")]
    strict: Annotated[bool, About("True where a warning counts as a failure.")]
    inventory: Annotated[str, About("The inventory's file name as given.")]
    inventory_digest: Annotated[str, About("SHA-256 of the inventory's text in UTF-8.", pattern="^[0-9a-f]{64}$")] = ""
    run_by: Annotated[_RunBy | None, About("Who made the scan, and on which machine.")] = None
    phase: Annotated[
        Literal["before", "window", "after"],
        LATER,
        About("What it was held to: before, in (window) or after the maintenance window."),
    ]
    verdict: Verdicts
    exit_code: Annotated[Literal[0, 1, 3, 130], About("0 GO, 1 NO-GO, 3 UNKNOWN, 130 interrupted.")]
    fail_on: Annotated[
        Literal["all", "new", ""],
        From(lambda scan: "" if scan.fail_on is FailOn.ANY else str(scan.fail_on)),
        About(
            "What the exit code follows, where that is not the verdict: all, that no cluster may go; new, what the "
            "last run did not find."
        ),
    ] = ""
    clusters: Annotated[
        tuple[_Cluster, ...],
        From("cluster_verdicts"),
        LATER,
        About("One for each cluster that was looked at, in inventory order."),
    ]
    coverage: _Covered
    notices: Annotated[
        tuple[str, ...],
        About("What a reader must know about how the scan was made, such as loosened verification."),
    ]
    attestations: Annotated[
        tuple[_Attested, ...],
        About("What people vouch for because no probe can see it; no result rests on it. Left out: nothing."),
    ] = ()
    nodes: tuple[_Node, ...]
    results: Annotated[tuple[_Result, ...], About("In inventory order, then in the order of the registry.")]
    history: Annotated[_History | None, About("What earlier runs say of this one. Only where a history is kept.")] = (
        None
    )


def render(scan: Scan) -> str:
    """The document, pretty-printed, with the keys always in the same order."""
    return "".join(pieces(scan))


def pieces(scan: Scan) -> Iterator[str]:
    """The same, result by result."""
    return pretty_pieces(outline(_Document, scan))


def document(scan: Scan) -> dict[str, Any]:
    """The document as JSON values."""
    safe: dict[str, Any] = json_safe(write(_Document, scan))
    return safe


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of the document."""
    ends = ({"verdict": {"const": verdict}, "exit_code": {"const": code}} for verdict, code in _ENDS.items())
    followed = {"anyOf": [{"required": ["fail_on"]}, *({"properties": each} for each in ends)]}
    cut_short = {"properties": {"exit_code": {"const": 130}, "verdict": {"enum": ["NO-GO", "UNKNOWN"]}}}
    rule = {"if": {"properties": {"partial": {"const": True}}}, "then": cut_short, "else": followed}
    about = "The result of one preflight scan."
    return schema_of(_Document, title=SCHEMA, urn="urn:preflight:result:1", description=about, allOf=[rule])
