"""A plan as JSON, `preflight.plan/1`: for change systems, and for following it. The classes here are its shape.

Beside what the other formats show, each step says what facts show of it once it is done (`verification.signs`):
`preflight plan --check` reads them from the kept file, so that a number means the same all night.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from checks.common.pages import current
from checks.outcome import Result
from checks.runbook.following import told
from checks.runbook.model import (
    Command,
    DocumentedStep,
    Part,
    Plan,
    Proof,
    Refusal,
    Runbook,
    RunbookSet,
    Side,
    Step,
    Troubleshooting,
    steps_back,
)
from reports.codec.schema import schema_of
from reports.codec.shape import About, Form, From
from reports.codec.writing import write
from reports.render.json_kinds import Count, Maybe, Moment, Positive, Remedy, Table, Tool, Verdicts, itself
from reports.render.json_text import json_safe, pretty
from reports.runbook import wording

SCHEMA = "preflight.plan/1"


class _Found(NamedTuple):
    kind: str
    label: str
    row: Result


class _Chapter(NamedTuple):
    plan: Runbook
    number: int
    part: Part


class _Numbered(NamedTuple):
    plan: Runbook
    number: str
    step: Step


class _Typed(NamedTuple):
    plan: Runbook
    command: Command


class _In(NamedTuple):
    plan: Runbook
    trouble: Troubleshooting


def _typed(commands: Callable[[Any], Iterable[Command]]) -> From:
    """Commands, with the plan that they belong to."""
    return From(lambda at: [_Typed(at.plan, command) for command in commands(at)])


def _proven(at: _Numbered) -> Sequence[Command]:
    return at.step.proof.commands if at.step.proof else ()


def _where(at: _Typed) -> str:
    return wording.where_line(at.command.where, at.command.language) or wording.ANYWHERE


def _steps(at: _Chapter) -> list[_Numbered]:
    return [_Numbered(at.plan, f"{at.number}.{place}", step) for place, step in enumerate(at.part.steps, 1)]


def _hop(at: _Chapter) -> tuple[str, str] | None:
    hops = at.plan.path.hops
    sources = [str(at.plan.path.current), *(hop.version for hop in hops[:-1])]
    return (sources[at.number - 2], hops[at.number - 2].version) if 2 <= at.number <= len(hops) + 1 else None


def _findings(plan: Plan) -> list[_Found]:
    return [_Found(kind, label, row) for kind, rows in wording.findings(plan) for label, row in rows]


def _no_return(schedule: Any) -> Any:
    return schedule if schedule.no_return else None


_Url = Annotated[Maybe, From(lambda it: current(it.url))]
_Proof = Proof("")
_Shell = Annotated[
    str, Form("shell", str, {"enum": ["sh", "cmd", "powershell", "sql", "url"]}), From("command.language")
]


class _Command:
    text: Annotated[str, From("command.text")]
    shell: _Shell
    node: Annotated[
        str | None,
        From(lambda at: at.command.where if at.command.where in at.plan.nodes else None),
        About("The inventory's node that it is typed on; null elsewhere, see where."),
    ]
    where: Annotated[str, From(_where)]


_Typing = Annotated[_Command, About(name="command")]


class _Sign:
    kind: str
    nodes: tuple[str, ...]
    want: Table
    told: Annotated[str, From(told)]


class _Verification:
    shows: Annotated[str, From(lambda at: (at.step.proof or _Proof).shows), About("What must be seen.")]
    commands: Annotated[tuple[_Typing, ...], _typed(_proven)]
    signs: Annotated[
        tuple[Annotated[_Sign, About(name="sign")], ...],
        From("step.signs"),
        About("What facts show once it is done; all of it has to be seen."),
    ]
    unseen: Annotated[Maybe, From("step.unseen"), About("Why facts do not show it, or not all of it.")]


class _Estimate:
    seconds: Annotated[
        int | None, About("The machine's own share; null where no figure is known.", more={"minimum": 0})
    ]
    basis: str
    origin: Literal["vendor", "measured", "yours", "unknown"]


class _Step:
    id: Annotated[
        str,
        From(lambda at: f"{at.plan.cluster}.{at.number}"),
        About("CLUSTER.NUMBER, what --check takes; the same as long as the plan is."),
    ]
    number: Annotated[str, About(pattern=r"^(\d+\.\d+|R\d+)$")]
    kind: Annotated[str, From("step.id"), About("The same wherever the same thing is done, in any plan.")]
    title: Annotated[str, From("step.title")]
    why: Annotated[tuple[str, ...], From("step.notes")]
    point_of_no_return: Annotated[bool, From("step.no_return")]
    commands: Annotated[
        tuple[_Typing, ...],
        _typed(lambda at: at.step.commands),
        About("In order, each only where the one before it went well."),
    ]
    verification: Annotated[_Verification, From(itself)]
    alternatives: Annotated[
        tuple[Side, ...],
        From("step.sides"),
        About("Where the vendor's documents contradict each other; the plan follows the first."),
    ]
    sources: Annotated[
        tuple[DocumentedStep, ...], From("step.sources"), About("The vendor's own steps that this one carries out.")
    ]
    url: Annotated[Maybe, From(lambda at: current(at.step.url))]
    clears: Annotated[Maybe, From("step.answers"), About("The check whose finding the step clears.")]
    estimate: Annotated[_Estimate, From("step.takes")]


_Doing = Annotated[_Step, About(name="step")]


class _Finding:
    label: Annotated[str, About("As the plan speaks of it: B1, W2.")]
    kind: Annotated[Literal["blockers", "warnings", "accepted", "left out"], From(lambda found: found.kind.lower())]
    check: Annotated[str, From("row.check")]
    node: Annotated[str | None, From("row.node")]
    status: Annotated[str, From("row.status")]
    message: Annotated[str, From("row.message")]
    remediation: Annotated[Remedy, From("row.remediation")]


class _About:
    name: Annotated[str, From("cluster")]
    product: str
    verdict: Verdicts
    summary: Annotated[str, From(wording.verdict_line), About("The verdict in one sentence.")]
    findings: Annotated[tuple[Annotated[_Finding, About(name="finding")], ...], From(_findings)]


class _Refused:
    reason: str
    instead: str
    url: _Url


class _Refusal(_About):
    of: ClassVar[type] = Refusal
    refused: Annotated[_Refused, From(itself)]


class _Hop:
    from_: Annotated[str, From(lambda hop: hop[0])]
    to: Annotated[str, From(lambda hop: hop[1])]


class _Way(_Hop):
    why: Annotated[str, From(lambda hop: hop[2])]


class _Part:
    number: Positive
    title: Annotated[str, From("part.title")]
    hop: Annotated[_Hop | None, From(_hop)]
    intro: Annotated[tuple[str, ...], From("part.intro")]
    asked: Annotated[tuple[str, ...], From("part.asked"), About("What the vendor asks of the nodes at this version.")]
    steps: Annotated[tuple[_Doing, ...], From(_steps)]


class _WayBack:
    text: Annotated[tuple[str, ...], From("way_back")]
    steps: Annotated[
        tuple[_Doing, ...], From(lambda plan: [_Numbered(plan, number, step) for number, step in steps_back(plan)])
    ]


class _Trouble:
    sign: Annotated[str, From("trouble.sign")]
    help: Annotated[tuple[str, ...], From("trouble.help")]
    look: Annotated[tuple[_Typing, ...], _typed(lambda at: at.trouble.look), About("Changes nothing.")]
    cure: Annotated[
        tuple[_Typing, ...],
        _typed(lambda at: at.trouble.cure),
        About("Changes something; for after the reading of help."),
    ]
    url: Annotated[Maybe, From(lambda at: current(at.trouble.url))]


class _Stretch:
    number: Annotated[Count, From("chapter")]
    title: str
    known_seconds: Annotated[Count, From("known_s")]
    without_figure: Annotated[tuple[str, ...], From("unknown")]
    steps: Count


class _TimeBack:
    known_seconds: Annotated[Count, From("back_s")]
    without_figure: Annotated[tuple[str, ...], From("back_unknown")]


class _NoReturn:
    step: Annotated[str, From("no_return")]
    known_seconds: Annotated[Count, From("no_return_s")]


class _Schedule:
    window_seconds: Annotated[int | None, From("window_s"), About(more={"minimum": 1})]
    fits: Annotated[bool | None, About("Null: cannot be told.")]
    known_seconds: Annotated[Count, From("known_s")]
    without_figure: Annotated[tuple[str, ...], From("unknown"), About("Numbers of the steps whose time is not known.")]
    parts: Annotated[tuple[_Stretch, ...], From("stretches")]
    way_back: Annotated[_TimeBack, From(itself)]
    turn_back_seconds: Annotated[
        int | None,
        From("turn_back_s"),
        About("How long after the opening a way back can be begun at the latest.", more={"minimum": 0}),
    ]
    no_return: Annotated[_NoReturn | None, From(_no_return)]
    text: Annotated[tuple[str, ...], From(wording.schedule_lines)]


class _Runbook(_About):
    of: ClassVar[type] = Runbook
    refused: Annotated[None, Form("null", itself, {"type": "null"}), From(lambda _: None)]
    installed: Annotated[str, From(lambda plan: str(plan.path.current))]
    target: Annotated[str, From("path.target")]
    stops: Annotated[
        tuple[str, ...],
        From(lambda plan: [hop.version for hop in plan.path.hops[:-1]]),
        About("Versions on the way, without the target."),
    ]
    way: Annotated[tuple[_Way, ...], From(wording.way_lines)]
    placeholders: Annotated[
        tuple[str, ...],
        From("unknown"),
        About("Names that stand in commands as <...>, to be filled in by hand."),
    ]
    parts: Annotated[
        tuple[Annotated[_Part, About(name="part")], ...],
        From(lambda plan: [_Chapter(plan, chapter, part) for chapter, part in enumerate(plan.parts, 1)]),
    ]
    way_back: Annotated[_WayBack, From(itself)]
    troubles: Annotated[
        tuple[Annotated[_Trouble, About(name="trouble")], ...],
        From(lambda plan: [_In(plan, trouble) for trouble in plan.troubles]),
    ]
    schedule: Annotated[
        Annotated[_Schedule, About(name="schedule")] | None,
        About("Null where neither --window nor --takes was given."),
    ]


class _Document:
    schema: Annotated[str, About(const=SCHEMA)]
    tool: Annotated[Tool, From(itself)]
    inventory: str
    asked: Annotated[Moment, About("When the nodes said what the plans rest on, UTC.")]
    partial: bool
    verdict: Verdicts
    exit_code: Annotated[Literal[0, 1, 3], About("0 GO, 1 NO-GO, 3 UNKNOWN.")]
    notices: tuple[str, ...]
    clusters: Annotated[
        tuple[
            Annotated[_Runbook, About(name="runbook")]
            | Annotated[_Refusal, About("A cluster that gets no plan, with the reason.", name="refusal")],
            ...,
        ],
        From("plans"),
    ]


def render(book: RunbookSet) -> str:
    """The document, pretty-printed, with the keys always in the same order."""
    return pretty(document(book))


def document(book: RunbookSet) -> dict[str, Any]:
    """The document as JSON values."""
    safe: dict[str, Any] = json_safe(write(_Document, book))
    return safe


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of the document."""
    about = "The upgrade plans of a preflight inventory. Later versions of the format may gain keys, and lose none."
    return schema_of(_Document, title=SCHEMA, urn="urn:preflight:plan:1", description=about)
