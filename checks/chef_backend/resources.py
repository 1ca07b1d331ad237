"""Every machine has the cores and the memory that its role asks for.

## What it checks
Processors in `/proc/cpuinfo` and `MemTotal` in `/proc/meminfo` against the hardware minimum of the role: 2 cores and
8 GB for a backend, 4 cores and 4 GB for a frontend. Hardware threads count as cores. The kernel keeps a part of the
memory for itself before it counts, so a tenth less than the minimum still meets it.

## Why it matters
PostgreSQL, Elasticsearch and etcd of a backend share the machine. One that is too small swaps or runs into timeouts
just when the upgrade lets followers copy the database, and then loses the leadership.

## How to fix it
Give the machine that is named more processors or memory. Where it has long run well as it is, switch the rule off in
the inventory with the reason.
"""

from __future__ import annotations

from checks.check import NodeCheck, NodeView
from checks.chef_backend.facts.machine import MachineResources
from checks.chef_backend.urls import INSTALL_URL
from checks.common.machine_size import judged
from checks.outcome import Outcome, Remediation, Severity, combine, not_applicable

ID = "chef-resources"


def judge(view: NodeView) -> Outcome:
    """Judge the machine by each rule of its roles."""
    found = view.require(MachineResources)
    rules = [rule for rule in view.cluster.rules.of(ID) if rule.requires.partition(" ")[0] in view.roles]
    outcomes = [
        judged(rule, processors=found.cores, processor="core", memory_bytes=found.memory_bytes) for rule in rules
    ]
    return combine(outcomes) if outcomes else not_applicable("no known requirement for this role")


CHECK = NodeCheck(
    id=ID,
    title="The machine has the cores and memory of its role",
    severity=Severity.MEDIUM,
    doc=__doc__,
    remediation=Remediation("Give the machine more processors or memory, or switch the rule off with a reason."),
    products=("chef-backend",),
    roles=("backend", "frontend"),
    facts=(MachineResources,),
    references=("Chef Backend system requirements", INSTALL_URL),
    judge=judge,
)
