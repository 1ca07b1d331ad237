"""Evidence: everything that nodes said, kept so that it can be judged later, elsewhere and again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime
from pathlib import Path

from checks.common.dataclass import dataclass
from scanner.inventory.model import NodeKey
from scanner.probes.probe import Probe
from scanner.transports.answers import NodeResponse


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeEvidence:
    """What one node said, and what was asked of it."""

    said: NodeResponse
    product: str
    roles: tuple[str, ...]
    options: Mapping[str, str | int | bool] = field(default_factory=dict)
    """The product keys of the inventory that probes read: `web_root`, `sql_port`. Only those that were set."""
    probes: Mapping[str, str] = field(default_factory=dict)
    """Id of each probe that was chosen for the node, with the SHA-256 of its script."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What one run collected."""

    tool_version: str
    host: str
    """Name of the machine that asked the nodes."""
    inventory: str
    """The inventory's file name as given."""
    started: datetime
    """Aware, UTC."""
    finished: datetime
    """Aware, UTC."""
    complete: bool
    """False where the run was interrupted before every chosen node had answered."""
    nodes: Sequence[NodeEvidence]
    """In inventory order."""
    unanswered: tuple[NodeKey, ...] = ()
    """Nodes that were to be asked when the run was interrupted."""
    notices: tuple[str, ...] = ()
    """What a reader must know of how the answers were come by, one line each: certificates that were not verified."""


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """Evidence with where it was read from."""

    path: Path
    checksum: str
    """Over the content, whatever the file's name and packing."""
    evidence: Evidence


def sharing(node: NodeEvidence, asked: dict[tuple[tuple[str, str], ...], Mapping[str, str]]) -> NodeEvidence:
    """The same, with what it was asked kept once for all nodes that were asked the same; `asked` has what is kept."""
    return replace(node, probes=asked.setdefault(tuple(node.probes.items()), node.probes))


def fingerprint(probe: Probe) -> str:
    """The SHA-256 of what the probe sends, in hex."""
    return hashlib.sha256(probe.script.encode("utf-8")).hexdigest()
