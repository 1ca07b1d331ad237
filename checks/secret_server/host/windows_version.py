"""Windows on the web nodes is new enough for every version on the way to the target.

## What it checks
The version of Windows. Secret Server 8.9.000000 and later need Windows Server 2008 R2 (6.1) or later. Later documents
ask for more without agreeing with each other (Windows Server 2012 with 10.8; 2019 as a minimum with 11.9, on a page
that also calls 2016 supported): those are warnings. A client Windows, or a domain controller, is a warning of its
own: neither is supported.

## Why it matters
The installer of the new version does not run on a Windows that is too old, and the node is lost to the cluster until
it has been replaced.

## How to fix it
Build a new web node on a supported Windows Server and add it to the cluster, or upgrade Windows in place, before the
window.
"""

from __future__ import annotations

from packaging.version import Version

from checks.check import NodeCheck, NodeView
from checks.engine.requirements import check_version, requirements
from checks.outcome import Outcome, Remediation, Severity, combine, warned
from checks.secret_server.facts.node import AppFiles, WindowsVersion
from checks.secret_server.host.microsoft import WINDOWS_URL, windows_name
from checks.secret_server.urls import CLUSTERING_URL, REQUIREMENTS_URL

ID = "windows-version"
_KINDS = {1: "a client Windows", 2: "a domain controller"}


def judge(view: NodeView) -> Outcome:
    """Judge the version, and what kind of Windows it is."""
    windows = view.require(WindowsVersion)
    number = f"{windows.major}.{windows.minor}.{windows.build}"
    name = windows.name or windows_name(windows.major, windows.minor, windows.build)
    observed = f"{name} ({number})"
    needs = requirements(view, ID)
    outcomes = [needs if isinstance(needs, Outcome) else check_version(needs, Version(number), observed)]
    if windows.product_type in _KINDS:
        kind = _KINDS[windows.product_type]
        outcomes.append(warned(f"this is {kind}, which is not supported", observed=observed, product_type=kind))
    return combine(outcomes)


CHECK = NodeCheck(
    id=ID,
    title="Windows is new enough",
    severity=Severity.CRITICAL,
    doc=__doc__,
    remediation=Remediation(
        "Move the web node to a supported Windows Server before the upgrade.",
        url=CLUSTERING_URL,
    ),
    products=("secret-server",),
    roles=("web",),
    facts=(WindowsVersion,),
    optional_facts=(AppFiles,),
    references=(CLUSTERING_URL, REQUIREMENTS_URL, WINDOWS_URL),
    judge=judge,
)
