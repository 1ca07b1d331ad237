"""What is left of evidence when a part of an answer is gone, and what the checks then make of it. Pure: no socket.

Of every answer each line, each word of a line, each value of a JSON text and each frame is taken away in turn, or cut
off. Then no check may pass on what it did not see: where a fact that it looked at has become another or unknown, a pass
that stands (or has become "not applicable") is one, unless it is on the list of those that are accepted, with the
reason. What it looked at is seen by judging once more: a fact has many parts, and another check's are none of its own.
And nothing may get better.
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
from scanner.inventory.model import NodeKey
from scanner.lab.lab import Lab
from scanner.lab.scenario import Scenario
from scanner.probes.probe import Answer, Probe
from scanner.run.collect import collect
from scanner.run.facts import read_facts
from scanner.run.job import ScanRequest
from scanner.run.judge import gathered_clusters
from scanner.run.offline import saved_answers
from scanner.transports.answers import Responses
from tests.test_scanner.semantic_fuzz.mutations import Mutation, json_value, keys_of, mutations
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
    unread: bool = False
    """True: only where what the check reads became unreadable, so that nothing else was told in its place."""

    def __str__(self) -> str:
        return f"{self.probe}: {self.reason}"


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
            "take nothing that is read": self.same,
            "make an answer unreadable": self.unread,
            "make another fact": self.judged,
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
        self.collected = collected
        self.probes: Mapping[NodeKey, Sequence[Probe]] = {
            (call.node.cluster, call.node.name): call.probes for call in job.calls()
        }
        self.facts = {key: read_facts(said, self.probes[key]) for key, said in self.collected.said.items()}
        self.clusters = gathered_clusters(job, collected)
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
        seen: dict[object, _Judged] = {}
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
        after = self._results(gathered_clusters(self.job, replace(self.collected, said=said)))
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
    ) -> None:
        tally.tried += 1
        said = self.collected.said[key]
        changed = replace(said, answers={**said.answers, probe.id: mutation.answer})
        facts = read_facts(changed, self.probes[key])
        lost = {kind for kind in probe.facts if _plain(facts[kind]) != _plain(self.facts[key][kind])}
        if not lost and facts[Contact] == self.facts[key][Contact]:
            tally.same += 1
            return
        if all(isinstance(facts[kind], Unknown) for kind in lost):
            tally.unread += 1
        else:
            tally.judged += 1
        allowed = [one for one in accepted if one.probe == probe.id and re.search(one.what, mutation.what)]
        mark = (key, probe.id, tuple(repr(_plain(facts[kind])) for kind in probe.facts), repr(facts[Contact]))
        if mark not in seen:
            clusters = gathered_clusters(self.job, replace(self.collected, said={**self.collected.said, key: changed}))
            seen[mark] = _Judged(clusters, self._results(clusters))
        unread = {kind for kind in lost if isinstance(facts[kind], Unknown)}
        gone = {path for kind in lost for path in changes(self.facts[key][kind], facts[kind], (key[1], kind.__name__))}
        loss = _Loss(key, probe, mutation, lost - unread, gone, seen[mark])
        for about, after in seen[mark].results.items():
            reads = self._checks[about[0]].facts + self._checks[about[0]].optional_facts
            is_unread = loss.other.isdisjoint(reads)
            self._hold(about, after, lost, loss, [one for one in allowed if is_unread or not one.unread], tally)

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
        better = _RANK[after.status] > _RANK[before.status] and not after.not_evaluated
        if better and before.status is not Status.SKIP:
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
        return f"{self.name} {'.'.join(loss.key)} {loss.probe.id} without {loss.mutation.what[:160]}: {about[0]}"

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

    def _results(self, clusters: Sequence[GatheredCluster]) -> dict[tuple[str, str, str | None], Result]:
        return {(row.check, row.cluster, row.node): row for row in evaluate(self.job.checks, clusters)}


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


def _is_moot(result: Result) -> bool:
    return result.status is Status.SKIP and not result.not_evaluated


def _plain(fact: object) -> object:
    """A fact for telling two mutations apart: why something is unknown makes no difference to a status."""
    return Unknown("", fact.unanswered) if isinstance(fact, Unknown) else fact
