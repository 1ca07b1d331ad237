"""Every host has the processors and the memory that the vendor's system requirements name.

## What it checks
Logical processors and memory, as Windows counts them, against the minimum for a basic deployment: 2 cores and 4 GB
for a web server and for a database server. A tenth less memory than the minimum still meets it, for firmware keeps a
part. Less is a warning, and so is what Windows does not tell (WMI refuses): it may be less.

## Why it matters
The new version's first start compiles and migrates; on a host that is too small it runs into timeouts in the middle of
the window. The vendor's support asks for these minimums first.

## How to fix it
Give the host more processors or memory. Where it has long run well as it is, switch the rule off in the inventory with
the reason.
"""

from __future__ import annotations

from checks.check import NodeCheck, NodeView
from checks.common.machine_size import judged, unseen
from checks.common.sql_port_alone import fact_of_host
from checks.outcome import Outcome, Remediation, Severity, combine, not_applicable
from checks.secret_server.facts.host import Hardware
from checks.secret_server.urls import REQUIREMENTS_URL

ID = "secret-server-resources"


def judge(view: NodeView) -> Outcome:
    """Judge the host by each rule of its roles."""
    rules = [rule for rule in view.cluster.rules.of(ID) if rule.requires.partition(" ")[0] in view.roles]
    if not rules:
        return not_applicable("no known requirement for this role")
    found = fact_of_host(
        view, Hardware, lambda gap: unseen(rules, f"processors and memory are not known: {gap.reason}")
    )
    if isinstance(found, Outcome):
        return found
    return combine(
        [
            judged(rule, processors=found.processors, processor="processor", memory_bytes=found.memory_bytes)
            for rule in rules
        ]
    )


CHECK = NodeCheck(
    id=ID,
    title="The host has the processors and memory that the vendor names",
    severity=Severity.LOW,
    doc=__doc__,
    remediation=Remediation(
        "Give the host more processors or memory, or switch the rule off with a reason.", url=REQUIREMENTS_URL
    ),
    products=("secret-server",),
    roles=("web", "database"),
    optional_facts=(Hardware,),
    references=(REQUIREMENTS_URL,),
    judge=judge,
)
