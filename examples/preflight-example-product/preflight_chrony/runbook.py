"""The runbook: one server after the other, while the rest serves time."""

from __future__ import annotations

from checks.engine.evaluation import GatheredCluster
from checks.engine.upgrade_path import UpgradePath
from checks.runbook.model import Command, Part, Proof, Step
from checks.runbook.names import CommandQuoter, scan_command
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
    wanted = names.shell(f"chrony={version}*", "the package's version")
    return Step(
        id="upgrade-server",
        title=f"Upgrade {node}, and wait until it is synchronized",
        commands=(
            Command(text=f"sudo apt-get install {wanted}", language="sh", where=node),
            Command(text="chronyc waitsync 60", language="sh", where=node),
        ),
        proof=Proof("Leap status: Normal", (Command(text="chronyc -n tracking", language="sh", where=node),)),
        url="https://chrony-project.org/doc/4.5/chronyc.html",
    )


RUNBOOK = RunbookWriter(write=write, facts={"server": (ChronyVersion,)})
