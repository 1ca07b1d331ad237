"""What the probes print on a simulated Linux node: a backend's answers, literal ones, and refusals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from scanner.lab.machines.chef_backend import cluster as chef
from scanner.lab.machines.chef_backend import host as linux
from scanner.lab.machines.chef_backend import stranger
from scanner.lab.machines.chef_backend.cluster import CommandOutput
from scanner.lab.scenario_model import ClusterScenario, NodeScenario

_NO_SUDO = {
    "sudo-denied": CommandOutput("", 1, "sudo: a password is required\n"),
    "sudo-missing": CommandOutput("", 127, "sh: 1: sudo: not found\n"),
}
_WITHOUT = ("chef-frontend-api", "chef-leaderl", "chef-search-index", "linux-disks", "linux-connections")
"""Probes that answer without root as well: it is needed for a look at the configuration alone."""


def answer(
    node: NodeScenario, cluster: ClusterScenario, samples: Mapping[str, CommandOutput], probe_id: str, sudo: bool
) -> CommandOutput:
    """What the probe `probe_id` prints on `node`, a member of `cluster`, where it runs under `sudo` or not.

    `samples` are the probes' own, for those that the simulated machines know nothing of.
    """
    found = _own(node, cluster, samples, probe_id, sudo)
    refused = _NO_SUDO[node.fault].error_output if sudo and node.fault in _NO_SUDO and probe_id in _WITHOUT else ""
    return replace(found, error_output=found.error_output + refused + node.error_output.get(probe_id, ""))


def _own(
    node: NodeScenario, cluster: ClusterScenario, samples: Mapping[str, CommandOutput], probe_id: str, sudo: bool
) -> CommandOutput:
    if sudo and node.fault in _NO_SUDO and probe_id not in _WITHOUT:
        return _NO_SUDO[node.fault]
    if probe_id in node.answers:
        return node.answers[probe_id]
    if probe_id == "shell":
        return CommandOutput("Linux\n")
    if probe_id in linux.PROBES or node.linux.foreign:
        package = str(node.inventory.get("package", cluster.inventory.get("package", "")))
        addresses = tuple(backend.ip for backend in cluster.backends.values())
        host = linux.Host(
            name=node.name,
            linux=node.linux,
            roles=node.roles,
            backend=cluster.backends.get(node.name),
            package=package,
            backends=addresses,
        )
        found = stranger.answer(host, probe_id) if node.linux.foreign else linux.PROBES[probe_id](host)
        if found:
            return found
    speak = chef.PROBES.get(probe_id)
    if speak is None and probe_id in samples and not node.linux.foreign:
        return samples[probe_id]
    if speak is None or node.name not in cluster.backends:
        return CommandOutput("", 127, f"sh: 1: {probe_id}: not found\n")
    if node.fault == "command-missing":
        return _without_chef(probe_id, sudo)
    return speak(node.name, cluster.backends)


def _without_chef(probe_id: str, sudo: bool) -> CommandOutput:
    if probe_id == "chef-leader-flags":
        missing = "ls: cannot access '/var/opt/chef-backend/leaderl/data': No such file or directory\n"
        return CommandOutput("form 2\nend\n", 2, missing)
    if probe_id == "chef-version":
        manifest = "/opt/chef-backend/version-manifest.txt"
        return CommandOutput("", 1, f"head: cannot open '{manifest}' for reading: No such file or directory\n")
    said = f"{'sudo' if sudo else 'sh: 1'}: chef-backend-ctl: command not found\n"
    return CommandOutput("", 1 if sudo else 127, said)
