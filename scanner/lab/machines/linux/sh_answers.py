"""What the probes print on a simulated Linux node: its machine's answers, a backend's, literal ones, and refusals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from scanner.lab.machines.chef_backend import cluster as chef
from scanner.lab.machines.chef_backend import frontend, host
from scanner.lab.machines.chef_backend.cluster import CommandOutput
from scanner.lab.machines.chef_backend.host import Host
from scanner.lab.machines.chef_backend.without_chef import WITHOUT_CHEF, without_command
from scanner.lab.scenario_model import ClusterScenario, NodeScenario

_NO_SUDO = {
    "sudo-denied": CommandOutput("", 1, "sudo: a password is required\n"),
    "sudo-missing": CommandOutput("", 127, "sh: 1: sudo: not found\n"),
}
_WITHOUT = ("chef-frontend-api", "chef-leaderl", "chef-search-index", "linux-disks", "linux-connections")
"""Probes that answer without root as well: it is needed for a look at the configuration alone."""
OF_MACHINES: Mapping[str, Callable[[Host], CommandOutput]] = {
    "linux-disks": host.linux_disks,
    "chef-traces": host.chef_traces,
    "chef-package": host.installed_package,
    "chef-staged-package": host.staged_package,
    "chef-secrets": host.secrets_files,
    "chef-secrets-stray": host.stray_secrets,
    "chef-config": host.config_digest,
    "chef-leaderl": host.leader_answer,
    "chef-frontend-package": frontend.package,
    "chef-frontend-services": frontend.services,
    "chef-frontend-api": frontend.api,
    "chef-frontend-members": frontend.members,
    "linux-resources": host.linux_resources,
    "linux-connections": host.linux_connections,
    "chef-service-ports": host.service_ports,
    "chef-drbd": host.drbd_traces,
    "chef-search-index": host.search_index,
}
"""Which function answers which probe."""


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
    foreign, member = node.linux.foreign, node.name in cluster.backends
    if foreign and probe_id in WITHOUT_CHEF:
        return WITHOUT_CHEF[probe_id]
    if foreign or (member and node.fault == "command-missing" and probe_id in chef.PROBES):
        missing = without_command(probe_id, sudo=sudo)
        if missing:
            return missing
    if probe_id in OF_MACHINES:
        return OF_MACHINES[probe_id](_machine(node, cluster))
    if member and probe_id in chef.PROBES:
        return chef.PROBES[probe_id](node.name, cluster.backends)
    if probe_id in samples and probe_id not in chef.PROBES and not foreign:
        return samples[probe_id]
    return CommandOutput("", 127, f"sh: 1: {probe_id}: not found\n")


def _machine(node: NodeScenario, cluster: ClusterScenario) -> Host:
    foreign = node.linux.foreign
    bare = replace(node.linux, package="none", manifest="none", staged="missing")
    return Host(
        name=node.name,
        linux=bare if foreign else node.linux,
        roles=() if foreign else node.roles,
        backend=None if foreign else cluster.backends.get(node.name),
        package=str(node.inventory.get("package", cluster.inventory.get("package", ""))),
        backends=tuple(backend.ip for backend in cluster.backends.values()),
    )
