"""PowerShell on the web nodes is new enough for every version on the way to the target.

## What it checks
`$PSVersionTable.PSVersion` of the Windows PowerShell that answers the scan. Secret Server 8.5.000000 and later need
3.0 or later. Windows Server 2008 R2 ships 2.0.

## Why it matters
The new version runs PowerShell scripts of its own, for password changing and discovery among others; they fail on an
older one after the upgrade.

## How to fix it
Install Windows Management Framework 3.0 or later (5.1 is the last one) on the node, and restart it, before the window.
"""

from __future__ import annotations

from packaging.version import Version

from checks.check import NodeCheck, NodeView
from checks.engine.requirements import check_version, requirements
from checks.outcome import Outcome, Remediation, Severity
from checks.secret_server.facts.host import PowershellVersion
from checks.secret_server.facts.node import AppFiles
from checks.secret_server.urls import CLUSTERING_URL, DOTNET_451_URL

ID = "powershell-version"


def judge(view: NodeView) -> Outcome:
    """Judge the version."""
    text = view.require(PowershellVersion).text
    needs = requirements(view, ID)
    if isinstance(needs, Outcome):
        return needs
    return check_version(needs, Version(text), f"PowerShell {text}")


CHECK = NodeCheck(
    id=ID,
    title="PowerShell is new enough",
    severity=Severity.HIGH,
    doc=__doc__,
    remediation=Remediation(
        "Install Windows Management Framework 5.1 on the node before the upgrade.", url=DOTNET_451_URL
    ),
    products=("secret-server",),
    roles=("web",),
    facts=(PowershellVersion,),
    optional_facts=(AppFiles,),
    references=(DOTNET_451_URL, CLUSTERING_URL),
    judge=judge,
)
