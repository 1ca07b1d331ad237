"""What the probes print where Chef is not: on a machine at a wrong address, or one that lacks chef-backend-ctl."""

from __future__ import annotations

from scanner.lab.machines.chef_backend.cluster import CommandOutput
from scanner.probes.chef_backend.node_readers import BACKEND_CONFIG, BACKEND_SECRETS, FRONTEND_CONFIG, FRONTEND_SECRETS

_NOT_THERE = "No such file or directory"
_NO_FOLDER = f"find: '/etc/chef-backend': {_NOT_THERE}\n"
_NO_FRONTEND = f"grep: {FRONTEND_CONFIG}: {_NOT_THERE}\n"
_NO_SECRETS = (
    f"{tool}: {path}: {_NOT_THERE}\n" for tool in ("sha256sum", "stat") for path in (BACKEND_SECRETS, FRONTEND_SECRETS)
)
WITHOUT_CHEF = {
    "chef-secrets": CommandOutput("", error_output="".join(_NO_SECRETS)),
    "chef-secrets-stray": CommandOutput("form 2\nas root\nend\n", 1, _NO_FOLDER),
    "chef-config": CommandOutput("", error_output=f"cat: {BACKEND_CONFIG}: {_NOT_THERE}\n"),
    "chef-leaderl": CommandOutput("code 000\n"),
    "chef-search-index": CommandOutput(""),
    "chef-frontend-package": CommandOutput(
        "package none\n", error_output=f"cat: /var/opt/opscode/upgrades/migration-level: {_NOT_THERE}\n"
    ),
    "chef-frontend-api": CommandOutput("\ncode 000\n"),
    "chef-frontend-members": CommandOutput("asked\n", error_output=_NO_FRONTEND),
    "chef-drbd": CommandOutput("asked\n", error_output=_NO_FRONTEND),
}
"""Of a machine that has nothing to do with Chef, beside what `without_command` says."""
_COMMANDS = {
    "chef-cluster-status": "chef-backend-ctl",
    "chef-service-status": "chef-backend-ctl",
    "chef-frontend-services": "chef-server-ctl",
}


def without_command(probe_id: str, *, sudo: bool) -> CommandOutput | None:
    """Of a machine that lacks Chef's commands; None for a probe that asks for none of them."""
    if probe_id == "chef-leader-flags":
        missing = f"ls: cannot access '/var/opt/chef-backend/leaderl/data': {_NOT_THERE}\n"
        return CommandOutput("form 2\nend\n", 2, missing)
    if probe_id == "chef-version":
        missing = f"head: cannot open '/opt/chef-backend/version-manifest.txt' for reading: {_NOT_THERE}\n"
        return CommandOutput("", 1, missing)
    if probe_id not in _COMMANDS:
        return None
    said = f"{'sudo' if sudo else 'sh: 1'}: {_COMMANDS[probe_id]}: command not found\n"
    return CommandOutput("", 1 if sudo else 127, said)
