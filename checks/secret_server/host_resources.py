"""Every host has the processors and the memory that the vendor's system requirements name.

## What it checks
Logical processors and memory, as Windows counts them, against the minimum for a basic deployment: 2 cores and 4 GB
for a web server and for a database server. A tenth less memory than the minimum still meets it, for firmware keeps a
part. Less is a warning. Where Windows does not tell (WMI refuses), nothing is judged, and the check says so.

## Why it matters
The new version's first start compiles and migrates; on a host that is too small it runs into timeouts in the middle of
the window. The vendor's support asks for these minimums first.

## How to fix it
Give the host more processors or memory. Where it has long run well as it is, switch the rule off in the inventory with
the reason.
"""

from __future__ import annotations

from checks.check import NodeCheck, NodeView
from checks.facts import Unknown
from checks.outcome import Outcome, Remediation, Severity, combine, failed, not_applicable, passed, undetermined, warned
from checks.rules import Rule
from checks.secret_server.host_facts import Hardware
from checks.secret_server.vendor import REQUIREMENTS_URL

ID = "secret-server-resources"
GB = 10**9
_SLACK = 0.9
"""Share of the memory that is installed which Windows counts at least."""


def judge(view: NodeView) -> Outcome:
    """Judge the host by each rule of its roles."""
    rules = [rule for rule in view.cluster.rules.of(ID) if rule.requires.partition(" ")[0] in view.roles]
    if not rules:
        return not_applicable("no known requirement for this role")
    found = view.look(Hardware)
    if isinstance(found, Unknown):
        return not_applicable(f"processors and memory are not known: {found.reason}")
    return combine([_judged(rule, found) for rule in rules])


def _judged(rule: Rule, found: Hardware) -> Outcome:
    _, measure, number = [*rule.requires.split(" "), "", ""][:3]
    if measure not in ("cores", "memory-gb") or not (number.isascii() and number.isdecimal()):
        ways = "'ROLE cores N' or 'ROLE memory-gb N'"
        return undetermined(f"rule {rule.id}: requires = {rule.requires!r} is neither {ways}")
    if measure == "cores":
        observed = f"{found.processors} processor{'s' * (found.processors != 1)}"
        enough = found.processors >= int(number)
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
