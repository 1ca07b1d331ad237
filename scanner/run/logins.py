"""Whether every node lets us in, and nothing else of it: one connection each, the smallest question, no check."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from checks.common.dataclass import dataclass
from checks.facts import Unknown
from scanner.probes.contact import CONTACT_PROBES
from scanner.probes.probe import Probe
from scanner.run.job import ScanRequest
from scanner.transports.answers import NodeResponse, Responses


@dataclass(frozen=True, slots=True)
class Login:
    """What came of one node."""

    said: NodeResponse
    trouble: str
    """Why it could not be asked, one line; empty where it answered."""
    hint: str = ""


def only_logins(job: ScanRequest) -> ScanRequest:
    """The same nodes, asked nothing but whether they answer: a shell's smallest question, and SQL Server's greeting
    where nothing else is spoken.
    """
    return replace(job, checks=(), probes=tuple(probe for probe in job.probes if _is_greeting(probe)), also={})


def _is_greeting(probe: Probe) -> bool:
    return probe in CONTACT_PROBES or (probe.language == "tds" and not probe.script)


def logins(job: ScanRequest, collected: Responses) -> Iterable[Login]:
    """What came of each node of `job`, in inventory order; of one that was not asked to the end, that."""
    for call in job.calls():
        node = call.node
        said = collected.said.get(node.key)
        if said is None:
            blank = NodeResponse(cluster=node.cluster, node=node.name, host=node.host, transport=node.transport)
            yield Login(blank, "not asked to the end: interrupted")
            continue
        silent = [answer.reason for answer in said.answers.values() if isinstance(answer, Unknown)]
        nothing = "" if said.answers else "nothing was asked"
        trouble = said.failure or next(iter(silent), "") or nothing
        yield Login(said, trouble, said.hint)
