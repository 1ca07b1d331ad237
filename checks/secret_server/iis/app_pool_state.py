"""The application pools run on the web nodes that should run in this phase, and on no other.

## What it checks
The state of the pool of every IIS application in the web root, as IIS itself tells it over WMI
(`root\\WebAdministration`). Before the window the pools of all web nodes run. In the window at most one runs, that of
the node upgraded first: the documents disagree, older ones keep it running, a later edit stops all. After the window
all run again.

## Why it matters
A node that still runs while another one upgrades the database works against it with old files. One that is stopped
before the window is not known to work, and one that stays stopped afterwards was forgotten.

## How to fix it
Start or stop the pool of the node that is named, by IIS Manager or appcmd. Where the state cannot be read, the IIS
feature Management Scripts and Tools is missing on the node (Web-Scripting-Tools).
"""

from __future__ import annotations

from checks.check import ClusterCheck, ClusterView, NodeView
from checks.engine.consistency import Comparison, Denied, compared
from checks.engine.wording import enumerate_names
from checks.outcome import Outcome, Remediation, Severity, conclude, failed, passed, undetermined, warned
from checks.secret_server.facts.host import PoolStates
from checks.secret_server.facts.node import IisConfiguration, WebRoot
from checks.secret_server.iis.appcmd import over_pools
from checks.secret_server.iis.serving import serving_pools
from checks.secret_server.urls import CLUSTERING_URL

FACTS = (WebRoot, IisConfiguration, PoolStates)
_States = tuple[tuple[str, str], ...]
_WMI_URL = "https://learn.microsoft.com/en-us/iis/wmi-provider/applicationpool-class"
# Under this name from Windows Server 2008 R2 to today.
_FEATURE = "Import-Module ServerManager; Add-WindowsFeature Web-Scripting-Tools"
STATES = {0: "starting", 1: "started", 2: "stopping", 3: "stopped", 4: "unknown"}
_DISAGREE = "the documents disagree on whether the node upgraded first runs meanwhile"
_PHASES = {
    "before": "the pools of all web nodes run; one that does not is a warning",
    "window": f"the pool of at most one web node runs; {_DISAGREE}",
    "after": "the pools of all web nodes run",
}
PROVIDER_MISSING = (
    "IIS does not tell over WMI which pools run: there is no namespace root\\WebAdministration; add the Windows "
    "feature Web-Scripting-Tools (IIS Management Scripts and Tools)"
)


def judge(view: ClusterView) -> Outcome:
    """Judge what runs against what should, in the scan's phase."""
    phase = view.cluster.phase
    found = compared((node.name, _states(node)) for node in view.nodes if node.knows(*FACTS))
    states = {name: dict(said) for name, said in found.values}
    outcome = _in_window(found, states) if phase == "window" else _around(found, states, phase)
    observed = "; ".join(f"{name} {', '.join(sorted(set(said.values())))}" for name, said in states.items())
    return conclude([outcome], expected=_PHASES[phase], observed=observed, evidence={"phase": phase, "pools": states})


def _in_window(found: Comparison[_States], states: dict[str, dict[str, str]]) -> Outcome:
    running = [name for name, said in states.items() if set(said.values()) != {"stopped"}]
    if len(running) > 1:
        message = f"pools are not stopped on {enumerate_names(running)}: in the window at most one node may run"
        return failed(f"{message} ({_DISAGREE})", remediation=_stop(states, running[1:], running[0]))
    if found.denied:
        return undetermined("; ".join(_unclear(found)), remediation=_ask(_lacking(found)))
    message = f"only {running[0]} runs" if running else "the pools of all web nodes are stopped"
    return passed(f"{message}; {_DISAGREE}")


def _around(found: Comparison[_States], states: dict[str, dict[str, str]], phase: str) -> Outcome:
    """Before and after the window, all of them run."""
    resting = [name for name, said in states.items() if set(said.values()) != {"started"}]
    unclear = _unclear(found)
    if resting:
        message = "pools do not run: " + "; ".join(f"{name} {_told(states[name])}" for name in resting)
        if phase == "after" or not unclear:
            return (failed if phase == "after" else warned)(message, remediation=_start(states, resting))
        unclear.append(message)
    if not unclear:
        return passed("the application pool runs on all web nodes")
    # An optional feature that few nodes have cannot hold up a window in which the pools are stopped anyway.
    excused = phase == "before" and all(PROVIDER_MISSING in text for text in unclear)
    remedy = _ask(_lacking(found), _start(states, resting).summary if resting else "")
    return (warned if excused else undetermined)("; ".join(unclear), remediation=remedy)


def _unclear(found: Comparison[_States]) -> list[str]:
    return [f"{name}: {why}" for name, why in found.denied]


def _lacking(found: Comparison[_States]) -> list[str]:
    return [name for name, why in found.denied if why == PROVIDER_MISSING]


def _states(node: NodeView) -> _States | Denied:
    """State by pool, in words, of those that serve the application; or why it cannot be told."""
    pools = serving_pools(node)
    if isinstance(pools, Outcome):
        return Denied(pools.message)
    if node.require(PoolStates).provider_missing:
        return Denied(PROVIDER_MISSING)
    known = {name.lower(): state for name, state in node.require(PoolStates).states}
    mute = next((name for name in pools if known.get(name.lower(), 4) == 4), None)
    if mute is not None:
        return Denied(f"IIS does not tell the state of pool {mute}")
    return tuple((name, STATES[known[name.lower()]]) for name in pools)


def _ask(lacking: list[str], then: str = "") -> Remediation | None:
    """How IIS is made to tell the state of its pools on the nodes that lack its provider; None where none does."""
    if not lacking:
        return None
    summary = f"Add the Windows feature on {enumerate_names(lacking)}, then scan again. {then}".rstrip()
    return Remediation(summary, _FEATURE, url=_WMI_URL, language="powershell")


def _start(states: dict[str, dict[str, str]], resting: list[str]) -> Remediation:
    pools, then = _in_turn(states, resting, "started")
    summary = f"First start {enumerate_names(pools)} on {resting[0]}, and see that the site answers there{then}."
    return Remediation(summary, over_pools("start", pools), url=CLUSTERING_URL, language="cmd")


def _stop(states: dict[str, dict[str, str]], running: list[str], kept: str) -> Remediation:
    pools, then = _in_turn(states, running, "stopped")
    summary = (
        f"First decide which node is upgraded first; if that is {kept}, stop {enumerate_names(pools)} on "
        f"{running[0]}{then}."
    )
    return Remediation(summary, over_pools("stop", pools), url=CLUSTERING_URL, language="cmd")


def _in_turn(states: dict[str, dict[str, str]], nodes: list[str], wanted: str) -> tuple[list[str], str]:
    """The pools of the first node that are not as wanted, and the words for the nodes after it."""
    first, *others = ([pool for pool, state in states[node].items() if state != wanted] for node in nodes)
    told = [
        name if pools == first else f"{name} ({enumerate_names(pools)})"
        for name, pools in zip(nodes[1:], others, strict=True)
    ]
    return first, f"; then likewise on {enumerate_names(told)}" if told else ""


def _told(states: dict[str, str]) -> str:
    return ", ".join(f"{name} is {state}" for name, state in states.items() if state != "started")


CHECK = ClusterCheck(
    id="app-pool-state",
    title="Application pools run where they should in this phase",
    severity=Severity.HIGH,
    doc=__doc__,
    remediation=Remediation(
        "Start the pool, or stop it, on the node that is named.",
        over_pools("start", ("",)),
        url=CLUSTERING_URL,
        language="cmd",
    ),
    products=("secret-server",),
    roles=("web",),
    facts=FACTS,
    phases=_PHASES,
    references=(CLUSTERING_URL, _WMI_URL),
    judge=judge,
)
