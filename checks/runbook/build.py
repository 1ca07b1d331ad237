"""From a cluster's facts and results to its plan, or to why it gets none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from checks.check import ClusterInfo, NodeView, ProductView
from checks.engine.consistency import group
from checks.engine.evaluation import GatheredCluster
from checks.engine.installed_version import installed
from checks.engine.upgrade_path import NoPath, PlanError, UpgradePath, route, target_of
from checks.engine.wording import enumerate_names, group_by_reason
from checks.facts import EndedError
from checks.outcome import Result, Status
from checks.product import Product
from checks.runbook.following import with_signs
from checks.runbook.idle_scans import without_idle_scans
from checks.runbook.model import DocumentedStep, Plan, Refusal, Runbook, Step
from checks.runbook.names import AS_IN_THE_INVENTORY, CommandQuoter, InvocationOptions
from checks.runbook.times import with_times
from checks.runbook.writer import RefusedError, RunbookWriter
from checks.scan import Verdict, verdict_of
from checks.versions import Installed, VersionError

_TELL = "Tell whoever wrote the product what is said here, and follow the product's own documents."


def plan_of(
    gathered: GatheredCluster,
    results: Sequence[Result],
    inventory: str,
    *,
    strict: bool = False,
    partial: bool = False,
    again: InvocationOptions = AS_IN_THE_INVENTORY,
) -> Plan:
    """The plan of one cluster. `results` are what the scan that it rests on says of it, `inventory` the file's name.

    `strict` counts a warning as a failure; `partial` says that not every node was asked, so that nothing is a GO.
    `again` is what the plan's own commands have to say beyond the inventory.
    """
    info = gathered.info
    own = [row for row in results if not _is_answered(row)]
    graves = (Status.FAIL, Status.ERROR, *((Status.WARN,) if strict else ()))
    blockers = tuple(row for row in own if row.status in graves)
    warnings = tuple(row for row in results if row.status is Status.WARN and row not in blockers)
    waived = tuple(row for row in own if row.status is Status.WAIVED)
    out = tuple(row for row in own if row.left_out)
    try:
        writer = _writer(info)
        path = _path(gathered, writer)
        written = writer.write(gathered, path, inventory, CommandQuoter(again=again))
        verdict = verdict_of(own, strict=strict, partial=partial)
        found = Runbook(
            cluster=info.name,
            product=info.product,
            title=info.definition.title,
            path=path,
            verdict=verdict,
            blockers=blockers,
            warnings=warnings,
            waived=waived,
            parts=written.parts,
            way_back=written.way_back,
            troubles=written.troubles,
            unknown=written.unknown,
            steps_back=written.steps_back,
            left_out=out,
            nodes=tuple(node.name for node in gathered.nodes),
        )
        found = with_signs(without_idle_scans(found, info.skip), gathered.nodes, writer.signs, writer.kinds)
        return with_times(_with_sources(found, info.definition), gathered.nodes, writer)
    except (RefusedError, EndedError) as error:
        no = error if isinstance(error, RefusedError) else RefusedError(str(error), _TELL)
        # A failure stays one, whatever else is unknown: the scan that this rests on ended with NO-GO, too.
        scanned = verdict_of(own, strict=strict, partial=partial)
        grave = scanned if no.verdict is None or scanned is Verdict.NO_GO else no.verdict
        return Refusal(
            cluster=info.name,
            product=info.product,
            reason=no.reason,
            instead=no.instead,
            verdict=grave,
            blockers=blockers,
            url=no.url,
            warnings=warnings,
            waived=waived,
            left_out=out,
        )


def _with_sources(runbook: Runbook, product: ProductView) -> Runbook:
    """The runbook with what the product says of the documented steps that its own steps carry out."""

    def found(step: Step) -> Step:
        return replace(step, sources=tuple(_source(each, product) for each in step.documented))

    parts = tuple(replace(part, steps=tuple(map(found, part.steps))) for part in runbook.parts)
    return replace(runbook, parts=parts, steps_back=tuple(map(found, runbook.steps_back)))


def _source(step: str, product: ProductView) -> DocumentedStep:
    word = step.partition(" ")[0]
    says, documents = (product.documented_steps, product.documents) if isinstance(product, Product) else ({}, {})
    title, url = documents.get(word, (word, ""))
    return DocumentedStep(step, says.get(step, step), title, url)


def _is_answered(row: Result) -> bool:
    """Whether the finding says that the way has stops, or costs downtime: the plan is the answer to it."""
    return row.check == "stepping-stone" and row.status in (Status.FAIL, Status.WARN)


def _writer(info: ClusterInfo) -> RunbookWriter:
    product = info.definition
    if not isinstance(product, Product) or product.runbook is None:
        raise RefusedError(f"no plan is known for {info.product}", "Follow the product's own documents.")
    return product.runbook


def _path(gathered: GatheredCluster, writer: RunbookWriter) -> UpgradePath:
    info = gathered.info
    product = info.definition
    writer.refuse(gathered.nodes)
    try:
        target = target_of(info)
        carriers = [node for node in gathered.nodes if product.carrier in node.roles]
        current = _current(carriers)
        writer.refuse_from(gathered.nodes, current)
        index, _ = product.read_index(carriers)
        found = route(product.parse, info.rules, current, target, index)
    except (PlanError, VersionError) as error:
        raise RefusedError(str(error), "Set what is missing in the inventory, then plan again.") from None
    if isinstance(found, NoPath):
        url = found.rule.url if found.rule else ""
        raise RefusedError(found.reason, found.instead, None if found.installed else Verdict.NO_GO, url)
    return found


def _current(nodes: Sequence[NodeView]) -> str:
    """The one version that all nodes run."""
    if not nodes:
        raise RefusedError("the inventory names no node to upgrade", "Add the cluster's nodes to the inventory.")
    found: list[tuple[str, Installed]] = [(node.name, installed(node)) for node in nodes]
    gaps = group_by_reason((name, one.problem) for name, one in found if one.version is None)
    if gaps:
        raise RefusedError(
            f"the installed version is unknown: {'; '.join(gaps)}",
            "Clear what keeps it from being read, or declare `current` in the inventory.",
        )
    versions = group((name, str(one.version)) for name, one in found)
    if not versions.agree:
        told = "; ".join(f"{enumerate_names(names)} {version}" for version, names in versions.members)
        raise RefusedError(
            f"the nodes do not run the same version: {told}",
            "Bring all nodes to one version first, with the steps of the upgrade that was not finished.",
            Verdict.NO_GO,
        )
    return versions.members[0][0]
