"""From what the nodes said to what a report shows. Nothing is contacted: saved answers are judged like fresh ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date

from checks import waivers
from checks.attestations import hear
from checks.check import ClusterInfo, NodeView
from checks.evaluation import GatheredCluster, Guard, evaluate
from checks.facts import Contact, Unknown
from checks.identity import without_strangers
from checks.outcome import TOLD, Result
from checks.registry import IDENTITIES
from checks.scan import NodeRecord, Scan
from scanner import __version__
from scanner.foreign import Allowance
from scanner.gather import NodeAnswers, read_error_output, read_facts
from scanner.inventory.model import Cluster, Node
from scanner.job import Collected, Job, NodeKey
from scanner.probes.probe import Probe


def judge(job: Job, collected: Collected, today: date) -> Scan:
    """Hold what was collected to the checks of `job`.

    `today`, in UTC, is what waivers and attestations are held to: the day of judging, whenever it was collected.
    """
    return judge_gathered(job, collected, gathered_clusters(job, collected), today)


def judge_gathered(job: Job, collected: Collected, clusters: Sequence[GatheredCluster], today: date) -> Scan:
    """The same, for whoever needs the facts beside the results: `clusters` as `gathered_clusters` gives them."""
    results = evaluate(job.checks, clusters, _guard)
    applied = waivers.apply(results, job.waivers, today, whole=job.whole and collected.complete)
    heard = hear(job.attestations, today)
    reminders = (*applied.reminders, *heard.reminders)
    return Scan(
        tool_version=__version__,
        started=collected.started,
        finished=collected.finished,
        inventory=job.inventory_name,
        nodes=tuple(_record(collected.said[key]) for key in _order(job) if key in collected.said),
        results=(*job.failures, *applied.results, *heard.results),
        partial=not collected.complete,
        strict=job.strict,
        notices=(
            *reminders,
            *job.notices,
            *collected.notices,
            *applied.notices,
            *_told(applied.results),
            *_unfinished(job, collected.said),
        ),
        reminders=reminders,
        attestations=heard.attested,
    )


def gathered_clusters(job: Job, collected: Collected) -> tuple[GatheredCluster, ...]:
    """Every cluster with the facts that its nodes' answers hold, as the checks see it."""
    probes = {(call.node.cluster, call.node.name): call.probes for call in job.calls()}
    return tuple(_gathered(cluster, info, job.chosen, collected.said, probes) for cluster, info in job.clusters)


def _guard() -> Guard:
    allowance = Allowance()

    def guarded(judging: Callable[[], object]) -> object:
        return allowance.call(judging)

    return guarded


def _order(job: Job) -> list[NodeKey]:
    return [(cluster.name, node.name) for cluster, _ in job.clusters for node in cluster.nodes]


def _told(results: Iterable[Result]) -> Iterable[str]:
    """What is no fault, and nobody may miss: a pass is not shown to everybody."""
    return (f"{row.cluster}: {told}" for row in results if isinstance(told := row.evidence.get(TOLD), str))


def _unfinished(job: Job, said: Mapping[NodeKey, NodeAnswers]) -> Iterable[str]:
    """Nodes without any result are named, so that an interrupted scan does not pass them over in silence."""
    missing = [f"{cluster}.{node}" for cluster, node in _order(job) if (cluster, node) in job.chosen - said.keys()]
    if missing:
        yield f"interrupted before these nodes had answered: {', '.join(missing)}"


def _gathered(
    cluster: Cluster,
    info: ClusterInfo,
    chosen: frozenset[NodeKey],
    said: Mapping[NodeKey, NodeAnswers],
    probes: Mapping[NodeKey, Sequence[Probe]],
) -> GatheredCluster:
    # An interrupted scan has chosen nodes without answers: they are left out, and the report is marked partial.
    names = frozenset(node.name for node in cluster.nodes if (cluster.name, node.name) in chosen & said.keys())
    views = tuple(_view(node, info, chosen, said, probes.get((cluster.name, node.name), ())) for node in cluster.nodes)
    return GatheredCluster(info, views, names)


def _view(
    node: Node,
    info: ClusterInfo,
    chosen: frozenset[NodeKey],
    said: Mapping[NodeKey, NodeAnswers],
    probes: Sequence[Probe],
) -> NodeView:
    key = (node.cluster, node.name)
    facts = read_facts(said[key], probes) if key in chosen & said.keys() else {}
    contact = facts.get(Contact)
    if key not in chosen:
        absence = "not selected"
    elif key not in said:
        absence = "the scan was interrupted before this node answered"
    elif isinstance(contact, Contact) and contact.failure:
        turned_to = contact.asked or not said[key].lacking
        absence = f"node unreachable: {contact.failure}" if turned_to and not contact.answered else contact.failure
    elif isinstance(contact, Contact) and contact.unanswered:
        absence = f"no answer to {', '.join(contact.unanswered)}"
    else:
        absence = ""
    view = NodeView(
        cluster=info,
        name=node.name,
        host=node.host,
        roles=frozenset(node.roles),
        facts=facts,
        current=node.current or info.current,
        options=node.options,
        error_output=read_error_output(said[key], probes) if facts else {},
        absence=absence,
    )
    return without_strangers(view, IDENTITIES)


def _record(said: NodeAnswers) -> NodeRecord:
    answered = any(not isinstance(answer, Unknown) for answer in said.answers.values())
    return NodeRecord(
        said.cluster,
        said.node,
        said.host,
        said.transport,
        said.failure is None or answered,
        said.usage.connections,
        said.usage.commands,
        said.usage.requests,
        said.seconds,
    )
