"""What the probes print on a Linux machine that has nothing to do with Chef: one at a wrong address."""

from __future__ import annotations

from dataclasses import replace

from scanner.lab.machines.chef_backend import host as linux
from scanner.lab.machines.chef_backend.cluster import CommandOutput
from scanner.probes.chef_backend.node_readers import BACKEND_CONFIG, BACKEND_SECRETS, FRONTEND_CONFIG, FRONTEND_SECRETS

_NOT_THERE = "No such file or directory"
_LITERAL = {
    "chef-version": CommandOutput(
        "", 1, f"head: cannot open '/opt/chef-backend/version-manifest.txt' for reading: {_NOT_THERE}\n"
    ),
    "chef-leader-flags": CommandOutput(
        "form 2\nend\n", 2, f"ls: cannot access '/var/opt/chef-backend/leaderl/data': {_NOT_THERE}\n"
    ),
    "chef-cluster-status": CommandOutput("", 1, "sudo: chef-backend-ctl: command not found\n"),
    "chef-service-status": CommandOutput("", 1, "sudo: chef-backend-ctl: command not found\n"),
    "chef-secrets": CommandOutput(
        "",
        error_output="".join(
            f"{tool}: {path}: {_NOT_THERE}\n"
            for tool in ("sha256sum", "stat")
            for path in (BACKEND_SECRETS, FRONTEND_SECRETS)
        ),
    ),
    "chef-secrets-stray": CommandOutput("form 2\nas root\nend\n", 1, f"find: '/etc/chef-backend': {_NOT_THERE}\n"),
    "chef-config": CommandOutput("", error_output=f"cat: {BACKEND_CONFIG}: {_NOT_THERE}\n"),
    "chef-leaderl": CommandOutput("code 000\n"),
    "chef-search-index": CommandOutput(""),
    "chef-frontend-package": CommandOutput(
        "package none\n", error_output=f"cat: /var/opt/opscode/upgrades/migration-level: {_NOT_THERE}\n"
    ),
    "chef-frontend-services": CommandOutput("", 1, "sudo: chef-server-ctl: command not found\n"),
    "chef-frontend-api": CommandOutput("\ncode 000\n"),
    "chef-frontend-members": CommandOutput("asked\n", error_output=f"grep: {FRONTEND_CONFIG}: {_NOT_THERE}\n"),
    "chef-drbd": CommandOutput("asked\n", error_output=f"grep: {FRONTEND_CONFIG}: {_NOT_THERE}\n"),
}


def answer(host: linux.Host, probe_id: str) -> CommandOutput | None:
    """What the machine prints; None for a probe that is none of Chef's."""
    if probe_id in _LITERAL:
        return _LITERAL[probe_id]
    if probe_id not in linux.PROBES:
        return None
    bare = replace(host.linux, package="none", manifest="none", staged="missing")
    return linux.PROBES[probe_id](replace(host, linux=bare, roles=(), backend=None))
