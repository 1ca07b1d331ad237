"""DPAPI is off while the cluster is upgraded, or what that costs is known.

## What it checks
What the inventory declares as `dpapi`: a file gives no sign of DPAPI, so it cannot be read from a node. "on" is a
warning before and in the window, never more, and passes after it; "off" passes as declared. Where nothing is declared
the check does not apply; `encryption-config-match` asks for the declaration where the files differ.

## Why it matters
A file under DPAPI works on its own machine only: copied to another node, it takes that node's secrets away. The
vendor's documents do not agree. One says that the two configuration files are not copied in an upgrade, and that DPAPI
is turned off first only where they must be (the database's settings changed); the current checklist says to turn it
off on each node before the upgrade. Whoever follows the checklist is right by both.

## How to fix it
Turn DPAPI off on each web node, make a backup of the plain `encryption.config`, upgrade, and turn DPAPI on again on
each node. Where a hardware security module (HSM) holds the key, DPAPI is not required at all.
"""

from __future__ import annotations

from checks.check import ClusterCheck, ClusterView
from checks.outcome import Outcome, Remediation, Severity, not_declared, passed, warned
from checks.secret_server.urls import CLUSTERING_URL

EXPECTED = "DPAPI off on each web node during the upgrade"
_ADVICE = {
    "before": "turn it off on each node before the upgrade, as the current checklist says",
    "window": "do not copy encryption.config from node to node while it is on",
}


def judge(view: ClusterView) -> Outcome:
    """Judge the declaration, by phase."""
    declared, phase = view.cluster.declared("dpapi", "unknown"), view.cluster.phase
    observed = f"dpapi = {declared}"
    if declared == "off":
        return passed("DPAPI is off, as the inventory declares", expected=EXPECTED, observed=observed)
    if declared != "on":
        return not_declared(
            "dpapi",
            'whether DPAPI is on cannot be read from the files; declare dpapi = "on" or "off" for the cluster',
            expected=EXPECTED,
            observed=observed,
        )
    if phase == "after":
        return passed("DPAPI is on, as the inventory declares; the upgrade is over", observed=observed)
    return warned(
        f"DPAPI is on, so encryption.config works on its own machine only: {_ADVICE[phase]}; an older document of the "
        "vendor asks for that only where the file must be copied",
        expected=EXPECTED,
        observed=observed,
    )


CHECK = ClusterCheck(
    id="dpapi-encryption",
    title="DPAPI is off during the upgrade",
    severity=Severity.MEDIUM,
    doc=__doc__,
    remediation=Remediation(
        "Turn DPAPI off on each web node and back up the plain encryption.config, upgrade, then turn it on again "
        "on each node. With an HSM it is not required.",
        url=CLUSTERING_URL,
    ),
    products=("secret-server",),
    roles=("web",),
    phases={
        "before": "DPAPI on is a warning",
        "window": "DPAPI on is a warning: never copy encryption.config",
        "after": "DPAPI may be on",
    },
    references=(CLUSTERING_URL, "Secret Server upgrade checklist: DPAPI off on each node before the upgrade"),
    judge=judge,
)
