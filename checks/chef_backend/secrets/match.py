"""All backends have the same secrets, and so have all frontends.

## What it checks
The SHA-256 of `/etc/chef-backend/chef-backend-secrets.json` on every backend, and of
`/etc/opscode/private-chef-secrets.json` on every frontend, hashed on the node; the files themselves never leave it. A
missing file or an outlier is a failure. Reading them needs root.

The backends' file is to be root's, of the group chef_pgsql (or of the one that `leaderl.runsv_group` names), with mode
0640: one that leaderl may not read is a failure, and so is one that everybody may. Before 1.2 the vendor documented
root and 0600, so that there it is a warning. The frontends' file is to be owned and readable by root alone: one that
everybody may read is a failure, another owner a warning.

## Why it matters
The file holds what the members of the cluster authenticate each other with. A backend with another one cannot follow
after its next restart, which is what an upgrade does; a frontend with another one cannot serve. A backend whose leaderl
may not read its own cannot be promoted, and that shows at the failover, which a rolling upgrade makes.

## How to fix it
Find out which nodes work. Copy the file from one of them to the outlier, after a backup of both, with owner and mode
kept. Never delete or overwrite the only copy. Where only the rights are wrong, the command repairs them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from checks.check import ClusterCheck, ClusterView, NodeView
from checks.chef_backend.facts.cluster import ChefBackendVersion
from checks.chef_backend.facts.machine import ConfigDigest, SecretsFile, SecretsFiles
from checks.chef_backend.secrets.rights import judge_rights
from checks.chef_backend.urls import SECRETS_URL, SERVER_CTL_URL
from checks.engine.consistency import Denied, Missing, compared
from checks.engine.wording import count, enumerate_names
from checks.outcome import Outcome, Remediation, Severity, conclude, failed, passed, undetermined

ROLES = ("backend", "frontend")
EXPECTED = "one SHA-256 among the backends (root:chef_pgsql 0640), one among the frontends (root 0600)"
_COPY = Remediation(
    "Find out which nodes work; after a backup of every copy, bring their file to the outlier. "
    "Never delete or overwrite the only copy."
)


def judge(view: ClusterView) -> Outcome:
    """Judge the files of each role."""
    known = view.with_fact(SecretsFiles)
    roles = {role: [(node, getattr(found, role)) for node, found in known if role in node.roles] for role in ROLES}
    named = {role: [(node.name, file) for node, file in files] for role, files in roles.items()}
    outcomes = [outcome for files in named.values() for outcome in _compare(files)]
    outcomes += _rights(roles)
    counts = [count(len(files), role) for role, files in roles.items() if files]
    evidence: dict[str, Any] = {
        role: {
            name: {
                "state": file.state,
                "sha256": file.sha256,
                "mode": file.mode,
                "owner": file.owner,
                "group": file.group,
            }
            for name, file in files
        }
        for role, files in named.items()
        if files
    }
    observed = "; ".join(f"{name} {file.sha256[:12] or file.state}" for files in named.values() for name, file in files)
    outcomes = outcomes or [passed(f"the same secrets on {enumerate_names(counts)}")]
    return conclude(outcomes, expected=EXPECTED, observed=observed, evidence=evidence)


def _rights(roles: Mapping[str, list[tuple[NodeView, SecretsFile]]]) -> list[Outcome]:
    """What is wrong with the rights, the nodes with the same cause together."""
    found = [
        (node.name, one)
        for role, files in roles.items()
        for node, file in files
        for one in judge_rights(node, role, file)
    ]
    causes: dict[str, Outcome] = {}
    names: dict[str, list[str]] = {}
    for name, outcome in found:
        causes.setdefault(outcome.message, outcome)
        names.setdefault(outcome.message, []).append(name)
    return [replace(one, message=f"{enumerate_names(names[text])}: {text}") for text, one in causes.items()]


def _compare(files: list[tuple[str, SecretsFile]]) -> list[Outcome]:
    path = files[0][1].path if files else ""
    found = compared((name, _hash_of(file)) for name, file in files)
    cure = "it needs root (set `sudo = true`, or log in as root)"
    return [
        *found.lacking(lambda names: failed(f"{path} is missing on {names}", remediation=_COPY)),
        *found.differing(lambda who: failed(f"{path} is not the same everywhere: {who}", remediation=_COPY)),
        *found.closed(lambda names: undetermined(f"{path} may not be read on {names}: {cure}")),
    ]


def _hash_of(file: SecretsFile) -> str | Missing | Denied:
    if file.state == "hashed":
        return file.sha256
    return Missing() if file.state == "missing" else Denied(file.state)


CHECK = ClusterCheck(
    id="chef-secrets-match",
    title="Secrets are the same on all backends, and on all frontends",
    severity=Severity.CRITICAL,
    doc=__doc__,
    remediation=_COPY,
    products=("chef-backend",),
    roles=ROLES,
    facts=(SecretsFiles,),
    optional_facts=(ConfigDigest, ChefBackendVersion),
    references=(
        SECRETS_URL,
        SERVER_CTL_URL,
        "https://github.com/chef-cookbooks/chef-ingredient/pull/219",
    ),
    judge=judge,
)
