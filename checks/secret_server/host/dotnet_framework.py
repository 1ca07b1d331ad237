"""The .NET Framework on the web nodes is new enough for every version on the way to the target.

## What it checks
The `Release` value of the .NET Framework 4. Secret Server 8.5.000000 and later need .NET Framework 4.5.1, 10.9.000005
and later need 4.8. For 10.9.000000 to 10.9.000004 the release note asks for 4.8 and the upgrade page does not: a
warning. No `Release` value means older than 4.5.

## Why it matters
The upgrade stops, or the site does not start, on a node whose .NET Framework is too old. With 8.5 the application
pool's CLR changes too, which is downtime.

## How to fix it
Install .NET Framework 4.8 on every web node before the window. It needs a restart of Windows.
"""

from __future__ import annotations

from packaging.version import Version

from checks.check import NodeCheck, NodeView
from checks.engine.requirements import check_version, requirements
from checks.outcome import Outcome, Remediation, Severity
from checks.secret_server.facts.node import AppFiles, DotnetFramework
from checks.secret_server.host.microsoft import DOTNET_URL, dotnet_version
from checks.secret_server.urls import DOTNET_48_URL, DOTNET_451_URL

ID = "dotnet-framework"


def judge(view: NodeView) -> Outcome:
    """Judge the installed .NET Framework."""
    needs = requirements(view, ID)
    if isinstance(needs, Outcome):
        return needs
    release = view.require(DotnetFramework).release
    version = dotnet_version(release)
    if version is None:
        found = "no Release value" if release is None else f"Release {release}"
        return check_version(needs, Version("4.0"), f".NET Framework older than 4.5 ({found})")
    return check_version(needs, Version(version), f".NET Framework {version} (Release {release})")


CHECK = NodeCheck(
    id=ID,
    title=".NET Framework is new enough",
    severity=Severity.CRITICAL,
    doc=__doc__,
    remediation=Remediation(
        "Install .NET Framework 4.8 on the web node and restart it before the upgrade.",
        url=DOTNET_48_URL,
    ),
    products=("secret-server",),
    roles=("web",),
    optional_facts=(DotnetFramework, AppFiles),
    references=(DOTNET_451_URL, DOTNET_48_URL, DOTNET_URL),
    judge=judge,
)
