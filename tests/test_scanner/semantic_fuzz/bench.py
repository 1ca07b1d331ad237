"""What is left of evidence when a part of an answer is gone or garbled, and what checks make of it. Pure: no socket.

Of every answer each line, each word of a line, each value of a JSON text and each frame is taken away in turn, or cut
off, or made into what means nothing. Then no check may pass on what it did not see: where a fact that it looked at has
become another or unknown, a pass that stands (or has become "not applicable") is one, unless it is on the list of those
that are accepted, with the reason. What it looked at is seen by judging once more: a fact has many parts, and another
check's are none of its own. Nothing may get better, and neither a reader nor a check may raise anything.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from random import Random

from checks.check import Check, ClusterCheck, ClusterView, NodeView
from checks.engine.evaluation import GatheredCluster, applies_to, evaluate
from checks.facts import Contact, Unknown
from checks.outcome import Result, Status
from scanner.cli.answers import with_credentials
from scanner.cli.options import resolve_options
from scanner.files.evidence.file import read_evidence
from scanner.files.packed.answers import opened
from scanner.inventory.model import NodeKey
from scanner.lab.lab import Lab
from scanner.lab.scenario import Scenario
from scanner.probes.probe import Answer, Probe
from scanner.run.collect import collect
from scanner.run.facts import read_facts
from scanner.run.job import ScanRequest
from scanner.run.judge import gathered_clusters
from scanner.run.offline import saved_answers
from scanner.transports.answers import NodeResponse, Responses
from tests.test_scanner.semantic_fuzz.mutations import Mutation, garbles, json_value, keys_of, mutations
from tests.test_scanner.semantic_fuzz.reads import Path as FactPath
from tests.test_scanner.semantic_fuzz.reads import changes, looked_at

# A failure whose proof is gone becomes an error: neither lets anybody go.
_RANK = {Status.FAIL: 1, Status.ERROR: 1, Status.WARN: 2, Status.SKIP: 3, Status.WAIVED: 3, Status.PASS: 4}


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A pass that may stand although something was taken away."""

    probe: str
    what: str
    """A pattern of what was taken away, as `Mutation.what` names it."""
    checks: tuple[str, ...]
    reason: str
    garbled: bool | None = False
    """Whether it is about what was garbled, or about what was taken away; None, as with `unread`: about both."""
    unread: bool = False
    """True: only where what the check reads became unreadable, so that nothing else was told in its place."""

    def excuses(self, probe: Probe, mutation: Mutation) -> bool:
        """Whether it is about that mutation."""
        fits = self.unread or self.garbled in (None, bool(mutation.kind))
        return fits and self.probe == probe.id and bool(re.search(self.what, mutation.what))

    def __str__(self) -> str:
        return f"{self.probe}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Text:
    """A place of an answer at which any text is as good as another: a name, a path, words for people."""

    probe: str
    what: str
    """A pattern of the place, as `Mutation.what` names it."""
    reason: str

    def holds(self, probe: Probe, mutation: Mutation) -> bool:
        """Whether that mutation put another text there, and no more."""
        other = mutation.kind not in ("", "type", "fused", "line")
        return other and self.probe == probe.id and bool(re.search(self.what, mutation.what))


@dataclass(kw_only=True)
class Tally:
    """What came of all mutations."""

    tried: int = 0
    garbled: int = 0
    """Of which something was garbled; of the others it was taken away."""
    unread: int = 0
    """Of which an answer was refused."""
    same: int = 0
    """Of which every fact came out as before: nothing was taken that is read."""
    judged: int = 0
    """Of which another fact came out, and each check that reads it was held to that."""
    valid: int = 0
    """Of which what was garbled has become another good value: nothing has to notice."""
    refused: int = 0
    """Passes that became something else, as they have to."""
    unseen: int = 0
    """Passes that stand, of checks that looked at nothing of what was lost."""
    accepted: Counter[str] = field(default_factory=Counter)
    """Passes that stand for a reason."""
    wrong: list[str] = field(default_factory=list)

    @property
    def numbers(self) -> dict[str, int]:
        """How many of each."""
        return {
            "mutations": self.tried,
            "of them garbled": self.garbled,
            "take nothing that is read": self.same,
            "make an answer unreadable": self.unread,
            "make another fact": self.judged,
            "make another good value": self.valid,
            "passes refused": self.refused,
            "passes that went by other parts": self.unseen,
            "passes accepted": sum(self.accepted.values()),
            "passes wrong": len(self.wrong),
        }

    def __str__(self) -> str:
        return (
            f"{', '.join(f'{count} {what}' for what, count in self.numbers.items())} ({len(self.accepted)} exceptions)"
        )


class Bench:
    """One recording with its inventory, and what every mutation of it comes to."""

    def __init__(self, name: str, job: ScanRequest, collected: Responses) -> None:
        self.name = name
        self.job = job
        self.collected = replace(collected, said={key: opened(each) for key, each in collected.said.items()})
        self.probes: Mapping[NodeKey, Sequence[Probe]] = {
            (call.node.cluster, call.node.name): call.probes for call in job.calls()
        }
        self.facts = {key: read_facts(said, self.probes[key]) for key, said in self.collected.said.items()}
        self.clusters = tuple(gathered_clusters(job, collected))
        self.before = self._results(self.clusters)
        self._checks = {check.id: check for check in job.checks}
        self._looks: dict[tuple[str, str, str | None], set[FactPath]] = {}

    @classmethod
    def saved(cls, name: str, inventory: Path, evidence: Path) -> Bench:
        """What evidence holds, scanned with its inventory."""
        selection, job = resolve_options(inventory)
        file = read_evidence(evidence)
        now = file.evidence.finished + timedelta(hours=1)
        return cls(name, job, saved_answers(job, [file], now, narrowed=selection.narrowed))

    @classmethod
    def played(cls, name: str, scenario: Scenario | Path) -> Bench:
        """What the lab says in that scenario, asked once."""
        with tempfile.TemporaryDirectory() as folder, Lab(scenario) as lab:
            selection, job = resolve_options(lab.write(Path(folder)))
            return cls(name, job, collect(with_credentials(job, selection)))

    def run(self, accepted: Sequence[Accepted], texts: Sequence[Text] = (), *, most: int = 0, seed: int = 0) -> Tally:
        """Try all mutations, or `most` of them, chosen by `seed`."""
        tally = Tally()
        seen: dict[object, _Judged] = {}
        for key, probe, mutation in self.chosen(most, seed):
            is_text = any(one.holds(probe, mutation) for one in texts)
            self._try(key, probe, mutation, accepted, tally, seen, is_text=is_text)
        return tally

    def chosen(self, most: int = 0, seed: int = 0) -> list[tuple[NodeKey, Probe, Mutation]]:
        """What is tried, in the order of the nodes' names: which of them answered first is another one each time."""
        todo = [
            (key, probe, mutation)
            for key, said in sorted(self.collected.said.items())
            for probe in self.probes[key]
            if isinstance(answer := said.answers.get(probe.id), Answer)
            for mutation in (*mutations(answer), *garbles(answer))
        ]
        return Random(seed).sample(todo, most) if most and most < len(todo) else todo

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
                for path, without, garbled in keys_of(json_value(answer), ""):
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
        after = self._results(tuple(gathered_clusters(self.job, replace(self.collected, said=said))))
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
        seen: dict[object, _Judged],
        *,
        is_text: bool,
    ) -> None:
        tally.tried += 1
        tally.garbled += bool(mutation.kind)
        said = self.collected.said[key]
        changed = replace(said, answers={**said.answers, probe.id: mutation.answer})
        facts = self._read(key, probe, changed)
        for kind in probe.facts:
            if isinstance(found := facts[kind], Unknown) and _is_crash(probe, found.reason):
                tally.wrong.append(f"{self._place(key, probe, mutation)}: {found.reason}")
        lost = {kind for kind in probe.facts if _plain(facts[kind]) != _plain(self.facts[key][kind])}
        if not lost and facts[Contact] == self.facts[key][Contact]:
            tally.same += 1
            return
        if all(isinstance(facts[kind], Unknown) for kind in lost):
            tally.unread += 1
        else:
            tally.judged += 1
            tally.valid += is_text
        mark = (key, probe.id, tuple(repr(_plain(facts[kind])) for kind in probe.facts), repr(facts[Contact]))
        if mark not in seen:
            seen[mark] = self._judged(key, changed)
        unread = {kind for kind in lost if isinstance(facts[kind], Unknown)}
        gone = {path for kind in lost for path in changes(self.facts[key][kind], facts[kind], (key[1], kind.__name__))}
        loss = _Loss(key, probe, mutation, lost - unread, set() if is_text else gone, seen[mark], is_text)
        allowed = [one for one in accepted if one.excuses(probe, mutation)]
        for about, after in seen[mark].results.items():
            reads = self._checks[about[0]].facts + self._checks[about[0]].optional_facts
            is_unread = loss.other.isdisjoint(reads)
            self._hold(about, after, lost, loss, [one for one in allowed if is_unread or not one.unread], tally)

    def _read(self, key: NodeKey, probe: Probe, said: NodeResponse) -> Mapping[type, object]:
        """The node's facts where this probe's answer is another: only what it and those that stand in for it say."""
        if not isinstance(said.answers[probe.id], Answer):
            return read_facts(said, self.probes[key])
        own = set(probe.facts)
        kin = [each for each in self.probes[key] if not own.isdisjoint(each.facts)]
        again = read_facts(said, kin)
        return {**self.facts[key], **{kind: again[kind] for kind in probe.facts}}

    def _judged(self, key: NodeKey, said: NodeResponse) -> _Judged:
        """What the checks make of it that read any of what is another; the others' results are those before."""
        alone = gathered_clusters(self.job, replace(self.collected, said={key: said}))
        view = next(node for one in alone if one.info.name == key[0] for node in one.nodes if node.name == key[1])
        clusters = tuple(
            replace(one, nodes=tuple(view if node.name == key[1] else node for node in one.nodes))
            if one.info.name == key[0]
            else one
            for one in self.clusters
        )
        before = self._view_of(key)
        kinds = {kind for kind in (*view.facts, *before.facts) if view.facts.get(kind) != before.facts.get(kind)}
        every = view.absence != before.absence
        checks = [check for check in self.job.checks if every or kinds & set(check.facts + check.optional_facts)]
        return _Judged(clusters, self._results([one for one in clusters if one.info.name == key[0]], checks))

    def _view_of(self, key: NodeKey) -> NodeView:
        return next(
            node for one in self.clusters if one.info.name == key[0] for node in one.nodes if node.name == key[1]
        )

    def _hold(
        self,
        about: tuple[str, str, str | None],
        after: Result,
        lost: set[type],
        loss: _Loss,
        accepted: Sequence[Accepted],
        tally: Tally,
    ) -> None:
        before, check, key = self.before[about], self._checks[about[0]], loss.key
        if _DEFECT in after.message and _DEFECT not in before.message:
            tally.wrong.append(f"{self._told(about, loss)}: {after.message}")
        better = _RANK[after.status] > _RANK[before.status] and not after.not_evaluated
        if better and before.status is not Status.SKIP and not loss.is_text:
            text = f"{self._told(about, loss)} got better, {before.status} to {after.status}: {after.message}"
            self._note(text, about, accepted, tally)
        if not lost & set(check.facts + check.optional_facts) or about[1] != key[0] or about[2] not in (None, key[1]):
            return
        if before.status is not Status.PASS or not self._asks(check, key):
            return
        if after.status is not Status.PASS and not _is_moot(after):
            tally.refused += 1
        elif loss.gone & (self._looked_at(about) | loss.judged.looked_at(check, about)):
            self._note(f"{self._told(about, loss)} stays {after.status}: {after.message}", about, accepted, tally)
        else:
            tally.unseen += 1

    def _told(self, about: tuple[str, str, str | None], loss: _Loss) -> str:
        return f"{self._place(loss.key, loss.probe, loss.mutation)}: {about[0]}"

    def _place(self, key: NodeKey, probe: Probe, mutation: Mutation) -> str:
        garbled = "garbled" if mutation.kind else "without"
        return f"{self.name} {'.'.join(key)} {probe.id} {garbled} {mutation.what[:200]}"

    def _looked_at(self, about: tuple[str, str, str | None]) -> set[FactPath]:
        if about not in self._looks:
            self._looks[about] = looked_at(self._checks[about[0]], _view(self.clusters, self._checks[about[0]], about))
        return self._looks[about]

    def _note(
        self,
        text: str,
        about: tuple[str, str, str | None],
        accepted: Sequence[Accepted],
        tally: Tally,
    ) -> None:
        for one in accepted:
            if about[0] in one.checks:
                tally.accepted[str(one)] += 1
                return
        tally.wrong.append(text)

    def _asks(self, check: Check, key: NodeKey) -> bool:
        node = next(
            node for cluster, _ in self.job.clusters for node in cluster.nodes if (node.cluster, node.name) == key
        )
        return applies_to(check, node.product, node.roles, node.cluster)

    def _results(
        self, clusters: Sequence[GatheredCluster], checks: Sequence[Check] | None = None
    ) -> dict[tuple[str, str, str | None], Result]:
        rows = evaluate(self.job.checks if checks is None else checks, clusters)
        return {(row.check, row.cluster, row.node): row for row in rows}


@dataclass
class _Judged:
    """What the checks make of a mutation, and what each looked at for that."""

    clusters: Sequence[GatheredCluster]
    results: Mapping[tuple[str, str, str | None], Result]
    looks: dict[tuple[str, str, str | None], set[FactPath]] = field(default_factory=dict)

    def looked_at(self, check: Check, about: tuple[str, str, str | None]) -> set[FactPath]:
        if about not in self.looks:
            self.looks[about] = looked_at(check, _view(self.clusters, check, about))
        return self.looks[about]


@dataclass(frozen=True, slots=True)
class _Loss:
    """One mutation of one node's answer, with the parts of its facts that it cost or changed."""

    key: NodeKey
    probe: Probe
    mutation: Mutation
    other: set[type]
    """The facts that have become another, where the rest of what was lost is unknown."""
    gone: set[FactPath]
    judged: _Judged
    is_text: bool
    """Whether another good text stands there."""


def _view(
    clusters: Sequence[GatheredCluster], check: Check, about: tuple[str, str, str | None]
) -> NodeView | ClusterView:
    """What the engine shows the check of that cluster or node."""
    cluster = next(one for one in clusters if one.info.name == about[1])
    if not isinstance(check, ClusterCheck):
        return next(node for node in cluster.nodes if node.name == about[2])
    info = cluster.info
    return ClusterView(
        info, tuple(node for node in cluster.nodes if applies_to(check, info.product, node.roles, info.name))
    )


_DEFECT = "a defect of it"
"""In the message of a check that raised something."""


def _is_crash(probe: Probe, reason: str) -> bool:
    """Whether a reader raised what it does not raise on purpose."""
    return reason.startswith(f"probe {probe.id}: unreadable answer, ") and "a line of" not in reason


def _is_moot(result: Result) -> bool:
    return result.status is Status.SKIP and not result.not_evaluated


def _plain(fact: object) -> object:
    """A fact for telling two mutations apart: why something is unknown makes no difference to a status."""
    return Unknown("", fact.unanswered) if isinstance(fact, Unknown) else fact
