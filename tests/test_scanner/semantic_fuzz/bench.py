"""What is left of evidence when a part of an answer is gone, and what the checks then make of it. Pure: no socket.

Of every answer each line, each word of a line, each value of a JSON text and each frame is taken away in turn, or cut
off. Then no check may pass on what it did not see: where a fact that it reads has become another or unknown, a pass
that stands is one, unless it is on the list of those that are accepted, with the reason. And nothing may get better.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

from checks.check import Check
from checks.engine.evaluation import concerns, evaluate
from checks.facts import Contact, Unknown
from checks.outcome import Result, Status
from scanner.cli.answers import with_credentials
from scanner.cli.options import resolve_options
from scanner.files.evidence.file import read_evidence
from scanner.inventory.model import NodeKey
from scanner.lab.lab import Lab
from scanner.lab.scenario import Scenario
from scanner.probes.probe import Answer, Probe
from scanner.run.collect import collect
from scanner.run.facts import read_facts
from scanner.run.job import Job
from scanner.run.judge import gathered_clusters
from scanner.run.offline import saved_answers
from scanner.transports.answers import Collected
from tests.recordings.collect import FOLDER, evidence_path

# A failure whose proof is gone becomes an error: neither lets anybody go.
_RANK = {Status.FAIL: 1, Status.ERROR: 1, Status.WARN: 2, Status.SKIP: 3, Status.WAIVED: 3, Status.PASS: 4}
_CUTS = 12
"""Places at which a text is cut off, besides its line ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A pass that may stand although something was taken away."""

    probe: str
    what: str
    """A pattern of what was taken away, as `Mutation.what` names it."""
    checks: tuple[str, ...]
    reason: str
    unread: bool = False
    """True: only where the answer became unreadable, so that nothing else was told in its place."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """One answer that lacks something."""

    what: str
    """In words: "line 'memory 16396288 kB'", "word 2 of line '...'", "value drives[0].free"."""
    answer: Answer | Unknown


@dataclass(kw_only=True)
class Tally:
    """What came of all mutations."""

    tried: int = 0
    unread: int = 0
    """Of which an answer was refused."""
    same: int = 0
    """Of which every fact came out as before: nothing was taken that is read."""
    judged: int = 0
    """Of which another fact came out, and each check that reads it was held to that."""
    refused: int = 0
    """Passes that became something else, as they have to."""
    accepted: Counter[str] = field(default_factory=Counter)
    """Passes that stand for a reason."""
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.tried} mutations: {self.same} take nothing that is read, {self.unread} make an answer unreadable, "
            f"{self.judged} another fact; {self.refused} passes refused, {sum(self.accepted.values())} accepted "
            f"by {len(self.accepted)} exceptions, {len(self.wrong)} wrong"
        )


def mutations(answer: Answer) -> Iterator[Mutation]:
    """Everything that can be missing from an answer."""
    yield Mutation("frame", Unknown("cut off in mid-answer"))
    yield Mutation("output", replace(answer, output=""))
    yield Mutation("output, and it failed", replace(answer, output="", exit_code=1))
    yield Mutation("end (cut at the cap)", replace(answer, output=answer.output[:-1], truncated=True))
    value = _json(answer)
    if isinstance(value, (dict, list)):
        for path, other in _without(value, ""):
            yield Mutation(f"value {path}", replace(answer, output=json.dumps(other)))
    yield from _of_text(answer)


def _of_text(answer: Answer) -> Iterator[Mutation]:
    text = answer.output
    lines = text.splitlines(keepends=True)
    if len(lines) > 1 or not text.lstrip().startswith(("{", "[")):
        for number, line in enumerate(lines):
            rest = [*lines[:number], *lines[number + 1 :]]
            yield Mutation(f"line {line.strip()!r}", replace(answer, output="".join(rest)))
            for found in re.finditer(r"\S+", line):
                cut = line[: found.start()] + line[found.end() :]
                said = "".join([*lines[:number], cut, *lines[number + 1 :]])
                yield Mutation(f"word {found[0]!r} of {line.strip()!r}", replace(answer, output=said))
        ends = {sum(map(len, lines[:number])) for number in range(1, len(lines))}
        step = max(1, len(text) // _CUTS)
        for end in sorted(ends | set(range(step, len(text), step)) | {len(text) - 1}):
            yield Mutation(f"all behind {text[:end][-20:]!r}", replace(answer, output=text[:end]))


def _without(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """`value` without each of its parts in turn: gone, null, empty."""
    if isinstance(value, dict):
        for key, part in value.items():
            here = f"{path}.{key}" if path else key
            yield f"{here} gone", {name: each for name, each in value.items() if name != key}
            for what, other in _lessened(part, here):
                yield what, {**value, key: other}
    elif isinstance(value, list):
        for number, part in enumerate(value):
            here = f"{path}[{number}]"
            yield f"{here} gone", [*value[:number], *value[number + 1 :]]
            for what, other in _lessened(part, here):
                yield what, [*value[:number], other, *value[number + 1 :]]


def _json(answer: Answer) -> Any:
    try:
        return json.loads(answer.output)
    except ValueError:
        return None


def _keys(value: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """The path of each key in `value`, with the whole value without it, and with garbage under it."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        here = f"{path}[{key}]" if isinstance(value, list) else f"{path}.{key}" if path else str(key)
        if isinstance(value, dict):
            rest = {name: each for name, each in value.items() if name != key}
            yield here, rest, {**rest, key: {"garbage": ["garbage"]}}
        for found, without, garbled in _keys(part, here):
            yield found, _with(value, key, without), _with(value, key, garbled)


def _with(value: Any, key: Any, part: Any) -> Any:
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    copy[key] = part
    return copy


def _lessened(part: Any, here: str) -> Iterator[tuple[str, Any]]:
    if part is not None:
        yield f"{here} null", None
    if part and isinstance(part, (str, list, dict)):
        yield f"{here} empty", type(part)()
    if isinstance(part, (dict, list)):
        yield from _without(part, here)


class Bench:
    """One recording with its inventory, and what every mutation of it comes to."""

    def __init__(self, name: str, job: Job, collected: Collected) -> None:
        self.name = name
        self.job = job
        self.collected = collected
        self.probes: Mapping[NodeKey, Sequence[Probe]] = {
            (call.node.cluster, call.node.name): call.probes for call in job.calls()
        }
        self.facts = {key: read_facts(said, self.probes[key]) for key, said in self.collected.said.items()}
        self.before = self._results(self.collected)

    @classmethod
    def recorded(cls, name: str) -> Bench:
        """The recording of that name."""
        selection, job = resolve_options(FOLDER / f"{name}.inventory.toml")
        file = read_evidence(evidence_path(name))
        now = file.evidence.finished + timedelta(hours=1)
        return cls(name, job, saved_answers(job, [file], now, narrowed=selection.narrowed))

    @classmethod
    def played(cls, name: str, scenario: Scenario | Path) -> Bench:
        """What the lab says in that scenario, asked once."""
        with tempfile.TemporaryDirectory() as folder, Lab(scenario) as lab:
            selection, job = resolve_options(lab.write(Path(folder)))
            return cls(name, job, collect(with_credentials(job, selection)))

    def run(self, accepted: Sequence[Accepted], *, most: int = 0, seed: int = 0) -> Tally:
        """Try all mutations, or `most` of them, chosen by `seed`."""
        todo = [
            (key, probe, mutation)
            for key, said in self.collected.said.items()
            for probe in self.probes[key]
            if isinstance(answer := said.answers.get(probe.id), Answer)
            for mutation in mutations(answer)
        ]
        if most and most < len(todo):
            todo = Random(seed).sample(todo, most)
        tally = Tally()
        seen: dict[object, Mapping[tuple[str, str, str | None], Result]] = {}
        for key, probe, mutation in todo:
            self._try(key, probe, mutation, accepted, tally, seen)
        return tally

    def silent(self) -> set[tuple[str, str]]:
        """Probe and path of the keys that are read, and whose absence is taken for what they say.

        A key whose garbage is noticed is read. Where an answer without it gives the same facts, what is not there
        counts as the value that it had: a default that nobody proved.
        """
        found: set[tuple[str, str]] = set()
        for key, said in self.collected.said.items():
            for probe in self.probes[key]:
                answer = said.answers.get(probe.id)
                if not isinstance(answer, Answer):
                    continue
                for path, without, garbled in _keys(_json(answer), ""):
                    if not self._differs(key, probe, answer, without) and self._differs(key, probe, answer, garbled):
                        found.add((probe.id, re.sub(r"\[\d+\]", "[]", path)))
        return found

    def without(self, probe_id: str) -> list[str]:
        """The checks that still pass where no node at all has answered to the probe, though they read of it."""
        lost = Unknown("cut off in mid-answer")
        said = {
            key: replace(each, answers={**each.answers, probe_id: lost}) if probe_id in each.answers else each
            for key, each in self.collected.said.items()
        }
        read = {kind for probes in self.probes.values() for one in probes if one.id == probe_id for kind in one.facts}
        checks = {check.id for check in self.job.checks if read & set(check.facts + check.optional_facts)}
        after = self._results(replace(self.collected, said=said))
        asked = {key for key, each in self.collected.said.items() if probe_id in each.answers}
        return sorted(
            {
                row.check
                for about, row in after.items()
                if row.check in checks and row.status is Status.PASS and self.before[about].status is Status.PASS
                if row.node is None or (row.cluster, row.node) in asked
            }
        )

    def _differs(self, key: NodeKey, probe: Probe, answer: Answer, value: object) -> bool:
        said = self.collected.said[key]
        other = replace(answer, output=json.dumps(value))
        facts = read_facts(replace(said, answers={**said.answers, probe.id: other}), self.probes[key])
        return any(_plain(facts[kind]) != _plain(self.facts[key][kind]) for kind in probe.facts)

    def _try(
        self,
        key: NodeKey,
        probe: Probe,
        mutation: Mutation,
        accepted: Sequence[Accepted],
        tally: Tally,
        seen: dict[object, Mapping[tuple[str, str, str | None], Result]],
    ) -> None:
        tally.tried += 1
        said = self.collected.said[key]
        changed = replace(said, answers={**said.answers, probe.id: mutation.answer})
        facts = read_facts(changed, self.probes[key])
        lost = {kind for kind in probe.facts if facts[kind] != self.facts[key][kind]}
        if not lost and facts[Contact] == self.facts[key][Contact]:
            tally.same += 1
            return
        unread = all(isinstance(facts[kind], Unknown) for kind in lost)
        if unread:
            tally.unread += 1
        else:
            tally.judged += 1
        allowed = [
            one
            for one in accepted
            if one.probe == probe.id and (unread or not one.unread) and re.search(one.what, mutation.what)
        ]
        mark = (key, probe.id, tuple(repr(_plain(facts[kind])) for kind in probe.facts), repr(facts[Contact]))
        if mark not in seen:
            seen[mark] = self._results(replace(self.collected, said={**self.collected.said, key: changed}))
        for about, after in seen[mark].items():
            self._hold(about, after, lost, key, probe, mutation, allowed, tally)

    def _hold(
        self,
        about: tuple[str, str, str | None],
        after: Result,
        lost: set[type],
        key: NodeKey,
        probe: Probe,
        mutation: Mutation,
        accepted: Sequence[Accepted],
        tally: Tally,
    ) -> None:
        before = self.before[about]
        where = f"{self.name} {'.'.join(key)} {probe.id} without {mutation.what[:160]}: {about[0]}"
        better = _RANK[after.status] > _RANK[before.status] and not after.not_evaluated
        if better and before.status is not Status.SKIP:
            self._note(f"{where} got better, {before.status} to {after.status}", about, accepted, tally)
        check = next(each for each in self.job.checks if each.id == about[0])
        if not lost & set(check.facts + check.optional_facts) or about[1] != key[0] or about[2] not in (None, key[1]):
            return
        if not self._asks(check, key):
            return
        if before.status is Status.PASS and (after.status is Status.PASS or _is_moot(after)):
            self._note(f"{where} stays {after.status}: {after.message}", about, accepted, tally)
        elif before.status is Status.PASS:
            tally.refused += 1

    def _note(
        self,
        text: str,
        about: tuple[str, str, str | None],
        accepted: Sequence[Accepted],
        tally: Tally,
    ) -> None:
        for one in accepted:
            if about[0] in one.checks:
                tally.accepted[f"{one.probe}: {one.reason}"] += 1
                return
        tally.wrong.append(text)

    def _asks(self, check: Check, key: NodeKey) -> bool:
        node = next(
            node for cluster, _ in self.job.clusters for node in cluster.nodes if (node.cluster, node.name) == key
        )
        return concerns(check, node.product, node.roles)

    def _results(self, collected: Collected) -> dict[tuple[str, str, str | None], Result]:
        rows = evaluate(self.job.checks, gathered_clusters(self.job, collected))
        return {(row.check, row.cluster, row.node): row for row in rows}


def _is_moot(result: Result) -> bool:
    return result.status is Status.SKIP and not result.not_evaluated


def _plain(fact: object) -> object:
    """A fact for telling two mutations apart: why something is unknown makes no difference to a status."""
    return Unknown("", fact.unanswered) if isinstance(fact, Unknown) else fact
