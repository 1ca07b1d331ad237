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
from checks.chef_backend.node_facts import MachineResources
from checks.outcome import Outcome, Remediation, Severity, combine, failed, not_applicable, passed, undetermined, warned
from checks.rules import Rule

ID = "chef-resources"
GB = 10**9
_SLACK = 0.9
"""Share of the memory that is installed which a kernel counts at least."""


def judge(view: NodeView) -> Outcome:
    """Judge the machine by each rule of its roles."""
    found = view.fact(MachineResources)
    rules = [rule for rule in view.cluster.rules.of(ID) if rule.requires.partition(" ")[0] in view.roles]
    outcomes = [_judged(rule, found) for rule in rules]
    return combine(outcomes) if outcomes else not_applicable("no known requirement for this role")


def _judged(rule: Rule, found: MachineResources) -> Outcome:
    _, measure, number = [*rule.requires.split(" "), "", ""][:3]
    if measure not in ("cores", "memory-gb") or not number.isdecimal():
        ways = "'ROLE cores N' or 'ROLE memory-gb N'"
        return undetermined(f"rule {rule.id}: requires = {rule.requires!r} is neither {ways}")
    if measure == "cores":
        observed, enough = f"{found.cores} core{'s' * (found.cores != 1)}", found.cores >= int(number)
    else:
        observed = f"{found.memory_bytes / GB:.1f} GB of memory"
        enough = found.memory_bytes >= int(number) * GB * _SLACK
    if enough:
        return passed(observed, expected=rule.text, observed=observed)
    end = failed if rule.effect == "fail" else warned
    note = f" ({rule.note})" if rule.note else ""
    message = f"{observed}, and {rule.text} is asked for{note}"
    return end(message, expected=rule.text, observed=observed, rule=rule.id, source=rule.source)


CHECK = NodeCheck(
    id=ID,
    title="The machine has the cores and memory of its role",
    severity=Severity.MEDIUM,
    doc=__doc__,
    remediation=Remediation("Give the machine more processors or memory, or switch the rule off with a reason."),
    products=("chef-backend",),
    roles=("backend", "frontend"),
    facts=(MachineResources,),
    references=("Chef Backend system requirements", "https://docs.chef.io/install_server_ha/"),
    judge=judge,
)
