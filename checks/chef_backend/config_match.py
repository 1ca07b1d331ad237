"""All backends are configured alike.

## What it checks
The settings in `/etc/chef-backend/chef-backend.rb` on every backend: each setting's name, and a hash of its value, made
on the node; no value leaves it. `publish_address` differs by design and is left out; comments, indentation and
order do not matter. The settings that differ are named, with the outlier. A file of more than 400 lines is not compared
whole, which is an error. Reading it needs root.

## Why it matters
Each backend may become the leader, and does during an upgrade: the cluster then runs with that node's limits and
timeouts. An upgrade also runs `reconfigure`, which puts edits into force that were never applied.

## How to fix it
Bring the file of the outlier in line with the others, its `publish_address` excepted, and apply it there with
`chef-backend-ctl reconfigure`, followers first.
"""

from __future__ import annotations

from typing import Any

from checks.check import ClusterCheck, ClusterView
from checks.chef_backend.node_facts import ConfigDigest
from checks.groups import enumerate_names, group
from checks.outcome import Outcome, Remediation, Severity, combine, failed, not_applicable, passed, undetermined

OWN = "publish_address"
OTHER = "-"
EXPECTED = f"the same settings on all backends, {OWN} excepted"
_PATH = "/etc/chef-backend/chef-backend.rb"


def judge(view: ClusterView) -> Outcome:
    """Compare the settings, and name those that differ."""
    known = view.known(ConfigDigest)
    outcomes = []
    missing = [node.name for node, found in known if found.state == "missing"]
    read = {node.name: _settings(found) for node, found in known if found.state == "read"}
    if missing and read:
        outcomes.append(failed(f"{_PATH} is missing on {enumerate_names(missing)}"))
    elif missing:
        outcomes.append(undetermined(f"{_PATH} was found on no node (missing on {enumerate_names(missing)})"))
    if cut := [node.name for node, found in known if found.cut]:
        outcomes.append(undetermined(f"{_PATH} has more lines than are compared on {enumerate_names(cut)}"))
    keys = list(dict.fromkeys(key for settings in read.values() for key in settings))
    differing = {}
    for key in keys:
        groups = group((name, settings.get(key, ())) for name, settings in read.items())
        if not groups.agree:
            differing[key] = groups.sentence()
    evidence: dict[str, Any] = {"differing": differing, "settings": {name: len(own) for name, own in read.items()}}
    sentences: dict[str, list[str]] = {}
    for key, sentence in differing.items():
        sentences.setdefault(sentence, []).append("lines that set nothing by name" if key == OTHER else key)
    for sentence, names in sentences.items():
        outcomes.append(failed(f"{_PATH}: {sentence} in {enumerate_names(names)}"))
    observed = "; ".join(f"{name} {len(own)} settings" for name, own in read.items())
    if not outcomes and len(view.nodes) == 1 and known:
        return not_applicable("one backend: nothing to compare", observed=observed, **evidence)
    whole = combine(outcomes) if outcomes else passed(f"{len(keys)} settings are the same on all backends")
    return Outcome(whole.status, whole.message, EXPECTED, observed, evidence, whole.remediation)


def _settings(found: ConfigDigest) -> dict[str, tuple[str, ...]]:
    """Name to the hashes of its values: a setting may be set twice, and what has no name stands on many lines."""
    settings: dict[str, tuple[str, ...]] = {}
    for key, digest in found.settings:
        if key != OWN:
            settings[key] = tuple(sorted((*settings.get(key, ()), digest)))
    return settings


CHECK = ClusterCheck(
    id="chef-config-match",
    title="Backends are configured alike",
    severity=Severity.MEDIUM,
    doc=__doc__,
    remediation=Remediation(
        f"Bring the settings that are named in line with the other backends, {OWN} excepted, and apply them.",
        "sudo chef-backend-ctl reconfigure",
    ),
    products=("chef-backend",),
    roles=("backend",),
    facts=(ConfigDigest,),
    references=("https://docs.chef.io/install_server_ha/",),
    judge=judge,
)
