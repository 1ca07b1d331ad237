"""The judge's bench: checks and facts in, ordered results out. Nothing a check does can stop the others."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from checks.check import Check, ClusterCheck, ClusterInfo, ClusterView, NodeCheck, NodeView
from checks.common.dataclass import dataclass
from checks.engine.installed_version import installed
from checks.engine.left_out import left_out
from checks.engine.ways_out import UNNAMED, cause_of, remedy_of, way_out
from checks.engine.wording import count, enumerate_names, group_by_reason
from checks.facts import EndedError, Unknown, UnknownFactError
from checks.outcome import Outcome, Remediation, Result, Severity, Status, undetermined
from checks.runbook.quoting import JOINS

_SEE_CONNECTIVITY = "see connectivity"
_SHOWN_CHARS = 2_000
"""Of one probe's standard error: more says no more."""

_UNNAMED_NODE = "(unnamed)"
_as_json = json.JSONEncoder(allow_nan=False).encode
_IS_JSON = {str, int, bool, type(None)}
_DEFECT = Remediation("Tell whoever wrote the check what the message says.")


@dataclass(frozen=True, slots=True)
class GatheredCluster:
    """A cluster with everything that was learnt of it."""

    info: ClusterInfo
    nodes: tuple[NodeView, ...]
    """All nodes of the inventory, in its order; those left out by a selection have `absence` set."""
    chosen: frozenset[str]
    """Names of the nodes that were selected."""


Guard = Callable[[Callable[[], object]], object]
"""Calls what it is given, and may end it with an exception of its own: of time and signals nothing is known here."""


def unguarded() -> Guard:
    """A guard that lets every check do as it likes."""
    return lambda judging: judging()


class Bench:
    """The checks of a run, with what is decided once for all of its clusters.

    `guard` makes what stands between the engine and the checks: one for all checks of a node, one for each of a
    cluster.
    """

    def __init__(self, checks: Sequence[Check], guard: Callable[[], Guard] = unguarded) -> None:
        self._checks = checks
        self._guard = guard
        self._by_name = any(check.clusters for check in checks)
        self._concerned: dict[tuple[str, frozenset[str], str], dict[int, NodeCheck | ClusterCheck]] = {}
        self._whole: dict[tuple[str, str], tuple[NodeCheck | ClusterCheck, ...]] = {}

    def judge(self, cluster: GatheredCluster) -> list[Result]:
        """Per node the node checks, then the cluster checks; inventory order, then registry order."""
        info = cluster.info
        results: list[Result] = []
        for node in cluster.nodes:
            if node.name in cluster.chosen:
                guarding = self._guard()
                results += [
                    _left_out(check, info, node.name) or _judge_node(check, node, guarding)
                    for check in self._concerning(info, node.roles).values()
                    if isinstance(check, NodeCheck)
                ]
                results += _defect_of_product(node)
        for check in self._of_the_whole(info):
            subjects = tuple(node for node in cluster.nodes if id(check) in self._concerning(info, node.roles))
            if not subjects:
                results += [_left_out(check, info, None) or row for row in _nobody_to_ask(check, info)]
            elif isinstance(check, ClusterCheck):
                view = ClusterView(info, subjects)
                results.append(_left_out(check, info, None) or _judge_cluster(check, view, self._guard()))
        return results

    def _concerning(self, info: ClusterInfo, roles: Collection[str]) -> dict[int, NodeCheck | ClusterCheck]:
        """The checks that look at a node of such roles, by identity: the same for thousands of nodes."""
        key = (info.product, frozenset(roles), info.name if self._by_name else "")
        if key not in self._concerned:
            own = (check.for_product(info.product) for check in self._checks)
            self._concerned[key] = {
                id(check): check for check in own if applies_to(check, info.product, roles, info.name)
            }
        return self._concerned[key]

    def _of_the_whole(self, info: ClusterInfo) -> tuple[NodeCheck | ClusterCheck, ...]:
        """The checks of a cluster of the product, whatever its nodes are."""
        key = (info.product, info.name if self._by_name else "")
        if key not in self._whole:
            own = (check.for_product(info.product) for check in self._checks)
            self._whole[key] = tuple(check for check in own if applies_to(check, info.product, check.roles, info.name))
        return self._whole[key]


def evaluate(
    checks: Sequence[Check], clusters: Iterable[GatheredCluster], guard: Callable[[], Guard] = unguarded
) -> tuple[Result, ...]:
    """Judge every cluster, in the order in which they come."""
    bench = Bench(checks, guard)
    return tuple(row for cluster in clusters for row in bench.judge(cluster))


def applies_to(check: Check, product: str, roles: Collection[str], cluster: str) -> bool:
    """Whether `check` looks at a node of `product` that has `roles`, in the cluster of that name."""
    check = check.for_product(product)
    return (
        (not check.products or product in check.products)
        and (not check.clusters or cluster in check.clusters)
        and (not check.roles or not set(check.roles).isdisjoint(roles))
    )


def facts_of(check: Check, product: str) -> tuple[type, ...]:
    """What `check` reads of a cluster of `product`, what it can do without among it."""
    part = check.for_product(product)
    return part.facts + part.optional_facts


def _defect_of_product(view: NodeView) -> list[Result]:
    """The result where the product's own code cannot read which version the node runs: no check need read it."""
    product = view.cluster.definition
    if view.absence or product.carrier not in view.roles or not (defect := installed(view).defect):
        return []
    told = Result(
        check=f"product-{product.name}",
        title=f"{product.title} reads its version",
        severity=Severity.HIGH,
        cluster=view.cluster.name,
        node=view.name,
        status=Status.ERROR,
        message=defect,
        remediation=Remediation("Tell whoever wrote the product what the message says."),
        not_evaluated=True,
    )
    return [told]


def _left_out(check: Check, cluster: ClusterInfo, node: str | None) -> Result | None:
    """The result where the inventory leaves the check out of the cluster; None where it does not."""
    reason = cluster.skip.get(check.id)
    return None if reason is None else replace(_result(check, cluster, node, left_out(reason)), left_out=reason)


def _judge_node(check: NodeCheck, view: NodeView, guard: Guard) -> Result:
    missing = [found for kind in check.facts if isinstance(found := view.get(kind), Unknown)]
    unread = next((found for found in missing if not found.unanswered), None)
    if unread:
        outcome = _beside(undetermined(unread.reason), _error_output(check, view))
        return _result(check, view.cluster, view.name, outcome)
    if view.absence and (missing or _is_blind(check, view)):
        outcome = Outcome(Status.SKIP, f"not evaluated: {view.absence}")
        return _result(check, view.cluster, view.name, outcome, not_evaluated=True, follows=(cause_of(view),))
    outcome = undetermined(missing[0].reason) if missing else _guarded(check, view, guard)
    return _result(check, view.cluster, view.name, _beside(outcome, _error_output(check, view)))


def _is_blind(check: Check, view: NodeView) -> bool:
    """Whether all that the check could go by is optional, and none of it was answered."""
    looks = [view.get(kind) for kind in check.optional_facts]
    return bool(looks) and not check.facts and all(isinstance(found, Unknown) and found.unanswered for found in looks)


def _judge_cluster(check: ClusterCheck, view: ClusterView, guard: Guard) -> Result:
    outcome = _guarded(check, view, guard)
    if view.cluster.open_ended and (result := _without_the_others(check, view, outcome, guard)):
        return result
    judged = outcome
    missing = [(node.name, reason) for node in view.nodes if (reason := _gap(check, node))]
    gaps = [f"{name}: {reason}" for name, reason in missing]
    if gaps and outcome.status is Status.ERROR:
        # Whatever the check says of what it lacks, the cause is here; connectivity has that of a node that is silent.
        silent = {node.name for node in view.nodes if node.absence} if _SEE_CONNECTIVITY in outcome.message else set()
        untold = group_by_reason(pair for pair in missing if pair[1] not in outcome.message and pair[0] not in silent)
        message = "; ".join([outcome.message, *untold])
        outcome = replace(outcome, message=message, evidence={**outcome.evidence, "missing": gaps})
    elif gaps and outcome.status is Status.FAIL:
        outcome = replace(outcome, evidence={**outcome.evidence, "missing": gaps})
    elif gaps and outcome.status in (Status.PASS, Status.WARN):
        outcome = Outcome(
            Status.ERROR,
            f"cannot tell without {count(len(gaps), 'node')}: {'; '.join(group_by_reason(missing))}",
            expected=outcome.expected,
            observed=outcome.observed,
            evidence={**outcome.evidence, "so_far": outcome.message, "missing": gaps},
        )
    shown = {node.name: said for node in view.nodes if (said := _error_output(check, node))}
    follows = _causes(check, view, missing, judged, guard) if outcome.status is Status.ERROR else ()
    return _result(check, view.cluster, None, _beside(outcome, shown), follows=follows)


def _without_the_others(check: ClusterCheck, view: ClusterView, outcome: Outcome, guard: Guard) -> Result | None:
    """The result where the cluster may have nodes that nobody named, and that stands in the way; else None.

    What was seen proves a failure only where it would be one with a further node as well, of which nothing is known:
    "nobody leads" of a single follower is no news of the cluster.
    """
    if outcome.status is Status.ERROR or outcome.not_declared:
        return None
    if outcome.status in (Status.PASS, Status.WARN) and any(_gap(check, node) for node in view.nodes):
        return None  # which is a cause of its own, and nearer
    if outcome.status is Status.FAIL:
        roles = frozenset(check.roles) or frozenset(role for node in view.nodes for role in node.roles)
        other = NodeView(cluster=view.cluster, name=_UNNAMED_NODE, host=_UNNAMED_NODE, roles=roles, absence="not named")
        if _guarded(check, replace(view, nodes=(*view.nodes, other)), guard).status is Status.FAIL:
            return None
    names = enumerate_names([node.name for node in view.nodes])
    untold = Outcome(
        Status.ERROR,
        f"cannot be told of {names} alone: it is about the whole cluster, whose other nodes are not named",
        expected=outcome.expected,
        observed=outcome.observed,
        evidence={**outcome.evidence, "so_far": outcome.message},
    )
    return _result(check, view.cluster, None, untold, follows=(f"{UNNAMED}:{view.cluster.name}",))


def _causes(
    check: ClusterCheck, view: ClusterView, missing: Sequence[tuple[str, str]], judged: Outcome, guard: Guard
) -> tuple[str, ...]:
    """Why nodes were not asked, where that is all that keeps the check from telling; none where more is in the way.

    It is all where those alone are missing, and the check, asked of the others, has no trouble but that they are too
    few: so no trouble of a node that answered (a login, a grant) is folded under a node that is down. That all nodes
    of the inventory are too few is a trouble of its own.
    """
    absent = [node for node in view.nodes if node.absence]
    names = {name for name, _ in missing}
    if not names or names - {node.name for node in absent}:
        return ()
    present = tuple(node for node in view.nodes if node.name not in names)
    rest = _guarded(check, replace(view, nodes=present), guard) if present else None
    if (rest and any(not each.too_few for each in _troubles(rest))) or any(each.too_few for each in _troubles(judged)):
        return ()
    return tuple(cause_of(node) for node in absent if node.name in names)


def _troubles(outcome: Outcome) -> Iterator[Outcome]:
    """What could not be determined, finding by finding."""
    return (each for each in outcome.findings or (outcome,) if each.status is Status.ERROR)


def _error_output(check: Check, node: NodeView) -> dict[str, str]:
    """What the probes that `check` goes by printed on standard error, by their ids."""
    kinds = check.facts + check.optional_facts
    return {probe: text[:_SHOWN_CHARS] for kind in kinds for probe, text in node.error_output.get(kind, {}).items()}


def _beside(outcome: Outcome, error_output: Mapping[str, object]) -> Outcome:
    """The outcome with standard error in its evidence, where there is any; it changes nothing else."""
    if not error_output:
        return outcome
    return replace(outcome, evidence={**outcome.evidence, "standard_error": error_output})


def _gap(check: Check, node: NodeView) -> str:
    """Why `node` is missing from the set that a cluster check compares; empty where it is there."""
    unknown = [found.reason for kind in check.facts if isinstance(found := node.get(kind), Unknown)]
    if node.absence:
        # Of what a check can do without, only what was asked for: a question that was never put to this node is no gap
        # because another one blocked there.
        asked = [kind for kind in check.optional_facts if kind in node.facts or not node.facts]
        unknown += [found.reason for kind in asked if isinstance(found := node.get(kind), Unknown)]
    return next(iter(unknown), "")


def _guarded(check: Check, view: NodeView | ClusterView, guard: Guard) -> Outcome:
    try:
        outcome = guard(lambda: _judged(check, view))
    except UnknownFactError as gap:
        return undetermined(gap.reason)
    except EndedError as ended:
        return undetermined(f"the check itself failed, which is a defect of it: {ended}", remediation=_DEFECT)
    except Exception as defect:  # noqa: BLE001  a check, perhaps a plugin's, may raise anything; the run goes on
        where = defect.__traceback__
        while where and where.tb_next:
            where = where.tb_next
        line = f"{where.tb_frame.f_code.co_filename}:{where.tb_lineno}" if where else ""
        cause = " ".join(f"{type(defect).__name__}: {defect}".split())
        if "set_int_max_str_digits" in cause:  # what Python advises programmers to do is nothing for users
            cause = f"{type(defect).__name__}: a number with thousands of digits"
        message = f"the check itself failed, which is a defect of it: {cause}"
        return undetermined(message, remediation=_DEFECT, raised_at=line)
    if isinstance(outcome, Outcome):
        return outcome
    return undetermined(f"the check gave {outcome}, which is a defect of it", remediation=_DEFECT)


def _judged(check: Check, view: NodeView | ClusterView) -> Outcome | str:
    """The check's outcome, or what it gave in place of a sound one."""
    outcome: object = check.judge(view)  # type: ignore[arg-type]  # the caller pairs each check with its own kind of view
    if not isinstance(outcome, Outcome):
        return f"{type(outcome).__name__} instead of an outcome"
    flaw = _flaw(outcome)
    return f"an outcome with {flaw}" if flaw else outcome


def _flaw(outcome: Any) -> str:
    """What no report could print, or a verdict would overlook; empty for a sound outcome."""
    if not isinstance(outcome.status, Status) or outcome.status is Status.WAIVED:
        return f"the status {outcome.status!r}"
    for name in ("message", "expected", "observed"):
        if not isinstance(getattr(outcome, name), str):
            return f"{name} = {getattr(outcome, name)!r}"
    if not outcome.message.strip():
        return "no message"
    if not isinstance(outcome.evidence, Mapping):
        return f"evidence = {outcome.evidence!r}"
    if not isinstance(outcome.not_declared, str) or (outcome.not_declared and outcome.status is not Status.SKIP):
        return f"not_declared = {outcome.not_declared!r} beside the status {outcome.status}"
    remedy = outcome.remediation
    if not isinstance(remedy, Remediation | None):
        return f"remediation = {remedy!r}"
    if remedy and (odd := [text for text in (remedy.summary, remedy.command, remedy.url) if not isinstance(text, str)]):
        return f"{odd[0]!r} in its remediation"
    if remedy and remedy.language not in ("", *JOINS):
        return f"remediation.language = {remedy.language!r}"
    try:
        doubtful = {k: v for k, v in outcome.evidence.items() if type(v) not in _IS_JSON or type(k) is not str}
        if doubtful:
            _as_json(doubtful)
    except (TypeError, ValueError, RecursionError) as error:
        return f"evidence that is no JSON ({error})"
    return ""


def _nobody_to_ask(check: Check, cluster: ClusterInfo) -> list[Result]:
    essential = cluster.definition.essential_roles & set(check.roles)
    if not essential:
        return []
    role = " or ".join(sorted(essential))
    if cluster.open_ended:
        untold = undetermined(f"no {role} node of this cluster is named, so this was not looked at")
        return [_result(check, cluster, None, untold, follows=(f"{UNNAMED}:{cluster.name}",))]
    outcome = undetermined(
        f"the inventory names no {role} node in this cluster, so this was not looked at",
        remediation=Remediation(f"Add the {role} node to the inventory, then scan again."),
    )
    return [_result(check, cluster, None, outcome)]


def _result(
    check: Check,
    cluster: ClusterInfo,
    node: str | None,
    outcome: Outcome,
    *,
    not_evaluated: bool = False,
    follows: tuple[str, ...] = (),
) -> Result:
    """`follows` names the causes, told by results of their own, that are all that is in the way."""
    if outcome.status in (Status.FAIL, Status.WARN):
        remediation = outcome.remediation or check.remediation
    elif outcome.status is Status.ERROR:
        remediation = remedy_of(follows) if follows else way_out(check.id, cluster.name, outcome)
    else:
        remediation = outcome.remediation or Remediation("")
    return Result(
        check=check.id,
        title=check.title,
        severity=check.severity,
        cluster=cluster.name,
        node=node,
        status=outcome.status,
        message=" ".join(outcome.message.split()),
        expected=outcome.expected,
        observed=outcome.observed,
        remediation=remediation,
        evidence=outcome.evidence,
        not_evaluated=not_evaluated or outcome.status is Status.ERROR,
        follows=follows,
        not_declared=outcome.not_declared,
    )
