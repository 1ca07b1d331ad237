"""No monitoring agent profiles Secret Server's processes.

## What it checks
Whether the service of Application Performance Monitoring (System Center Management APM), which comes with the Microsoft
Monitoring Agent of System Center Operations Manager, is installed, be it disabled: setting the agent up leaves it so.
The agent without it is told and passes.

## Why it matters
The agent's profiler loads itself into the worker processes of IIS and crashes the application pool, often only after
the upgrade has changed the application's runtime.

## How to fix it
Reinstall the agent without Application Performance Monitoring (`NOAPM=1`), and restart IIS.
"""

from __future__ import annotations

from checks.check import NodeCheck, NodeView
from checks.outcome import Outcome, Remediation, Severity, passed, warned
from checks.secret_server.facts.host import MonitoringAgent

_STARTS = {2: "it starts by itself", 3: "it starts on demand", 4: "it is disabled"}


def judge(view: NodeView) -> Outcome:
    """Warn of an APM service."""
    found = view.require(MonitoringAgent)
    if found.apm:
        observed = f"System Center Management APM is installed ({_STARTS.get(found.apm_start or 0, 'start unknown')})"
        message = f"{observed}: the monitoring agent's APM is known to crash the application pool"
        return warned(message, expected="no APM service", observed=observed)
    if found.agent:
        return passed("Microsoft's monitoring agent is installed without APM", observed="HealthService without APM")
    return passed("no monitoring agent of Microsoft's is installed", observed="none")


CHECK = NodeCheck(
    id="monitoring-agent",
    title="No monitoring agent profiles the application pool",
    severity=Severity.MEDIUM,
    doc=__doc__,
    remediation=Remediation(
        "Reinstall the monitoring agent without APM, then restart IIS.",
        command="msiexec /i MOMAgent.msi NOAPM=1",
        language="cmd",
    ),
    products=("secret-server",),
    roles=("web",),
    facts=(MonitoringAgent,),
    references=("Secret Server upgrade documentation: Microsoft Monitoring Agent and SCOM APM crash the pool",),
    judge=judge,
)
