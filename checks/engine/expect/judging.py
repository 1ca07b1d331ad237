"""A check made of an expectation: on each node by itself, or over all of them where they have to be the same."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial

from checks.check import Check, ClusterCheck, ClusterView, NodeCheck, NodeView
from checks.engine.consistency import Comparison, compared
from checks.engine.expect.findings import Finding, State, findings, shortened
from checks.engine.expect.model import Expectation, subject_of, told, wishes
from checks.engine.expect.observation import Observation, observation_kind
from checks.engine.wording import enumerate_names
from checks.outcome import Outcome, Remediation, failed, not_applicable, passed, undetermined, warned

_NO_FIX = "See that it is as expected, or correct what the inventory expects."
_CHECKSUM_SHOWN = 16
_NO_WHY = "Whoever wrote the inventory expects it."


def check_of(wanted: Expectation) -> Check:
    """The check that holds nodes to `wanted`."""
    doc = "\n".join(
        [
            f"{wanted.title}.",
            f"\n## What it checks\n{told(wanted)}",
            f"\n## Why it matters\n{wanted.why or _NO_WHY}",
            f"\n## How to fix it\n{wanted.fix or _NO_FIX}",
        ]
    )
    common = {
        "id": wanted.id,
        "title": wanted.title,
        "severity": wanted.severity,
        "doc": doc,
        "remediation": Remediation(wanted.fix or _NO_FIX, url=wanted.url),
        "clusters": wanted.clusters,
        "products": wanted.products,
        "roles": wanted.roles,
        "facts": (observation_kind(wanted.id),),
        "references": (wanted.url,) if wanted.url else (),
    }
    if wanted.same:
        return ClusterCheck(**common, judge=partial(judge_cluster, wanted))  # type: ignore[arg-type]  # as named above
    return NodeCheck(**common, judge=partial(judge_node, wanted))  # type: ignore[arg-type]  # as named above


def judge_node(wanted: Expectation, view: NodeView) -> Outcome:
    """Whether one node is as expected."""
    seen = view.require(observation_kind(wanted.id))
    judged = findings(wanted, seen)
    broken = [one.message for one in judged if one.state is State.BROKEN]
    unknown = [one.message for one in judged if one.state is State.UNKNOWN]
    return _outcome(wanted, broken, unknown, _observed(judged), {**seen.found})


def judge_cluster(wanted: Expectation, view: ClusterView) -> Outcome:
    """Whether all nodes are as expected, and alike."""
    known: list[tuple[NodeView, Observation]] = view.with_fact(observation_kind(wanted.id))
    judged = {node.name: findings(wanted, seen) for node, seen in known}
    broken = _by_node(judged, State.BROKEN)
    unknown = _by_node(judged, State.UNKNOWN)
    whole = [(node.name, seen) for node, seen in known if not seen.gaps]
    alike = compared((name, _compared(wanted, seen)) for name, seen in whole)
    if not alike.agree:
        broken.append(f"{alike.groups.sentence()}: {_differences(wanted, alike)}")
    told_already = " ".join(unknown)
    unknown += [
        f"{node.name}: {item} cannot be compared: {reason}"
        for node, seen in known
        for item, reason in seen.gaps.items()
        if reason not in told_already
    ]
    observed = _differences(wanted, alike, whole=True)
    evidence: dict[str, object] = {node.name: dict(seen.found) for node, seen in known}
    if not known:
        return undetermined("no node has said it", expected="; ".join(wishes(wanted)))
    if len(view.nodes) == 1 and not broken and not unknown and not wanted.wants:
        return not_applicable(f"{view.nodes[0].name} is the only node: there is none to compare it with")
    return _outcome(wanted, broken, unknown, observed, evidence)


def _differences(wanted: Expectation, alike: Comparison[tuple[tuple[str, str], ...]], *, whole: bool = False) -> str:
    """What each group has, of the items alone in which they differ, unless the `whole` is wanted."""
    groups = [(dict(value), names) for value, names in alike.groups.members]
    items = [item for item in wanted.items() if whole or len({one.get(item) for one, _ in groups}) > 1]
    return "; ".join(
        f"{enumerate_names(names)}: {', '.join(f'{item} {_brief(one[item])}' for item in items if item in one)}"
        for one, names in groups
    )


def _brief(text: str) -> str:
    """A checksum by its beginning; the evidence has the whole."""
    return f"{text[:_CHECKSUM_SHOWN]}…" if re.fullmatch(r"[0-9a-f]{64}", text) else shortened(text)


def _compared(wanted: Expectation, seen: Observation) -> tuple[tuple[str, str], ...]:
    return tuple((item, seen.found[item]) for item in wanted.items() if item in seen.found)


def _by_node(judged: dict[str, list[Finding]], state: State) -> list[str]:
    names: dict[str, list[str]] = {}
    for name, rows in judged.items():
        for one in rows:
            if one.state is state:
                names.setdefault(one.message, []).append(name)
    return [f"{enumerate_names(those)}: {message}" for message, those in names.items()]


def _observed(judged: list[Finding]) -> str:
    return "; ".join(dict.fromkeys(one.observed for one in judged if one.observed))


def _outcome(
    wanted: Expectation, broken: list[str], unknown: list[str], observed: str, found: Mapping[str, object]
) -> Outcome:
    expected = "; ".join(wishes(wanted))
    what = subject_of(wanted)
    if broken:
        give = warned if wanted.warns else failed
        return give(f"{what}: {'; '.join([*broken, *unknown])}", expected=expected, observed=observed, found=found)
    if unknown:
        return undetermined(f"{what}: {'; '.join(unknown)}", expected=expected, observed=observed, found=found)
    return passed(f"{what}: as expected", expected=expected, observed=observed, found=found)
