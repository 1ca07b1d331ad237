"""From what the nodes said to what a report shows. Nothing is contacted: saved answers are judged like fresh ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date

from checks.check import NOT_SELECTED, ClusterInfo, NodeView
from checks.common.dataclass import dataclass
from checks.engine.acceptance import waivers
from checks.engine.acceptance.attestations import hear
from checks.engine.documentation import WHY, section
from checks.engine.evaluation import Bench, GatheredCluster, Guard
from checks.engine.identity import without_strangers
from checks.engine.installed_version import installed_text
from checks.facts import Contact, Unknown
from checks.outcome import TOLD, Result
from checks.product import identity_of
from checks.scan import ClusterRecord, NodeRecord, Scan
from scanner import __version__
from scanner.files.packed.answers import opened
from scanner.files.packed.results import Shelves
from scanner.inventory.model import Cluster, Node, NodeKey
from scanner.plugins.foreign import Allowance, many_calls
from scanner.probes.probe import Probe
from scanner.run.facts import read_error_output, read_facts
from scanner.run.invoker import run_by
from scanner.run.job import ScanRequest
from scanner.run.prepare import listed
from scanner.run.taking.handover import Handover
from scanner.secrets.last_door import Clean, without_secrets
from scanner.transports.answers import Circumstances, NodeResponse, Responses

INTERRUPTED = "the scan was interrupted before this node had answered"


def build_scan(
    job: ScanRequest,
    collected: Responses,
    today: date,
    watch: Callable[[GatheredCluster], None] = lambda _: None,
) -> Scan:
    """Hold what was collected to the checks of `job`; see `Judging`."""
    judging = Judging(job, watch)
    handover = Handover(job, [judging])
    handover.end(handover.hear_all(collected))
    return judging.scan(today)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """What is left of a cluster once it is judged."""

    about: ClusterRecord
    nodes: tuple[NodeRecord, ...]
    rows: tuple[Result, ...]
    told: tuple[str, ...]
    missing: tuple[str, ...]
    """Its chosen nodes that had not answered when the run was interrupted."""


class Judging:
    """A job's checks, held against one cluster after the other: no other's facts are there then.

    Whatever looks across clusters (waivers, attestations, the verdict) rests on results alone, and is for the end. Each
    cluster is judged in the order in which it comes, and told in that of the inventory.
    """

    def __init__(self, job: ScanRequest, watch: Callable[[GatheredCluster], None] = lambda _: None) -> None:
        """`watch` is shown each cluster with its facts, for whoever needs them beside the results.

        What it was shown of a cluster that comes again does not count.
        """
        self._job = job
        self._watch = watch
        self._clusters = {cluster.name: (cluster, info) for cluster, info in job.clusters}
        self._bench = Bench(job.checks, _guard)
        self._shelves = Shelves()
        self._judged: dict[str, _Judged] = {}
        self._asking: Circumstances | None = None

    def take(self, cluster: str, said: Mapping[NodeKey, NodeResponse]) -> None:
        """Judge a cluster by what its nodes said."""
        mine, info = self._clusters[cluster]
        heard = _of(mine, said)
        with many_calls():
            gathered = _gathered(mine, info, self._job, heard)
            # Before waivers are held against them: a value to waive is copied from what a report shows.
            rows = without_secrets(self._bench.judge(gathered))
        chosen = [node for node in mine.nodes if node.key in self._job.chosen]
        self._watch(gathered)
        self._judged[cluster] = _Judged(
            about=_about(mine, info, gathered, heard),
            nodes=tuple(_record(_said(node, heard), node) for node in chosen),
            rows=tuple(self._shelves.shelved(rows)),
            told=tuple(_told(rows)),
            missing=tuple(f"{mine.name}.{node.name}" for node in chosen if node.key not in heard),
        )

    def end(self, asking: Circumstances) -> None:
        """All clusters are judged."""
        self._asking = asking

    def scan(self, today: date) -> Scan:
        """What a report shows of it, once all is over.

        `today`, in UTC, is what waivers and attestations are held to: the day of judging, whenever it was collected.
        """
        job, asking = self._job, self._asking
        if asking is None:
            raise RuntimeError("the judging has not been ended")
        judged = [self._judged[cluster.name] for cluster, _ in job.clusters]
        results = [row for each in judged for row in each.rows]
        applied = waivers.apply(results, job.waivers, today, whole=job.whole and asking.complete)
        heard = hear(job.attestations, today)
        reminders = (*applied.reminders, *heard.reminders)
        rest = without_secrets(
            Scan(
                tool_version=__version__,
                started=asking.started,
                finished=asking.finished,
                inventory=job.inventory_name,
                nodes=tuple(node for each in judged for node in each.nodes),
                results=(),
                partial=not asking.complete,
                strict=job.strict,
                notices=(
                    *reminders,
                    *job.notices,
                    *asking.notices,
                    *applied.notices,
                    *(told for each in judged for told in each.told),
                    *_unfinished([name for each in judged for name in each.missing]),
                ),
                reminders=reminders,
                attestations=heard.attested,
                clusters=tuple(each.about for each in judged),
                phase=job.phase,
                fail_on=job.fail_on,
                why={check.id: why for check in job.checks if (why := section(check.doc, WHY))},
                run_by=run_by(),
                inventory_digest=job.inventory_digest,
            )
        )
        # What a waiver has changed is told in its owner's words; the others have come through that door already.
        clean = (
            after if after is before else without_secrets(after)
            for before, after in zip(results, applied.results, strict=True)
        )
        return replace(rest, results=Clean((*without_secrets(job.failures), *clean, *without_secrets(heard.results))))


def gathered_clusters(job: ScanRequest, collected: Responses) -> Iterator[GatheredCluster]:
    """Every cluster with the facts that its nodes' answers hold, as the checks see it; each is read when it is due."""
    for cluster, info in job.clusters:
        yield _gathered(cluster, info, job, _of(cluster, collected.said))


def _of(cluster: Cluster, said: Mapping[NodeKey, NodeResponse]) -> dict[NodeKey, NodeResponse]:
    """What the nodes of one cluster said, at hand."""
    keys = [node.key for node in cluster.nodes]
    return {key: opened(said[key]) for key in keys if key in said}


def _about(
    cluster: Cluster, info: ClusterInfo, gathered: GatheredCluster, said: Mapping[NodeKey, NodeResponse]
) -> ClusterRecord:
    heard = [said[node.key] for node in cluster.nodes if node.key in said]
    return ClusterRecord(
        name=cluster.name,
        product=cluster.product,
        title=info.definition.title or cluster.product,
        installed=installed_text(gathered.nodes),
        target=cluster.target or "",
        target_from=cluster.target_from if cluster.target else "",
        nodes=len(cluster.nodes),
        asked=len(gathered.chosen),
        reached=sum(_reached(answers) for answers in heard),
        owner=cluster.owner,
        contact=cluster.contact,
    )


def _guard() -> Guard:
    return Allowance().call


def _said(node: Node, said: Mapping[NodeKey, NodeResponse]) -> NodeResponse:
    """What a chosen node said; of one that an interrupted scan did not get to, that."""
    key = node.key
    if key in said:
        return said[key]
    hint = "Scan again, and let it finish."
    return NodeResponse(
        cluster=node.cluster, node=node.name, host=node.host, transport=node.transport, failure=INTERRUPTED, hint=hint
    )


def _told(results: Iterable[Result]) -> Iterable[str]:
    """What is no fault, and nobody may miss: a pass is not shown to everybody."""
    return (f"{row.cluster}: {told}" for row in results if isinstance(told := row.evidence.get(TOLD), str))


def _unfinished(missing: Sequence[str]) -> Iterable[str]:
    """Nodes without any result are named, so that an interrupted scan does not pass them over in silence."""
    if missing:
        yield f"interrupted before these nodes had answered: {listed(missing)}"


def _gathered(
    cluster: Cluster, info: ClusterInfo, job: ScanRequest, said: Mapping[NodeKey, NodeResponse]
) -> GatheredCluster:
    probes = {call.node.key: call.probes for call in job.calls_of(cluster, info)}
    names = frozenset(node.name for node in cluster.nodes if node.key in job.chosen)
    views = tuple(_view(node, info, job.chosen, said, probes.get(node.key, ())) for node in cluster.nodes)
    return GatheredCluster(info, views, names)


def _view(
    node: Node,
    info: ClusterInfo,
    chosen: frozenset[NodeKey],
    said: Mapping[NodeKey, NodeResponse],
    probes: Sequence[Probe],
) -> NodeView:
    key = node.key
    facts = read_facts(_said(node, said), probes if key in said else ()) if key in chosen else {}
    contact = facts.get(Contact)
    if key not in chosen:
        absence = NOT_SELECTED
    elif key not in said:
        absence = INTERRUPTED
    elif isinstance(contact, Contact) and contact.failure:
        turned_to = contact.asked or not _said(node, said).lacking
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
        error_output=read_error_output(said[key], probes) if key in said and facts else {},
        absence=absence,
    )
    return without_strangers(view, identity_of(info.definition))


def _record(said: NodeResponse, node: Node) -> NodeRecord:
    return NodeRecord(
        cluster=said.cluster,
        node=said.node,
        host=said.host,
        transport=said.transport,
        reachable=_reached(said),
        connections=said.usage.connections,
        commands=said.usage.commands,
        requests=said.usage.requests,
        seconds=said.seconds,
        owner=node.owner,
        contact=node.contact,
    )


def _reached(said: NodeResponse) -> bool:
    return said.failure is None or any(not isinstance(answer, Unknown) for answer in said.answers.values())
