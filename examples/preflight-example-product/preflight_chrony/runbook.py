"""The runbook: one server after the other, while the rest serves time, and what facts show of each step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from checks.check import NodeView
from checks.engine.evaluation import GatheredCluster
from checks.engine.upgrade_path import UpgradePath, UpgradeStep
from checks.facts import Unknown
from checks.runbook.model import Command, Part, Proof, Step
from checks.runbook.names import CommandQuoter, scan_command
from checks.runbook.signs import Kind, Seen, Sign, cannot_tell, done, not_done
from checks.runbook.writer import RunbookWriter, Written
from preflight_chrony.facts import ChronyVersion


def write(gathered: GatheredCluster, path: UpgradePath, inventory: str, names: CommandQuoter) -> Written:
    """Each hop on each server in turn."""
    cluster = gathered.info.name
    before = Step(
        id="pass-the-gate",
        title="See that the scan says GO",
        commands=(scan_command(names, inventory, cluster),),
        proof=Proof("GO"),
    )
    hops = [
        Part(
            f"To {hop.version}",
            tuple(_upgrade(names, node.name, hop.version) for node in gathered.nodes),
        )
        for hop in path.hops
    ]
    after = Step(
        id="prove-target",
        title="See that all servers run the target and are synchronized",
        commands=(scan_command(names, inventory, cluster, phase="after"),),
        proof=Proof("GO"),
    )
    parts = (Part("Before the window opens", (before,)), *hops, Part("Afterwards", (after,)))
    return Written(parts=parts, unknown=tuple(names.unknown))


def _upgrade(names: CommandQuoter, node: str, version: str) -> Step:
    wanted = names.posix(f"chrony={version}*", "the package's version")
    return Step(
        id="upgrade-server",
        title=f"Upgrade {node}, and wait until it is synchronized",
        commands=(
            Command(text=f"sudo apt-get install {wanted}", language="sh", where=node),
            Command(text="chronyc waitsync 60", language="sh", where=node),
        ),
        proof=Proof("Leap status: Normal", (Command(text="chronyc -n tracking", language="sh", where=node),)),
        documented=("CHRONYC waitsync",),
    )


def _runs(views: Sequence[NodeView], want: Mapping[str, object]) -> Seen:
    for view in views:
        found = view.get(ChronyVersion)
        if isinstance(found, Unknown):
            return cannot_tell(f"{view.name}: {found.reason}")
        if found.version != want["version"]:
            return not_done(f"{view.name} runs {found.version}")
    return done(f"chronyd is {want['version']}")


def _signs(
    step: Step, hop: UpgradeStep | None, before: Sequence[Step], views: Sequence[NodeView], *, back: str = ""
) -> tuple[tuple[Sign, ...], str]:
    del before, views, back
    if step.id != "upgrade-server" or hop is None:
        return (), ""
    return (Sign("chrony-version", (step.commands[0].where,), {"version": hop.version}),), ""


DOCUMENTS = {"CHRONYC": ("chronyc(1)", "https://chrony-project.org/doc/4.5/chronyc.html")}
STEPS = {"CHRONYC waitsync": "wait until the clock is synchronized, before anything relies on it"}
RUNBOOK = RunbookWriter(
    write=write,
    facts={"server": (ChronyVersion,)},
    signs=_signs,
    kinds={
        "chrony-version": Kind(
            facts=(ChronyVersion,), judge=_runs, told=lambda want: f"chronyd {want['version']}", wants={"version": str}
        )
    },
)
