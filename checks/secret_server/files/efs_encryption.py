"""`encryption.config` and `database.config` are not encrypted with EFS while folders are copied between nodes.

## What it checks
The NTFS attribute for EFS (0x4000) on both files of every web node, read without opening them. Set, it is a warning
before and in the window, never more: EFS itself is supported. Where the attribute is closed, `efs` of the cluster
stands in for it. After the window it is noted and passes.

## Why it matters
EFS is bound to an account, that of the application pool, and not to the machine: a copy made under another account
cannot be opened by the site, and the scanner's account may not be able to hash the file. The vendor's documents do
not agree on what has to be done. One says that the two files are not copied in an upgrade, and that encryption is
turned off first only where they must be (the database's settings changed); the current checklist says to turn DPAPI
off on each node before the upgrade. This check decides nothing between them.

## How to fix it
Leave both files out of every copy, and keep the account of the application pool. Where they must be copied,
decrypt them first as that account, and encrypt them again on each node afterwards. Keep a plain copy of
`encryption.config` in a safe place.
"""

from __future__ import annotations

from checks.check import ClusterInfo, NodeCheck, NodeView
from checks.engine.wording import enumerate_names
from checks.outcome import Outcome, Remediation, Severity, conclude, not_applicable, passed, undetermined, warned
from checks.secret_server.facts.folder import ConfigFile, DatabaseConfig, EncryptionConfig
from checks.secret_server.urls import CLUSTERING_URL

_DECLARE = Remediation(
    'Let the scanner\'s account read the attributes of both files, or declare efs = "on" or "off" for the cluster.'
)
EXPECTED = "no EFS on either file while folders are copied"


def judge(view: NodeView) -> Outcome:
    """Judge the attribute on both files; one whose attributes are closed is unknown."""
    files: dict[str, ConfigFile] = {
        "encryption.config": view.require(EncryptionConfig),
        "database.config": view.require(DatabaseConfig),
    }
    there = {name: config for name, config in files.items() if config.state != "missing"}
    marked = [name for name, config in there.items() if config.efs]
    closed = [name for name, config in there.items() if config.size_bytes is None and not config.efs]
    if not there:
        return not_applicable("neither file is there, so there is nothing that EFS could have encrypted")
    return conclude(
        [_judged(view.cluster, there, marked, closed)],
        expected=EXPECTED,
        observed="; ".join(f"{name}: {_told(name, marked, closed)}" for name in there),
        evidence={"efs": {name: config.efs for name, config in there.items() if name not in closed}},
    )


def _judged(cluster: ClusterInfo, there: dict[str, ConfigFile], marked: list[str], closed: list[str]) -> Outcome:
    over = cluster.phase == "after"
    if marked:
        verb = "is" if len(marked) == 1 else "are"
        message = f"{enumerate_names(marked)} {verb} encrypted with EFS, bound to the application pool's account"
        if over:
            return passed(message)
        return warned(
            f"{message}: a copy under another account cannot be opened. The vendor's documents disagree: off before "
            "the upgrade, or only before these files are copied"
        )
    declared = cluster.declared("efs", "unknown")
    if closed and declared in ("on", "off"):
        message = f"EFS is {declared}, as the inventory declares; {enumerate_names(closed)} cannot be looked at"
        return (warned if declared == "on" and not over else passed)(message)
    if closed:
        why = "; ".join(f"{name}: {there[name].detail or there[name].state}" for name in closed)
        return undetermined(f"cannot tell whether EFS is set: {why}", remediation=_DECLARE)
    return passed(f"EFS is not set on {enumerate_names(list(there))}")


def _told(name: str, marked: list[str], closed: list[str]) -> str:
    if name in marked:
        return "EFS"
    return "unknown" if name in closed else "no EFS"


CHECK = NodeCheck(
    id="efs-encryption",
    title="Configuration files are not encrypted with EFS",
    severity=Severity.MEDIUM,
    doc=__doc__,
    remediation=Remediation(
        "Copy folders without encryption.config and database.config, and keep the application pool's account. Where "
        "the two must be copied, decrypt them first as that account, with a backup at hand.",
        url=CLUSTERING_URL,
    ),
    products=("secret-server",),
    roles=("web",),
    facts=(EncryptionConfig, DatabaseConfig),
    phases={
        "before": "EFS is a warning: be ready before files are copied",
        "window": "EFS is a warning: leave both files out of the copy",
        "after": "EFS may be set",
    },
    references=(CLUSTERING_URL, "Secret Server upgrade checklist: DPAPI off on each node before the upgrade"),
    judge=judge,
)
