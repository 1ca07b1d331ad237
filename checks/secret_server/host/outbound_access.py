"""A web node that is upgraded online reaches the vendor's update hosts.

## What it checks
Only where the inventory says `online = true`, for the cluster or for the node whose web installer downloads the update:
whether that node opens TCP connections to the hosts and ports that the vendor names. The connections are closed at
once, nothing is sent over them, and all of them together take seconds. Hosts on which the vendor's documents do not
agree are a warning. Where Windows has a proxy configured (WinHTTP, or WinINET for the whole machine), a closed way is a
warning, too: a proxy that is set for the application pool's account alone cannot be seen.

## Why it matters
The web installer downloads the new version in the middle of the window. The vendor says that it cannot do so without
outbound access or through a proxy; there is an offline package for that, which has to be at hand beforehand.

## How to fix it
Open the firewall for the hosts that are named, or upgrade with the offline package and take `online` out of the
inventory.
"""

from __future__ import annotations

from typing import Any

from checks.check import NodeCheck, NodeView
from checks.common.dataclass import dataclass
from checks.engine.requirements import breach, cited
from checks.engine.rules import Rule
from checks.engine.wording import enumerate_names
from checks.outcome import Outcome, Remediation, Severity, combine, not_applicable, passed, undetermined, warned
from checks.secret_server.urls import OFFLINE_URL, TELEMETRY_URL

ID = "outbound-access"
STATES = {
    "open": "",
    "silent": "no answer",
    "refused": "refused",
    "unresolved": "its name is not found",
    "unreachable": "there is no way to it",
    "forbidden": "this host's own firewall forbids it",
}
"""How trying to connect may end, in words."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One TCP connection that the node tried to open."""

    target: str
    """HOST:PORT."""
    state: str
    """One of STATES."""
    detail: str = ""
    """What Windows said, one line."""


@dataclass(frozen=True, slots=True)
class OutboundAccess:
    """Which of the vendor's update hosts the node reaches. Nothing was tried where `asked` is False."""

    asked: bool
    attempts: tuple[Attempt, ...] = ()
    proxies: tuple[str, ...] = ()
    """Where Windows has a proxy configured: "WinHTTP", "WinINET"; never its address."""
    proxy_problem: str = ""
    """Why that could not be read, one line."""


def judge(view: NodeView) -> Outcome:
    """Hold what the node reached to each host that the rules name."""
    if view.options.get("online") is not True:
        return not_applicable("`online = true` is not set: the upgrade is not said to be downloaded by this node")
    if view.cluster.phase == "after":
        return not_applicable("nothing is downloaded any more after the window")
    rules = view.cluster.rules.of(ID)
    if not rules:
        return not_applicable("every rule that names an update host is switched off")
    found = view.require(OutboundAccess)
    tried = {attempt.target: attempt for attempt in found.attempts}
    return combine([_judged(rule, tried.get(rule.requires), found) for rule in rules])


def _judged(rule: Rule, attempt: Attempt | None, found: OutboundAccess) -> Outcome:
    if attempt is None:
        return undetermined(f"the node was not asked to connect to {rule.requires}", expected=rule.text)
    if attempt.state == "open":
        return passed(f"{attempt.target} is reached", expected=rule.text, observed=f"{attempt.target} open")
    why = STATES[attempt.state]
    observed = f"{attempt.target}: {why}"
    message = f"{attempt.target} is not reached ({why})"
    evidence: dict[str, Any] = {f"{attempt.target} says": attempt.detail} if attempt.detail else {}
    if found.proxies:
        ways = enumerate_names(found.proxies)
        message += (
            f"; {ways} has a proxy, so a way out may exist, though the vendor says that updates need a direct one"
        )
        return warned(message, expected=rule.text, observed=observed, **evidence)
    if found.proxy_problem:
        message += f"; whether Windows has a proxy cannot be told ({found.proxy_problem})"
        return warned(message, expected=rule.text, observed=observed, **evidence)
    return breach(rule, message, observed=observed, **cited(rule), **evidence)


CHECK = NodeCheck(
    id=ID,
    title="The vendor's update hosts are reached",
    severity=Severity.MEDIUM,
    doc=__doc__,
    remediation=Remediation(
        "Open the firewall from this node to the hosts that are named, or upgrade with the offline package and take "
        "`online` out of the inventory.",
        url=OFFLINE_URL,
    ),
    products=("secret-server",),
    roles=("web",),
    optional_facts=(OutboundAccess,),
    phases={
        "before": "the update hosts are reached",
        "window": "the update hosts are reached",
        "after": "nothing is asked for",
    },
    references=(OFFLINE_URL, TELEMETRY_URL),
    judge=judge,
)
