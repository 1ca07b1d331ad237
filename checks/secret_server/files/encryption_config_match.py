"""All web nodes have the same `encryption.config`.

## What it checks
The SHA-256 of `encryption.config` on every web node; the file itself never leaves a node. With `dpapi = "off"`
different hashes are a failure, and the outlier is named. With `dpapi = "on"` they differ by design, and equal ones are
a warning: a DPAPI file was copied, and it works on one machine only. With `dpapi = "unknown"` different hashes cannot
be told from DPAPI, and equal ones are a warning that asks for the declaration. A missing file is a failure, and so is
an empty one, which holds no key; one that is locked, denied or encrypted with EFS cannot be compared, which is not
drift: with DPAPI on it does not matter, and with `efs = "on"` it is as declared.

## Why it matters
The file holds the key to all secrets. A node with another key cannot read them ("Encryption configs don't match"),
and a copy in the wrong direction during the upgrade can cost the only good one.

## How to fix it
Find out which nodes read secrets. Then copy the file from one of them to the outlier, after a backup of both; turn
DPAPI off before that. Never delete or overwrite the only copy of a key. Declare `dpapi` in the inventory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from checks.check import ClusterCheck, ClusterView
from checks.engine.consistency import Comparison, Denied, Missing, compare
from checks.engine.wording import enumerate_names
from checks.outcome import Outcome, Remediation, Severity, failed, not_applicable, passed, undetermined, warned
from checks.secret_server.facts.folder import EncryptionConfig
from checks.secret_server.urls import CLUSTERING_URL, ENCRYPTION_URL

_NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
"""The SHA-256 of no bytes at all."""
EXPECTED = "the same SHA-256 on all web nodes"
_DECLARE = Remediation('Declare dpapi = "on" or "off" for the cluster in the inventory, then scan again.')
_DECLARE_EFS = Remediation(
    'Declare efs = "on" for the cluster in the inventory, where the files are encrypted with EFS on purpose: the '
    "scanner's account cannot read them then, and that they are the same is left to you."
)
_COPIED = Remediation('Restore each node\'s own file from its backup; where DPAPI is off, declare dpapi = "off".')


def judge(view: ClusterView) -> Outcome:
    """Compare the hashes as far as they are known."""
    known = [(node.name, config) for node, config in view.with_fact(EncryptionConfig)]
    found = compare(view, EncryptionConfig, _hash_of)
    evidence = {
        "dpapi": view.cluster.declared("dpapi", "unknown"),
        "nodes": {
            name: {"path": c.path, "state": c.state, "sha256": c.sha256, "efs": c.efs, "size_bytes": c.size_bytes}
            for name, c in known
        },
    }
    closed = [name for name, config in known if config.efs and config.state in ("denied", "unreadable")]
    return replace(
        _judged(view, found, closed),
        observed="; ".join(f"{name} {config.sha256[:12] or _unread(config)}" for name, config in known),
        evidence=evidence,
    )


def _judged(view: ClusterView, found: Comparison[str], closed: Sequence[str]) -> Outcome:
    """The first of these that is so; `closed` are the nodes whose file EFS keeps from being read."""
    dpapi, missing = view.cluster.declared("dpapi", "unknown"), enumerate_names(found.missing)
    tail = f"; not compared: {'; '.join(found.not_compared)}" if found.not_compared else ""
    empty = [name for name, digest in found.values if digest == _NOTHING]
    if empty:
        beside = f", and missing on {missing}" if missing else ""
        message = f"encryption.config is empty on {enumerate_names(empty)}, so it holds no key{beside}{tail}"
        return failed(message, expected=EXPECTED)
    if missing and (found.values or found.denied):
        return failed(f"encryption.config is missing on {missing}{tail}", expected=EXPECTED)
    if missing:
        message = f"encryption.config was found on no node (missing on {missing}): is `web_root` right?{tail}"
        return undetermined(message, expected=EXPECTED)
    if len(view.nodes) == 1 and not found.gaps:
        return not_applicable(f"one web node: nothing to compare{tail}")
    if dpapi == "on":
        return _under_dpapi(found, tail)
    if not found.agree and dpapi == "off":
        return failed(f"encryption configs do not match: {found.groups.sentence()}{tail}", expected=EXPECTED)
    if not found.agree:
        message = f"cannot tell: {found.groups.sentence()}, which is consistent with DPAPI{tail}"
        return undetermined(message, expected=EXPECTED, remediation=_DECLARE)
    if found.denied and not found.gaps and len(closed) == len(found.denied) and view.cluster.declared("efs") == "on":
        message = f"EFS is on, as the inventory declares: {enumerate_names(closed)} cannot be compared, by design"
        return not_applicable(message, expected=EXPECTED)
    if tail:
        message = f"cannot compare all {len(view.nodes)} web nodes{tail}"
        return undetermined(message, expected=EXPECTED, remediation=_DECLARE_EFS if closed else None)
    message = f"encryption.config is the same on all {len(view.nodes)} web nodes"
    if dpapi == "unknown":
        risk = "a protected file that was copied opens on one machine only"
        message = f"{message}, and whether DPAPI is on is not declared: {risk}"
        return warned(message, expected=EXPECTED, remediation=_DECLARE)
    return passed(message, expected=EXPECTED)


def _under_dpapi(found: Comparison[str], tail: str) -> Outcome:
    """With DPAPI on, every machine has a file of its own."""
    copies = [enumerate_names(names) for _, names in found.groups.members if len(names) > 1]
    if copies:
        message = (
            f"{', '.join(copies)} have the same file although DPAPI is on: a copy works on one machine only, or "
            f"DPAPI has been turned off meanwhile{tail}"
        )
        return warned(message, expected="a file of its own on each node", remediation=_COPIED)
    if found.gaps:
        return undetermined(f"not every node was asked{tail}")
    return not_applicable(f"DPAPI is on: the file differs on every machine by design, so the hashes tell nothing{tail}")


def _hash_of(config: EncryptionConfig) -> str | Missing | Denied:
    if config.state == "hashed":
        return config.sha256
    return Missing() if config.state == "missing" else Denied(_unread(config))


def _unread(config: EncryptionConfig) -> str:
    if config.state == "missing":
        return f"missing ({config.path})" if config.path else "missing"
    if config.efs and config.state != "locked":
        return "EFS set, hash not readable"
    return f"{config.state} ({config.detail})" if config.detail else config.state


CHECK = ClusterCheck(
    id="encryption-config-match",
    title="Encryption configuration is the same on all web nodes",
    severity=Severity.CRITICAL,
    doc=__doc__,
    remediation=Remediation(
        "Find out which nodes can read secrets; after a backup of every copy, bring that file to the outlier. "
        "Never delete or overwrite the only copy of a key.",
        url=ENCRYPTION_URL,
    ),
    products=("secret-server",),
    roles=("web",),
    facts=(EncryptionConfig,),
    references=(ENCRYPTION_URL, CLUSTERING_URL),
    judge=judge,
)
