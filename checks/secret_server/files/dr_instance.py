"""The disaster recovery instance has the version and the `encryption.config` of the primary site.

## What it checks
Every node with the role `dr` against the web nodes, before the upgrade and after it: the version read from the
application's libraries (one that is behind is a warning before the window, for the procedure's last part brings it
along, and a failure after it), and the SHA-256 of `encryption.config`. With `dpapi = "on"` the files differ by design,
and equal ones are a warning; with `dpapi = "unknown"` different ones cannot be told from DPAPI. In the window the
primary site is ahead, so nothing is compared. A `dr` node that is only a SQL Server listener (transport tds), or a
database host, has no application to compare; one where no application is found is a warning, and one whose application
cannot be read is undetermined.

## Why it matters
The restored database carries the primary's version and is encrypted with the primary's key: an instance with other
files does not run, or reads no secret, and that is found out on the day it is needed.

## How to fix it
Upgrade the primary, back it up, restore the database at the other site, copy the application folder there without
`database.config` and `encryption.config`, recycle the pool, and confirm that the instance works. A key that differs is
brought over by hand, after a backup of both, with DPAPI off.
"""

from __future__ import annotations

from typing import Any

from checks.check import ClusterCheck, ClusterView, NodeView
from checks.common.sql_port_alone import is_sql_port_alone
from checks.engine.installed_version import installed
from checks.engine.wording import enumerate_names, group_by_reason
from checks.facts import Unknown
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
from checks.secret_server.facts.folder import EncryptionConfig
from checks.secret_server.facts.node import AppFiles, WebRoot
from checks.secret_server.iis.serving import is_bare
from checks.secret_server.urls import CLUSTERING_URL, ENCRYPTION_URL
from checks.versions import parse_version

EXPECTED = "version and encryption.config of the primary site's web nodes"


def judge(view: ClusterView) -> Outcome:
    """Compare each instance at the other site with the primary's web nodes."""
    primary = view.with_role("web")
    spare = [node for node in view.nodes if "dr" in node.roles and not node.roles & {"web", "database"}]
    spare = [node for node in spare if not is_sql_port_alone(node)]
    if not spare:
        return not_applicable("no node of the inventory is an instance for disaster recovery")
    if view.cluster.phase == "window":
        return not_applicable("in the window the primary site is ahead: compare after the upgrade")
    if not primary:
        message = "the inventory names no web node of the primary site to compare with"
        return undetermined(message, expected=EXPECTED, too_few=True)
    found = [judged for node in spare for judged in (_version(view, node, primary), _key(view, node, primary))]
    evidence: dict[str, Any] = {
        node.name: {"version": installed(node).version, "encryption.config": _told(node)} for node in (*primary, *spare)
    }
    return conclude(found, expected=EXPECTED, evidence={"nodes": evidence})


def _version(view: ClusterView, node: NodeView, primary: list[NodeView]) -> Outcome:
    own, others = installed(node), {one.name: installed(one) for one in primary}
    if not own.read or own.version is None:
        return _unread(node, f"the version of {node.name} cannot be read: {own.problem}")
    observed = f"{node.name} {own.version}"
    gaps = group_by_reason((name, one.problem) for name, one in others.items() if not one.read)
    versions = {one.version for one in others.values() if one.read}
    if versions and own.version not in versions:
        known = " and ".join(sorted(str(version) for version in versions))
        message = f"{node.name} has {own.version}, the primary site {known}"
        behind = all(parse_version(own.version) < parse_version(str(version)) for version in versions)
        if behind and view.cluster.phase == "before":
            # The procedure brings it along at its end: before the window it may well lag behind.
            return warned(f"{message}: it is brought along after the primary site's upgrade", observed=observed)
        return failed(message, observed=observed)
    if gaps or len(versions) != 1:
        why = f"unknown ({'; '.join(gaps)})" if gaps else "not the same on all web nodes"
        return undetermined(f"the version of the primary site is {why}", observed=observed)
    return passed(f"{node.name} has the primary site's {own.version}", observed=observed)


def _key(view: ClusterView, node: NodeView, primary: list[NodeView]) -> Outcome:
    dpapi = view.cluster.declared("dpapi", "unknown")
    own = node.get(EncryptionConfig)
    if isinstance(own, Unknown):
        return _unread(node, f"encryption.config of {node.name} cannot be compared: {own.reason}")
    observed = f"{node.name} {_told(node)}"
    if own.state == "missing":
        return failed(f"encryption.config is missing on {node.name}", observed=observed)
    if own.state != "hashed":
        why = "EFS set, hash not readable" if own.efs else own.detail or own.state
        return undetermined(f"encryption.config of {node.name} cannot be compared: {why}", observed=observed)
    looks = {one.name: one.get(EncryptionConfig) for one in primary}
    hashes = {name: c.sha256 for name, c in looks.items() if not isinstance(c, Unknown) and c.sha256}
    same = [name for name, digest in hashes.items() if digest == own.sha256]
    other = [name for name in hashes if name not in same]
    if dpapi == "on":
        if same:
            message = f"{node.name} has the file of {enumerate_names(same)} although DPAPI is on: it works on one only"
            return warned(message, observed=observed)
        return not_applicable("DPAPI is on: encryption.config differs on every machine by design", observed=observed)
    if other:
        text = f"encryption.config of {node.name} differs from that of {enumerate_names(other)}"
        if dpapi == "off":
            return failed(text, observed=observed)
        remedy = Remediation('Declare dpapi = "on" or "off" for the cluster in the inventory, then scan again.')
        return undetermined(
            f"cannot tell: {text}, which is consistent with DPAPI", observed=observed, remediation=remedy
        )
    if len(same) < len(primary):
        gaps = group_by_reason((name, _why_unknown(looks[name])) for name in looks if name not in same)
        return undetermined(f"encryption.config is not known ({'; '.join(gaps)})", observed=observed)
    return passed(f"{node.name} has the primary site's encryption.config", observed=observed)


def _unread(node: NodeView, message: str) -> Outcome:
    """A machine that holds no application is no instance at all, which is no reason to stop; any other is unknown."""
    return warned(message) if is_bare(node) and not node.absence else undetermined(message)


def _why_unknown(config: EncryptionConfig | Unknown) -> str:
    if isinstance(config, Unknown):
        return config.reason
    return "EFS set, hash not readable" if config.efs else config.detail or config.state


def _told(node: NodeView) -> str:
    config = node.get(EncryptionConfig)
    return "unknown" if isinstance(config, Unknown) else config.sha256[:12] or config.state


CHECK = ClusterCheck(
    id="dr-instance",
    title="Disaster recovery instance matches the primary site",
    severity=Severity.HIGH,
    doc=__doc__,
    remediation=Remediation(
        "After the upgrade of the primary: restore its database at the other site, copy the application folder there "
        "except database.config and encryption.config, recycle the pool, and confirm that it works.",
        url=CLUSTERING_URL,
    ),
    products=("secret-server",),
    roles=("web", "dr"),
    optional_facts=(AppFiles, EncryptionConfig, WebRoot),
    phases={
        "before": "the same version and encryption.config as the primary site; an older version is a warning",
        "window": "not compared: the primary site is ahead",
        "after": "the same version and encryption.config as the primary site",
    },
    references=(CLUSTERING_URL, ENCRYPTION_URL),
    judge=judge,
)
