"""From what the user asked for to a job that can run. Every mistake is told here, before anything is contacted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from checks.baseline.fact_paths import kind_name
from checks.check import Check, ClusterInfo, ProductView
from checks.engine.acceptance.model import Attestation
from checks.engine.evaluation import applies_to
from checks.engine.rules import RuleError, RuleSet
from checks.product import Product
from checks.scan import CONNECTIVITY
from scanner.errors import InventoryError, UsageError
from scanner.inventory.model import Cluster, Inventory, Node
from scanner.inventory.reading.values import Problems, meant_by
from scanner.inventory.select import Selection
from scanner.loading.inventory import located
from scanner.loading.registry import load_registry
from scanner.plugins import known
from scanner.probes.probe import Probe
from scanner.rule_data import load_rules
from scanner.run.engines.choice import choose_engine
from scanner.run.job import ScanRequest
from scanner.transports.protocol import Limits

_LISTED = 12
"""Names that a notice lists before it counts."""
DEFAULT_PARALLEL = 32
DEFAULT_TIMEOUT_S = 60.0


def build_request(
    selection: Selection,
    *,
    only: Sequence[str] = (),
    without: Sequence[str] = (),
    parallel: int | None = None,
    timeout_s: float | None = None,
    strict: bool | None = None,
    phase: str = "before",
    engine: str | None = None,
    scheduler: str | None = None,
) -> ScanRequest:
    """Settle a scan. Raises UsageError for a selection that cannot be meant, InventoryError for unusable rules."""
    inventory = selection.inventory
    checks, probes, loaded = load_registry(inventory.own)
    chosen_checks = pick_checks(checks, only, without)
    nodes = [
        node
        for cluster in inventory.clusters
        for node in cluster.nodes
        if (cluster.name, node.name) in selection.chosen
    ]
    _refuse_idle(chosen_checks, nodes, only)
    settings = inventory.run
    clusters = tuple(zip(inventory.clusters, cluster_infos(inventory, phase), strict=True))
    return ScanRequest(
        inventory_name=str(inventory.path),
        clusters=clusters,
        chosen=selection.chosen,
        checks=chosen_checks,
        probes=probes,
        limits=Limits(timeout_s=timeout_s or settings.timeout or DEFAULT_TIMEOUT_S),
        parallel=parallel or settings.parallel or DEFAULT_PARALLEL,
        engine=choose_engine(settings, inventory.path, engine=engine, scheduler=scheduler),
        strict=strict if strict is not None else bool(settings.strict),
        notices=(
            *_phase_notice(phase),
            *_target_notices(clusters),
            *_named_notices(clusters),
            *_selection_notices(selection, checks, chosen_checks),
            *_rule_notices(clusters),
            *_skip_notices(clusters, chosen_checks),
            *loosened(nodes),
        ),
        failures=loaded.failures,
        waivers=inventory.waivers,
        attestations=tuple(word for word in inventory.attestations if _concerns(word, selection, chosen_checks)),
        phase=phase,
        inventory_digest=inventory.digest,
        whole=not selection.narrowed
        and len(chosen_checks) == len(checks)
        and phase == "before"
        and not any(cluster.open_ended for cluster, _ in clusters),
    )


def _concerns(word: Attestation, selection: Selection, checks: Sequence[Check]) -> bool:
    """Whether an attestation is about anything that is selected."""
    if word.check and word.check not in {check.id for check in checks}:
        return False
    if word.node is not None:
        return (word.cluster, word.node) in selection.chosen
    return not word.cluster or any(cluster.name == word.cluster for cluster in selection.inventory.clusters)


def pick_checks(checks: Sequence[Check], only: Sequence[str], without: Sequence[str]) -> tuple[Check, ...]:
    """The checks that `--check` and `--skip-check` leave, in registry order; connectivity always. Raises UsageError."""
    known = [check.id for check in checks]
    for name in (*only, *without):
        if name not in known:
            meant = " or ".join(map(repr, meant_by(name, known)))
            hint = f"did you mean {meant}?" if meant else "`preflight checks` lists those there are"
            raise UsageError(f"no check {name!r}: {hint}")
    if CONNECTIVITY in without:
        raise UsageError(f"{CONNECTIVITY} cannot be skipped: every node gets that result, always")
    left = tuple(
        check
        for check in checks
        if check.id == CONNECTIVITY or ((not only or check.id in only) and check.id not in without)
    )
    if all(check.id == CONNECTIVITY for check in left) and CONNECTIVITY not in only:
        raise UsageError("the selection leaves no check; loosen --check or --skip-check")
    return left


def pick_facts(probes: Iterable[Probe], names: Sequence[str]) -> frozenset[type]:
    """The facts that are called so in reports of drift and in the reference. Raises UsageError."""
    known = {kind_name(fact): fact for probe in probes for fact in probe.facts}
    for name in names:
        if name not in known:
            meant = " or ".join(map(repr, meant_by(name, known)))
            hint = f"did you mean {meant}?" if meant else "Tab lists those there are"
            raise UsageError(f"no fact {name!r}: {hint}")
    return frozenset(known[name] for name in names)


def cluster_infos(inventory: Inventory, phase: str = "before") -> tuple[ClusterInfo, ...]:
    """What checks are told of each cluster. Raises InventoryError with every rule override that cannot be used."""
    problems = Problems()
    found = known().by_name
    infos = [_cluster_info(cluster, phase, found, problems) for cluster in inventory.clusters]
    if problems.found:
        raise InventoryError(str(inventory.path), located(problems, inventory.text))
    return tuple(infos)


def _cluster_info(cluster: Cluster, phase: str, products: Mapping[str, Product], problems: Problems) -> ClusterInfo:
    rules = load_rules(cluster.product, products.values())
    for rule_id, change in cluster.rules.items():
        try:
            rules = rules.with_overrides({rule_id: change})
        except RuleError as error:
            problems.add(("clusters", cluster.name, "rules", rule_id), str(error))
    return ClusterInfo(
        cluster.name,
        cluster.product,
        target=cluster.target,
        current=cluster.current,
        options=cluster.options,
        rules=rules,
        skip=cluster.skip,
        phase=phase,
        open_ended=cluster.open_ended,
        definition=products.get(cluster.product) or ProductView(name=cluster.product),
    )


def _refuse_idle(checks: Sequence[Check], nodes: Sequence[Node], only: Sequence[str]) -> None:
    """Connectivity alone answers no question about an upgrade, unless it was all that was asked.

    Nor may a check that was asked for by name be left out in silence, because others stay.
    """
    idle = [
        check.id
        for check in checks
        if check.id != CONNECTIVITY
        and not any(applies_to(check, node.product, node.roles, node.cluster) for node in nodes)
    ]
    advice = "`preflight checks` tells what each is for"
    if idle and len(idle) == sum(check.id != CONNECTIVITY for check in checks):
        raise UsageError(
            f"the selection leaves nothing to check: none of {', '.join(idle)} concerns the selected nodes; {advice}"
        )
    if named := ", ".join(name for name in idle if name in only):
        raise UsageError(f"--check {named}: concerns none of the selected nodes, so nothing would be checked; {advice}")


def listed(names: Sequence[str]) -> str:
    """Names in a line; of many the first ones, and a count."""
    few = len(names) <= _LISTED + 1
    return ", ".join(names if few else [*names[:_LISTED], f"{len(names) - _LISTED} more"])


def _phase_notice(phase: str) -> Iterable[str]:
    if phase != "before":
        when = "in" if phase == "window" else "after"
        yield f"held to what is expected {when} the maintenance window (--phase {phase})"


def _target_notices(clusters: Iterable[tuple[Cluster, ClusterInfo]]) -> Iterable[str]:
    for cluster, _ in clusters:
        if cluster.target_from == "command line":
            yield f"{cluster.name}: held to {cluster.target}, as --target says instead of the inventory"


def _named_notices(clusters: Iterable[tuple[Cluster, ClusterInfo]]) -> Iterable[str]:
    for cluster, _ in clusters:
        if cluster.open_ended:
            names = listed([node.name for node in cluster.nodes])
            yield f"asked without an inventory: {names} alone; whether the cluster may go needs all its nodes"


def _selection_notices(selection: Selection, known: Sequence[Check], left: Sequence[Check]) -> Iterable[str]:
    if selection.narrowed:
        asked = listed([f"{cluster}.{node}" for cluster, node in sorted(selection.chosen)])
        yield f"only a part of the inventory was looked at: {asked}"
    out = [check.id for check in known if check not in left]
    kept = [check.id for check in left if check.id != CONNECTIVITY] or [CONNECTIVITY]
    if out and len(kept) < len(out):
        yield f"checks left out by the selection: all but {listed(kept)}"
    elif out:
        yield f"checks left out by the selection: {listed(out)}"


def _rule_notices(clusters: Iterable[tuple[Cluster, ClusterInfo]]) -> Iterable[str]:
    for cluster, info in clusters:
        rules: RuleSet = info.rules
        for rule in rules.overridden():
            what = "switched off" if rule.off else "overridden"
            yield f"{cluster.name}: rule {rule.id} is {what} in the inventory: {rule.override}"


def _skip_notices(clusters: Iterable[tuple[Cluster, ClusterInfo]], checks: Sequence[Check]) -> Iterable[str]:
    chosen = {check.id for check in checks}
    for cluster, _ in clusters:
        for check_id, reason in cluster.skip.items():
            if check_id in chosen:
                yield f"{cluster.name}: check {check_id} is left out in the inventory: {reason}"


def loosened(nodes: Iterable[Node]) -> Iterable[str]:
    """Where the inventory asks for less than full verification: one line for each way, with the nodes it is for."""
    said: dict[str, list[str]] = {}
    for node in nodes:
        name = f"{node.cluster}.{node.name}"
        if node.winrm and node.transport == "winrm":
            if node.winrm.scheme == "https" and not node.winrm.verify:
                said.setdefault("the TLS certificate is not verified (verify = false)", []).append(name)
            if node.winrm.insecure:
                said.setdefault("unencrypted WinRM is allowed (insecure = true)", []).append(name)
        if node.ssh and node.transport == "ssh" and node.ssh.host_key_policy != "strict" and not node.ssh.host_key:
            said.setdefault(f"unknown SSH host keys are accepted ({node.ssh.host_key_policy})", []).append(name)
        if node.ssh and node.transport == "ssh" and node.ssh.legacy_algorithms:
            what = "SSH algorithms with SHA-1 are accepted (legacy_algorithms = true)"
            said.setdefault(what, []).append(name)
        if node.logs_in_to_sql and node.tds and not node.tds.verify:
            said.setdefault("SQL Server's certificate is not verified (verify = false)", []).append(name)
    for what, names in said.items():
        yield f"{what}: {listed(names)}"
