"""Evidence as JSON values and back. `schema.json` holds the shape of `preflight.evidence/1`.

Keys may be added to the format under the same number, so a reader passes over those that it does not know. A number is
raised where older readers would be misled.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import resources
from typing import Any

from checks.common.clock_facts import ClockSample
from checks.facts import Unknown
from scanner.files.evidence.model import Evidence, NodeEvidence
from scanner.probes.probe import Answer
from scanner.transports.answers import NodeAnswers
from scanner.transports.protocol import Usage

SCHEMA = "preflight.evidence/1"
_MOST = 2**63
"""No exit code and no count is greater."""
_MOST_S = 1e11
"""No number of seconds is greater, be it since 1970: that would be the year 5138."""


class MalformedError(Exception):
    """The values do not have the shape of evidence. The message is one line and begins with the place."""


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of the document."""
    text = resources.files("scanner.files.evidence").joinpath("schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def to_document(evidence: Evidence) -> dict[str, Any]:
    """The document, but for its checksum."""
    return {
        "schema": SCHEMA,
        "tool": {"name": "preflight", "version": evidence.tool_version},
        "host": evidence.host,
        "inventory": evidence.inventory,
        "started": _moment(evidence.started),
        "finished": _moment(evidence.finished),
        "complete": evidence.complete,
        "notices": list(evidence.notices),
        "counts": counts(evidence),
        "unanswered": [{"cluster": cluster, "node": node} for cluster, node in evidence.unanswered],
        "nodes": [_node(each) for each in evidence.nodes],
    }


def from_document(document: Mapping[str, Any]) -> Evidence:
    """The evidence in a document of this version. Raises MalformedError."""
    top = _Table(document, "")
    evidence = Evidence(
        tool_version=top.table("tool").text("version"),
        host=top.text("host"),
        inventory=top.text("inventory"),
        started=top.moment("started"),
        finished=top.moment("finished"),
        complete=top.flag("complete"),
        nodes=tuple(_read_node(each) for each in top.tables("nodes")),
        unanswered=tuple((each.text("cluster"), each.text("node")) for each in top.tables("unanswered")),
        notices=top.texts("notices"),
    )
    told = top.table("counts")
    for name, count in counts(evidence).items():
        if told.number(name) != count:
            raise MalformedError(f"{count} {name} where {told.number(name)} were written")
    keys = [(each.said.cluster, each.said.node) for each in evidence.nodes]
    if len(set(keys)) < len(keys):
        raise MalformedError("nodes: one of them stands there twice")
    return evidence


def counts(evidence: Evidence) -> dict[str, int]:
    """How much there is, so that a part that is missing is noticed."""
    return {"nodes": len(evidence.nodes), "answers": sum(len(each.said.answers) for each in evidence.nodes)}


def _node(each: NodeEvidence) -> dict[str, Any]:
    said = each.said
    return {
        "cluster": said.cluster,
        "node": said.node,
        "host": said.host,
        "transport": said.transport,
        "product": each.product,
        "roles": list(each.roles),
        "options": dict(each.options),
        "asked_at": _moment(said.asked_at) if said.asked_at else None,
        "seconds": said.seconds,
        "usage": {
            "connections": said.usage.connections,
            "commands": said.usage.commands,
            "requests": said.usage.requests,
        },
        "clock": asdict(said.clock) if isinstance(said.clock, ClockSample) else None,
        "failure": said.failure,
        "hint": said.hint,
        "probes": [{"id": name, "sha256": digest} for name, digest in each.probes.items()],
        "answers": {name: _answer(answer) for name, answer in said.answers.items()},
    }


def _answer(answer: Answer | Unknown) -> dict[str, Any]:
    if isinstance(answer, Unknown):
        return {"unknown": answer.reason}
    told = {"output": answer.output, "exit_code": answer.exit_code, "truncated": answer.truncated}
    return {**told, "error_output": answer.error_output} if answer.error_output else told


def _read_node(table: _Table) -> NodeEvidence:
    usage = table.table("usage")
    said = NodeAnswers(
        cluster=table.text("cluster"),
        node=table.text("node"),
        host=table.text("host"),
        transport=table.text("transport"),
        answers={name: _read_answer(each) for name, each in table.table("answers").items()},
        failure=None if table.value("failure") is None else table.text("failure"),
        hint=table.text("hint"),
        usage=Usage(usage.number("connections"), usage.number("commands"), usage.number("requests")),
        seconds=table.seconds("seconds"),
        clock=None if table.value("clock") is None else _read_clock(table.table("clock")),
        asked_at=None if table.value("asked_at") is None else table.moment("asked_at"),
    )
    return NodeEvidence(
        said=said,
        product=table.text("product"),
        roles=table.texts("roles"),
        options=table.table("options").scalars(),
        probes={each.text("id"): each.text("sha256") for each in table.tables("probes")},
    )


def _read_answer(table: _Table) -> Answer | Unknown:
    if "unknown" in table.values:
        return Unknown(table.text("unknown"))
    # Earlier versions did not tell the two apart: there `output` holds both.
    error_output = table.text("error_output") if "error_output" in table.values else ""
    return Answer(table.text("output"), table.integer("exit_code"), table.flag("truncated"), error_output)


def _read_clock(table: _Table) -> ClockSample:
    names = ("sent_s", "begun_s", "ended_s", "received_s", "resolution_s")
    return ClockSample(**{name: table.seconds(name) for name in names})


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class _Table:
    """A JSON object with its place; whatever is not as it should be raises MalformedError."""

    values: Mapping[str, Any]
    place: str

    def value(self, key: str) -> Any:
        if key not in self.values:
            raise MalformedError(f"{self._at(key)} is missing")
        return self.values[key]

    def text(self, key: str) -> str:
        found: str = self._of(key, "text", lambda value: isinstance(value, str))
        return found

    def texts(self, key: str) -> tuple[str, ...]:
        def fits(value: object) -> bool:
            return isinstance(value, list) and all(isinstance(each, str) for each in value)

        return tuple(self._of(key, "list of texts", fits))

    def flag(self, key: str) -> bool:
        return bool(self._of(key, "true or false", lambda value: isinstance(value, bool)))

    def integer(self, key: str) -> int:
        return int(self._of(key, "whole number", _is_integer))

    def number(self, key: str) -> int:
        return int(self._of(key, "count", lambda value: _is_integer(value) and value >= 0))

    def seconds(self, key: str) -> float:
        def fits(value: Any) -> bool:
            return (_is_integer(value) or isinstance(value, float)) and 0 <= value < _MOST_S

        return float(self._of(key, "number of seconds", fits))

    def moment(self, key: str) -> datetime:
        try:
            moment = datetime.fromisoformat(self.text(key))
            if moment.tzinfo is None:
                raise ValueError  # noqa: TRY301  told like every other time that is none
            return moment.astimezone(UTC)
        except (ValueError, OverflowError):
            raise MalformedError(f"{self._at(key)} is no time in UTC") from None

    def table(self, key: str) -> _Table:
        return _Table(self._of(key, "object", lambda value: isinstance(value, dict)), self._at(key))

    def tables(self, key: str) -> list[_Table]:
        found = self._of(key, "list", lambda value: isinstance(value, list))
        pairs = [(f"{self._at(key)}[{number}]", value) for number, value in enumerate(found)]
        for place, value in pairs:
            if not isinstance(value, dict):
                raise MalformedError(f"{place} is no object")
        return [_Table(value, place) for place, value in pairs]

    def items(self) -> Iterable[tuple[str, _Table]]:
        for key in self.values:
            yield key, self.table(key)

    def scalars(self) -> dict[str, str | int | bool]:
        def fits(value: object) -> bool:
            return isinstance(value, str | bool) or _is_integer(value)

        return {key: self._of(key, "text, whole number or true or false", fits) for key in self.values}

    def _of(self, key: str, what: str, fits: Callable[[Any], bool]) -> Any:
        found = self.value(key)
        if not fits(found):
            raise MalformedError(f"{self._at(key)} is no {what}")
        return found

    def _at(self, key: str) -> str:
        name = " ".join(key.split())[:60]  # perhaps one that somebody made up
        return f"{self.place}.{name}" if self.place else name


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < _MOST
