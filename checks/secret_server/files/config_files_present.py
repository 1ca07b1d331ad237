"""Every web node has its `encryption.config` and its `database.config`, and neither is empty.

## What it checks
Both files in the web root of each web node: there, and larger than nothing. Before the window, in it and after it:
the application folder is copied without the two, so each node keeps its own. Hashes of `database.config` are only
noted as evidence: mirroring, disaster recovery and database users per node make them differ legitimately. Whether
`encryption.config` is the same everywhere is told by `encryption-config-match`.

## Why it matters
A site without `database.config` opens the web installer, for anybody who comes by. A node without
`encryption.config` cannot read one secret. Both happen when a folder is copied with a mirroring option that deletes.

## How to fix it
Restore the node's own file from its backup, and copy folders without the two files and without deleting. Check that
`web_root` is right where both are said to be missing.
"""

from __future__ import annotations

from typing import Any

from checks.check import PHASES, NodeCheck, NodeView
from checks.engine.wording import count
from checks.outcome import Outcome, Remediation, Severity, conclude, failed, passed, undetermined
from checks.secret_server.facts.folder import ConfigFile, DatabaseConfig, EncryptionConfig
from checks.secret_server.urls import CLUSTERING_URL

EXPECTED = "encryption.config and database.config in the web root, not empty"
_LOST = {
    "encryption.config": "the node cannot read secrets",
    "database.config": "the site opens the web installer",
}


def judge(view: NodeView) -> Outcome:
    """Judge each of the two files; what cannot be looked at is no pass."""
    encryption, database = view.require(EncryptionConfig), view.require(DatabaseConfig)
    if encryption.state == database.state == "missing":
        folder = encryption.path.rpartition("\\")[0]
        return undetermined(
            f"neither encryption.config nor database.config is in {folder}: is `web_root` right?",
            expected=EXPECTED,
            observed="both missing",
            **_evidence(encryption, database),
        )
    found = [_file("encryption.config", encryption), _file("database.config", database)]
    return conclude(found, expected=EXPECTED, evidence=_evidence(encryption, database))


def _file(name: str, config: ConfigFile) -> Outcome:
    if config.state == "missing":
        return failed(f"{name} is missing: {_LOST[name]}", observed=f"{name} missing")
    if config.size_bytes is None:
        return undetermined(
            f"{name} cannot be looked at: {config.detail or config.state}", observed=f"{name} {config.state}"
        )
    if config.size_bytes == 0:
        return failed(f"{name} is empty: {_LOST[name]}", observed=f"{name} empty")
    return passed(f"{name} is there", observed=f"{name} {count(config.size_bytes, 'byte')}")


def _evidence(encryption: EncryptionConfig, database: DatabaseConfig) -> dict[str, Any]:
    return {
        name: {"path": c.path, "state": c.state, "size_bytes": c.size_bytes, "sha256": c.sha256}
        for name, c in (("encryption.config", encryption), ("database.config", database))
    }


CHECK = NodeCheck(
    id="config-files-present",
    title="Both configuration files are in the web root",
    severity=Severity.CRITICAL,
    doc=__doc__,
    remediation=Remediation(
        "Restore the node's own file from its backup before the site is opened; copy folders without the two files, "
        "and without deleting what the source does not have.",
        url=CLUSTERING_URL,
    ),
    products=("secret-server",),
    roles=("web",),
    facts=(EncryptionConfig, DatabaseConfig),
    phases=dict.fromkeys(PHASES, "both files are there; an upgrade leaves them alone"),
    references=(CLUSTERING_URL,),
    judge=judge,
)
