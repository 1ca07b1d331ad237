"""All backends run the same kernel.

## What it checks
`uname -r` gives the same text on every backend of a Chef Backend cluster.

## Why it matters
A node that missed its last reboot runs an older kernel than its peers, and a maintenance window that reboots it changes
more than was planned.

## How to fix it
Reboot the node that is behind, one node at a time, and verify that it has rejoined the cluster.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from checks.check import ClusterCheck, ClusterView
from checks.outcome import Outcome, Remediation, Severity, passed, warned
from scanner.plugins import Plugin
from scanner.probes.probe import Answer, Probe, UnreadableError


@dataclass(frozen=True, slots=True)
class Kernel:
    """The running kernel."""

    release: str
    """As `uname -r` prints it, for example 5.14.0-427.el9.x86_64."""


def read_kernel(answer: Answer) -> Kernel:
    """Read `uname -r`. Raises UnreadableError."""
    lines = answer.output.split()
    if answer.exit_code != 0 or len(lines) != 1:
        raise UnreadableError(f"uname -r gave {answer.output.strip()[:80]!r}")
    return Kernel(lines[0])


def judge(view: ClusterView) -> Outcome:
    """Compare the nodes, and name those that differ from the most common release."""
    releases = {node.name: kernel.release for node, kernel in view.with_fact(Kernel)}
    ranked = Counter(releases.values()).most_common()
    if len(ranked) < 2:
        return passed("all backends run the same kernel", observed=ranked[0][0] if ranked else "", releases=releases)
    common = ranked[0][0]
    others = ", ".join(f"{name} runs {release}" for name, release in releases.items() if release != common)
    return warned(f"kernels differ: {others}", expected=common, observed=others, releases=releases)


PLUGIN = Plugin(
    checks=(
        ClusterCheck(
            id="example-kernel-match",
            title="All backends run the same kernel",
            severity=Severity.LOW,
            doc=__doc__,
            remediation=Remediation("Reboot the node that is behind.", "uname -r", language="sh"),
            products=("chef-backend",),
            roles=("backend",),
            facts=(Kernel,),
            judge=judge,
        ),
    ),
    probes=(
        Probe(
            id="example-kernel",
            language="sh",
            purpose="the running kernel's release",
            script="uname -r",
            readers=((Kernel, read_kernel),),
            sample="5.14.0-427.el9.x86_64\n",  # what the lab's nodes answer
        ),
    ),
)
