"""Saved answers in the place of fresh ones: which of them count for a job, and what a reader must know of them."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import PureWindowsPath
from typing import overload

from checks.common.dataclass import dataclass
from checks.facts import Unknown
from scanner import __version__
from scanner.files.evidence.model import Evidence, EvidenceFile, NodeEvidence, fingerprint
from scanner.files.packed.answers import packed
from scanner.inventory.model import NodeKey
from scanner.probes.probe import Probe
from scanner.run.durations import told_duration
from scanner.run.job import ScanRequest
from scanner.run.node import NodeRequest
from scanner.run.prepare import loosened
from scanner.secrets.last_door import without_secrets
from scanner.transports.answers import NodeResponse, Responses

FRESH = timedelta(hours=24)
"""Older evidence is told to be old: the nightly run has passed over it."""
_ASTRAY = timedelta(minutes=5)
"""More than two machines' clocks may differ before it is told."""
_LISTED = 10


def evidence_of(job: ScanRequest, collected: Responses) -> Evidence:
    """What is to be kept of a run: of each node when it is looked at, for it may lie on the disk."""
    calls = job.calls()
    return Evidence(
        tool_version=__version__,
        host=platform.node(),
        inventory=job.inventory_name,
        started=collected.started,
        finished=collected.finished,
        complete=collected.complete,
        nodes=_NodesOf([call for call in calls if call.node.key in collected.said], collected.said),
        unanswered=tuple(call.node.key for call in calls if call.node.key not in collected.said),
        notices=without_secrets((*loosened([call.node for call in calls]), *collected.notices)),
    )


class _NodesOf(Sequence[NodeEvidence]):
    """The evidence of each node, made whenever it is looked at."""

    def __init__(self, calls: Sequence[NodeRequest], said: Mapping[NodeKey, NodeResponse]) -> None:
        self._calls = calls
        self._said = said
        self._digests: dict[int, dict[str, str]] = {}
        """What nodes that are asked the same are asked, by the identity of its tuple, which the calls hold."""

    @overload
    def __getitem__(self, at: int) -> NodeEvidence: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[NodeEvidence]: ...
    def __getitem__(self, at: int | slice) -> NodeEvidence | Sequence[NodeEvidence]:
        if isinstance(at, slice):
            return _NodesOf(self._calls[at], self._said)
        call = self._calls[at]
        return NodeEvidence(
            said=self._said[call.node.key],
            product=call.node.product,
            roles=call.node.roles,
            options=call.node.options,
            probes=self._digests_of(call.probes),
        )

    def _digests_of(self, probes: tuple[Probe, ...]) -> dict[str, str]:
        if id(probes) not in self._digests:
            self._digests[id(probes)] = {probe.id: fingerprint(probe) for probe in probes}
        return self._digests[id(probes)]

    def __len__(self) -> int:
        return len(self._calls)


@dataclass(frozen=True, slots=True)
class _Kept:
    """One node's evidence with the file that it is from."""

    file: EvidenceFile
    node: NodeEvidence

    @property
    def when(self) -> datetime:
        return self.node.said.asked_at or self.file.evidence.started


def saved_answers(job: ScanRequest, files: Sequence[EvidenceFile], now: datetime, *, narrowed: bool) -> Responses:
    """What the files hold for `job`, as if the nodes had said it now; the files' order makes no difference.

    A node that several files hold is taken as it answered last. One that none holds, and a question that was not asked,
    are told as such: what rests on them is an error. `now` is aware and serves the remarks on the evidence's age alone;
    `narrowed` says that `job` is about a part of the inventory. `files` is not empty.
    """
    distinct = _distinct(files)
    held = _held(distinct)
    winners = {key: kept[0] for key, kept in held.items()}
    said = {call.node.key: _answers(call, winners.get(call.node.key), distinct) for call in job.calls()}
    used = {key: kept for key, kept in winners.items() if key in said}
    return Responses(
        said=_with_comparable_clocks(said, used),
        started=min(file.evidence.started for file in distinct),
        finished=max(file.evidence.finished for file in distinct),
        notices=(
            *(notice for file in distinct for notice in _origin(file, job, now)),
            *_repeated(files),
            *_overlaps({key: kept for key, kept in held.items() if key in used}),
            *_strangers(job, distinct, narrowed=narrowed),
            *_differences(job, used),
            *_other_questions(job, used, distinct),
        ),
    )


def _distinct(files: Sequence[EvidenceFile]) -> list[EvidenceFile]:
    """Each content once, oldest first."""
    by_content: dict[str, EvidenceFile] = {}
    for file in sorted(files, key=lambda file: str(file.path)):
        by_content.setdefault(file.checksum, file)
    return sorted(by_content.values(), key=lambda file: (file.evidence.started, file.evidence.finished, file.checksum))


def _held(files: Sequence[EvidenceFile]) -> dict[NodeKey, list[_Kept]]:
    """Everything that the files hold of each node, the latest first."""
    found: dict[NodeKey, list[_Kept]] = {}
    for file in files:
        for node in file.evidence.nodes:
            found.setdefault((node.said.cluster, node.said.node), []).append(_Kept(file, node))
    for held in found.values():
        held.sort(key=lambda kept: (kept.when, kept.file.checksum), reverse=True)
    return found


def _overlaps(held: Mapping[NodeKey, Sequence[_Kept]]) -> Iterator[str]:
    """Which answers count where there are several of a node; told once for all nodes of the same files."""
    alike: dict[tuple[str, ...], list[NodeKey]] = {}
    for key, kept in held.items():
        if len(kept) > 1:
            alike.setdefault(tuple(str(each.file.path) for each in kept), []).append(key)
    for (latest, *others), keys in alike.items():
        yield f"{latest} and {', '.join(others)} hold the same nodes: its answers, the latest, count for {_names(keys)}"


def _answers(call: NodeRequest, kept: _Kept | None, files: Sequence[EvidenceFile]) -> NodeResponse:
    node = call.node
    key = node.key
    if kept is None:
        interrupted = any(key in file.evidence.unanswered for file in files)
        why = "no evidence of this node" + (": its collecting was interrupted" if interrupted else "")
        return _nothing(
            NodeResponse(cluster=node.cluster, node=node.name, host=node.host, transport=node.transport), call, why
        )
    said = kept.node.said
    if not kept.node.probes.keys() & {probe.id for probe in call.probes if probe.language == node.language}:
        why = f"no usable evidence of this node: it was asked over {_short(said.transport)}"
        why += f", and is now reached over {node.transport}" if said.transport != node.transport else ""
        return _nothing(replace(said, answers={}, clock=None), call, why)
    lacking = {probe.id: why for probe in call.probes if (why := _lack(probe, kept.node, call))}
    if lacking.keys().isdisjoint(said.answers):
        return replace(said, lacking=lacking) if lacking else said
    # An answer to another question than today's is none.
    left = {name: each for name, each in said.answers.items() if name not in lacking}
    return packed(replace(said, answers=left, lacking=lacking))


def _with_comparable_clocks(
    said: Mapping[NodeKey, NodeResponse], used: Mapping[NodeKey, _Kept]
) -> dict[NodeKey, NodeResponse]:
    """Each node's clock was held to that of the machine that asked, so only those of one run can be compared.

    In a cluster whose nodes are from several, the run of the most nodes counts; of the others' clocks nothing is known.
    """
    files: dict[str, list[str]] = {}
    for (cluster, _), kept in used.items():
        files.setdefault(cluster, []).append(kept.file.checksum)
    counted = {cluster: max(sorted(set(sums)), key=sums.count) for cluster, sums in files.items()}
    apart = Unknown("not comparable: collected in another run than the other nodes (collect them together)")
    return {
        key: replace(answers, clock=apart) if answers.clock and used[key].file.checksum != counted[key[0]] else answers
        for key, answers in said.items()
    }


def _nothing(said: NodeResponse, call: NodeRequest, why: str) -> NodeResponse:
    # The same words for every node, so that reports say them once.
    hint = "Collect it, and give that file too: preflight collect INVENTORY --node NODE -o FILE"
    return replace(said, failure=why, hint=hint, lacking={probe.id: why for probe in call.probes})


def _lack(probe: Probe, kept: NodeEvidence, call: NodeRequest) -> str:
    """Why the evidence has no answer to what the probe asks now; empty where it has one, or asked for one."""
    if probe.id not in kept.probes:
        return f"not in the evidence: collected without probe {probe.id} (collect again)"
    if probe.own and kept.probes[probe.id] != fingerprint(probe):
        return f"not in the evidence: probe {probe.id} asked something else then (collect again)"
    for name in probe.parameters:
        then, now = kept.options.get(name), call.node.options.get(name)
        if then != now:
            return (
                f"not in the evidence: probe {probe.id} was asked with {name} = {_option(then)}, "
                f"the inventory says {_option(now)} (collect again)"
            )
    return ""


def _origin(file: EvidenceFile, job: ScanRequest, now: datetime) -> Iterator[str]:
    held = file.evidence
    yield (
        f"judged from evidence of {_time(held.started)} to {_time(held.finished)}, collected by {_short(held.host)} "
        f"with preflight {_short(held.tool_version)}: {file.path}"
    )
    age, lead = now - held.finished, held.started - now
    if age > FRESH:
        yield f"{file.path} is {told_duration(age)} old: what has changed on its nodes since is not in it"
    if lead > _ASTRAY:
        yield f"{file.path} is dated {told_duration(lead)} in the future: one of two machines' clocks is wrong"
    if not held.complete:
        names = _names(held.unanswered) or "none"
        yield f"{file.path} is partial: interrupted before these nodes had answered: {names}"
    if PureWindowsPath(held.inventory).name != PureWindowsPath(job.inventory_name).name:
        yield f"{file.path} was collected with another inventory, {_short(held.inventory)}"
    for notice in held.notices:
        if notice not in job.notices:
            yield f"{file.path}: {_short(notice, 1000)}"


def _repeated(files: Sequence[EvidenceFile]) -> Iterator[str]:
    same: dict[str, list[str]] = {}
    for file in sorted(files, key=lambda file: str(file.path)):
        same.setdefault(file.checksum, []).append(str(file.path))
    for paths in sorted(same.values()):
        if len(paths) > 1:
            yield f"the same evidence is given {len(paths)} times and counts once: {', '.join(paths)}"


def _strangers(job: ScanRequest, files: Sequence[EvidenceFile], *, narrowed: bool) -> Iterator[str]:
    """Nodes that the inventory does not name. A narrowed job knows all nodes of its clusters, and no other cluster."""
    whole = {cluster.name: {node.name for node in cluster.nodes} for cluster, _ in job.clusters}
    for file in files:
        odd = [
            (cluster, node)
            for cluster, node in ((each.said.cluster, each.said.node) for each in file.evidence.nodes)
            if (node not in whole[cluster] if cluster in whole else not narrowed)
        ]
        if odd:
            yield f"{file.path} holds nodes that the inventory does not name, which are not judged: {_names(odd)}"


def _differences(job: ScanRequest, used: Mapping[NodeKey, _Kept]) -> Iterator[str]:
    """Where a node is now another one in the inventory than the one that was asked."""
    found: dict[str, list[str]] = {}
    for call in job.calls():
        kept = used.get(call.node.key)
        if kept is None:
            continue
        pairs = {
            "host": (kept.node.said.host, call.node.host),
            "transport": (kept.node.said.transport, call.node.transport),
            "product": (kept.node.product, call.node.product),
            "roles": (", ".join(sorted(kept.node.roles)), ", ".join(sorted(call.node.roles))),
        }
        name = _name(call.node.key)
        for what, (then, now) in pairs.items():
            if then != now:
                found.setdefault(what, []).append(f"{name} ({_short(then) or 'none'} then, {now} now)")
    for what, nodes in found.items():
        yield f"{what} in the evidence and in the inventory differ: {_some(nodes)}"


def _other_questions(job: ScanRequest, used: Mapping[NodeKey, _Kept], files: Sequence[EvidenceFile]) -> Iterator[str]:
    """Which probes have changed since, and which nobody here reads any more."""
    known = {probe.id: fingerprint(probe) for probe in job.probes}
    for file in files:
        asked = {
            (name, digest) for kept in used.values() if kept.file is file for name, digest in kept.node.probes.items()
        }
        if changed := sorted({name for name, digest in asked if name in known and digest != known[name]}):
            yield (
                f"preflight {_short(file.evidence.tool_version)} asked otherwise than this version does, and its "
                f"answers are read as they are: {_some(changed)}; where one cannot be read, collect again"
            )
        if foreign := sorted({_short(name) for name, _ in asked if name not in known}):
            yield (
                f"{file.path} answers what no check here asks: {_some(foreign)}; another version collected it, or "
                "plugins that are not installed here"
            )


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _name(key: NodeKey) -> str:
    return ".".join(_short(part) for part in key)


def _names(keys: Iterable[NodeKey]) -> str:
    return _some([_name(key) for key in keys])


def _some(names: Sequence[str]) -> str:
    more = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" and {more} more" if more > 0 else "")


def _option(value: object) -> str:
    return "nothing" if value is None else _short(repr(value))


def _short(text: str, most: int = 100) -> str:
    """One line, and not longer than one reads: it is from a file that anybody may have made."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[:most]}..."
