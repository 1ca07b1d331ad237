"""All backends have the same secrets, and so have all frontends.

## What it checks
The SHA-256 of `/etc/chef-backend/chef-backend-secrets.json` on every backend, and of
`/etc/opscode/private-chef-secrets.json` on every frontend, hashed on the node; the files themselves never leave it. A
missing file or an outlier is a failure. A backend's file with another mode than 0640 is a warning. Reading them needs
root.

## Why it matters
The file holds what the members of the cluster authenticate each other with. A backend with another one cannot follow
after its next restart, which is what an upgrade does; a frontend with another one cannot serve.

## How to fix it
Find out which nodes work. Copy the file from one of them to the outlier, after a backup of both, with owner and mode
kept. Never delete or overwrite the only copy.
"""

from __future__ import annotations

from typing import Any

from checks.check import ClusterCheck, ClusterView
from checks.chef_backend.node_facts import SecretsFile, SecretsFiles
from checks.groups import enumerate_names, group
from checks.outcome import Outcome, Remediation, Severity, combine, failed, passed, undetermined, warned

MODE = "640"
EXPECTED = "one SHA-256 among the backends, one among the frontends; mode 0640 on backends"
_MODE = Remediation("Set the mode back.", "sudo chmod 0640 /etc/chef-backend/chef-backend-secrets.json")


def judge(view: ClusterView) -> Outcome:
    """Judge the files of each role."""
    known = view.known(SecretsFiles)
    roles = {
        role: [(node.name, getattr(found, role)) for node, found in known if role in node.roles]
        for role in ("backend", "frontend")
    }
    outcomes = [outcome for files in roles.values() for outcome in _compare(files)]
    outcomes += [
        warned(f"{name}: {file.path} has mode {file.mode or 'unknown'} instead of 0{MODE}", remediation=_MODE)
        for name, file in roles["backend"]
        if file.state == "hashed" and file.mode.lstrip("0") != MODE
    ]
    counts = [f"{len(files)} {role}{'s' * (len(files) != 1)}" for role, files in roles.items() if files]
    whole = combine(outcomes) if outcomes else passed(f"the same secrets on {enumerate_names(counts)}")
    evidence: dict[str, Any] = {
        role: {name: {"state": file.state, "sha256": file.sha256, "mode": file.mode} for name, file in files}
        for role, files in roles.items()
        if files
    }
    observed = "; ".join(f"{name} {file.sha256[:12] or file.state}" for files in roles.values() for name, file in files)
    return Outcome(whole.status, whole.message, EXPECTED, observed, evidence, whole.remediation)


def _compare(files: list[tuple[str, SecretsFile]]) -> list[Outcome]:
    missing = [name for name, file in files if file.state == "missing"]
    denied = [name for name, file in files if file.state == "denied"]
    groups = group((name, file.sha256) for name, file in files if file.state == "hashed")
    outcomes = []
    if missing:
        outcomes.append(failed(f"{files[0][1].path} is missing on {enumerate_names(missing)}"))
    if not groups.agree:
        outcomes.append(failed(f"{files[0][1].path} is not the same everywhere: {groups.sentence()}"))
    if denied:
        text = f"{files[0][1].path} may not be read on {enumerate_names(denied)}: it needs root"
        outcomes.append(undetermined(f"{text} (set `sudo = true`, or log in as root)"))
    return outcomes


CHECK = ClusterCheck(
    id="chef-secrets-match",
    title="Secrets are the same on all backends, and on all frontends",
    severity=Severity.CRITICAL,
    doc=__doc__,
    remediation=Remediation(
        "Find out which nodes work; after a backup of every copy, bring their file to the outlier. "
        "Never delete or overwrite the only copy."
    ),
    products=("chef-backend",),
    roles=("backend", "frontend"),
    facts=(SecretsFiles,),
    references=("https://docs.chef.io/install_server_ha/",),
    judge=judge,
)
