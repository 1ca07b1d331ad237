"""All backends are configured alike.

## What it checks
The settings in `/etc/chef-backend/chef-backend.rb` on every backend: each setting's name, and a hash of its value, made
on the node; no value leaves it. How a setting is written does not matter (quotes, blanks, `=`, `%w{}` or `[...]`,
comments, order), nor does it matter whether the vendor's default is written down or left out; of a setting that is
there twice, the last holds. The settings that differ are named, with the outlier.

Each node's own settings are left out: `fqdn`, `publish_address`, `vip`, `vip_interface`, `leaderl.http_address`, other
addresses, interfaces and host names, and the certificate. What is calculated from a machine's memory (`heap_size`,
`shared_buffers`, ...) is a warning where it differs, and so is `hide_sensitive`. So is what it takes Ruby to know:
conditions, variables, values that are calculated. A file with more than 400 settings is not compared whole, which is an
error. Reading it needs root.

## Why it matters
Each backend may become the leader, and does during an upgrade: the cluster then runs with that node's limits and
timeouts. An upgrade also runs `reconfigure`, which puts edits into force that were never applied.

## How to fix it
Bring the file of the outlier in line with the others, its own settings excepted, and apply it there with
`chef-backend-ctl reconfigure`, followers first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from checks.check import ClusterCheck, ClusterView
from checks.chef_backend.backend.config_settings import DEFAULTS, MILD, digest, is_own
from checks.chef_backend.facts.machine import ConfigDigest
from checks.chef_backend.urls import CTL_URL
from checks.common.dataclass import dataclass
from checks.engine.consistency import Missing, compare, compared, naming
from checks.engine.wording import count, enumerate_names
from checks.outcome import (
    Outcome,
    Remediation,
    Severity,
    conclude,
    failed,
    not_applicable,
    passed,
    undetermined,
    warned,
)

OTHER = "-"
EXPECTED = "the same settings on all backends, each node's own excepted"
_PATH = "/etc/chef-backend/chef-backend.rb"
_BY_EYE = Remediation(
    "Compare by eye what takes Ruby to know on the nodes that are named, or write it as plain `name = value` lines.",
    f"sudo cat {_PATH}",
    language="sh",
)
_MILD = Remediation("Write the same value on every backend, unless the machines differ on purpose.")
_AGAIN = Remediation("Ask the backends again, all of them with this version of preflight.")


@dataclass(frozen=True, slots=True)
class _Config:
    """What is known of one node's settings, its own left out."""

    named: Mapping[str, str]
    unclear: frozenset[str]
    """Names of settings whose value is not known."""
    is_whole: bool
    """Whether a setting that is not among them is not set."""


def judge(view: ClusterView) -> Outcome:
    """Compare the settings, and name those that differ."""
    known = view.with_fact(ConfigDigest)
    digests = {node.name: found for node, found in known if found.state == "read"}
    read = {name: _config(found) for name, found in digests.items()}
    files = compare(view, ConfigDigest, lambda found: Missing() if found.state == "missing" else found.state)
    cut = [name for name, found in digests.items() if found.cut]
    differing = _differing(read)
    outcomes = [
        *files.lacking(
            lambda names: failed(f"{_PATH} is missing on {names}"),
            nobody=lambda names: undetermined(f"{_PATH} was found on no node (missing on {names})"),
        ),
        *naming(cut, lambda names: undetermined(f"{_PATH} has more settings than are compared on {names}")),
        *_told(differing, as_written=any(found.as_written for found in digests.values())),
        *_unclear(digests),
    ]
    names = set().union(*(config.named for config in read.values()))
    evidence: dict[str, Any] = {
        "differing": {key: groups for groups, keys in differing.items() for key in keys},
        "settings": {name: len(config.named) for name, config in read.items()},
    }
    observed = "; ".join(f"{name} {count(len(config.named), 'setting')}" for name, config in read.items())
    if not outcomes and len(view.nodes) == 1 and known:
        return not_applicable("one backend: nothing to compare", observed=observed, **evidence)
    same = count(len(names), "setting is", "settings are")
    outcomes = outcomes or [passed(f"{same} the same on all backends")]
    return conclude(outcomes, expected=EXPECTED, observed=observed, evidence=evidence)


def _config(found: ConfigDigest) -> _Config:
    named = {key: value for key, value in found.named if not is_own(key)}
    unclear = frozenset(key for key, _ in found.unclear)
    known = {key: value for key, value in named.items() if key not in unclear}
    return _Config(known, unclear, not found.cut and all(key != OTHER for key, _ in found.unclear))


def _differing(read: Mapping[str, _Config]) -> dict[str, list[str]]:
    """Who differs from whom, in words, to the settings in which that is so. What is not known differs from nothing."""
    differing: dict[str, list[str]] = {}
    for key in dict.fromkeys(key for config in read.values() for key in config.named):
        default = digest(DEFAULTS[key]) if key in DEFAULTS else ""
        found = compared(
            (name, config.named.get(key, default))
            for name, config in read.items()
            if key in config.named or (config.is_whole and key not in config.unclear)
        )
        if not found.agree:
            differing.setdefault(found.groups.sentence(), []).append(key)
    return differing


def _told(differing: Mapping[str, list[str]], *, as_written: bool) -> list[Outcome]:
    outcomes = []
    for sentence, keys in differing.items():
        rest = [key for key in keys if key not in MILD]
        if rest and as_written:
            text = (
                f"{_PATH}: {sentence} in how {enumerate_names(rest)} is written, by the answers of an earlier preflight"
            )
            outcomes.append(undetermined(text, remediation=_AGAIN))
        elif rest:
            outcomes.append(failed(f"{_PATH}: {sentence} in {enumerate_names(rest)}"))
        for why in dict.fromkeys(MILD[key] for key in keys if key in MILD):
            mild = enumerate_names([key for key in keys if MILD.get(key) == why])
            outcomes.append(warned(f"{_PATH}: {sentence} in {mild}, {why}", remediation=_MILD))
    return outcomes


def _unclear(digests: Mapping[str, ConfigDigest]) -> list[Outcome]:
    """A warning for what it takes Ruby to know, the nodes that have the same of it together."""
    told = {}
    for name, found in digests.items():
        keys = list(dict.fromkeys(key for key, _ in found.unclear if not is_own(key)))
        named = [key for key in keys if key != OTHER] + ["lines that set nothing by name"] * (OTHER in keys)
        if named:
            told[name] = enumerate_names(named)
    return [
        warned(
            f"{_PATH} on {enumerate_names(names)}: {what} takes Ruby to know, and is not compared", remediation=_BY_EYE
        )
        for what, names in compared(told.items()).groups.members
    ]


CHECK = ClusterCheck(
    id="chef-config-match",
    title="Backends are configured alike",
    severity=Severity.MEDIUM,
    doc=__doc__,
    remediation=Remediation(
        "Bring the settings that are named in line with the other backends, and apply them, followers first.",
        "sudo chef-backend-ctl reconfigure",
        language="sh",
    ),
    products=("chef-backend",),
    roles=("backend",),
    facts=(ConfigDigest,),
    references=("https://docs.chef.io/server/config_rb_backend/", CTL_URL),
    judge=judge,
)
