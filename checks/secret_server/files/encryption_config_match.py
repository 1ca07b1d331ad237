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

from typing import Any

from checks.check import ClusterCheck, ClusterView
from checks.engine.consistency import enumerate_names, group, group_by_reason
from checks.outcome import Outcome, Remediation, Severity, failed, not_applicable, passed, undetermined, warned
from checks.secret_server.facts.node import EncryptionConfig
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
    known = [(node.name, config) for node, config in view.known(EncryptionConfig)]
    absent = [(node.name, reason) for node, reason in view.unknown(EncryptionConfig)]
    hashed = [(name, config.sha256) for name, config in known if config.state == "hashed"]
    missing = [name for name, config in known if config.state == "missing"]
    unread = [(name, _unread(config)) for name, config in known if config.state not in ("hashed", "missing")]
    gaps = group_by_reason([*unread, *absent])
    dpapi = str(view.cluster.options.get("dpapi", "unknown"))
    efs = str(view.cluster.options.get("efs", "unknown"))
    observed = "; ".join(f"{name} {config.sha256[:12] or _unread(config)}" for name, config in known)
    evidence: dict[str, Any] = {
        "dpapi": dpapi,
        "nodes": {
            name: {"path": c.path, "state": c.state, "sha256": c.sha256, "efs": c.efs, "size_bytes": c.size_bytes}
            for name, c in known
        },
    }
    empty = [name for name, config in known if config.state == "hashed" and config.sha256 == _NOTHING]
    if empty:
        message = f"encryption.config is empty on {enumerate_names(empty)}, so it holds no key"
        if missing:
            message += f", and missing on {enumerate_names(missing)}"
        return failed(_with(message, gaps), expected=EXPECTED, observed=observed, **evidence)
    if missing and (hashed or unread):
        message = f"encryption.config is missing on {enumerate_names(missing)}"
        return failed(_with(message, gaps), expected=EXPECTED, observed=observed, **evidence)
    if missing:
        message = (
            f"encryption.config was found on no node (missing on {enumerate_names(missing)}): is `web_root` right?"
        )
        return undetermined(_with(message, gaps), expected=EXPECTED, observed=observed, **evidence)
    if len(view.nodes) == 1 and not absent:
        return not_applicable(_with("one web node: nothing to compare", gaps), observed=observed, **evidence)
    groups = group(hashed)
    if dpapi == "on":
        copies = [enumerate_names(names) for _, names in groups.members if len(names) > 1]
        if copies:
            message = (
                f"{', '.join(copies)} have the same file although DPAPI is on: a copy works on one machine only, or "
                "DPAPI has been turned off meanwhile"
            )
            wanted = "a file of its own on each node"
            return warned(_with(message, gaps), expected=wanted, observed=observed, remediation=_COPIED, **evidence)
        if absent:
            return undetermined(_with("not every node was asked", gaps), observed=observed, **evidence)
        message = "DPAPI is on: the file differs on every machine by design, so the hashes tell nothing"
        return not_applicable(_with(message, gaps), observed=observed, **evidence)
    if not groups.agree and dpapi == "off":
        message = f"encryption configs do not match: {groups.sentence()}"
        return failed(_with(message, gaps), expected=EXPECTED, observed=observed, **evidence)
    if not groups.agree:
        message = f"cannot tell: {groups.sentence()}, which is consistent with DPAPI"
        return undetermined(
            _with(message, gaps), expected=EXPECTED, observed=observed, remediation=_DECLARE, **evidence
        )
    closed = [name for name, config in known if config.efs and config.state in ("denied", "unreadable")]
    if gaps and efs == "on" and not absent and len(closed) == len(unread):
        message = f"EFS is on, as the inventory declares: {enumerate_names(closed)} cannot be compared, by design"
        return not_applicable(message, expected=EXPECTED, observed=observed, **evidence)
    if gaps:
        message = f"cannot compare all {len(view.nodes)} web nodes"
        remedy = _DECLARE_EFS if closed else None
        return undetermined(_with(message, gaps), expected=EXPECTED, observed=observed, remediation=remedy, **evidence)
    if dpapi == "unknown":
        message = (
            f"encryption.config is the same on all {len(hashed)} web nodes, and whether DPAPI is on is not declared: a "
            "protected file that was copied opens on one machine only"
        )
        return warned(message, expected=EXPECTED, observed=observed, remediation=_DECLARE, **evidence)
    message = f"encryption.config is the same on all {len(hashed)} web nodes"
    return passed(message, expected=EXPECTED, observed=observed, **evidence)


def _unread(config: EncryptionConfig) -> str:
    if config.state == "missing":
        return f"missing ({config.path})" if config.path else "missing"
    if config.efs and config.state != "locked":
        return "EFS set, hash not readable"
    return f"{config.state} ({config.detail})" if config.detail else config.state


def _with(message: str, gaps: list[str]) -> str:
    return f"{message}; not compared: {'; '.join(gaps)}" if gaps else message


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
