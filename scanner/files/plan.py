"""The kept plan of an inventory, `preflight.plan/1`: its steps, and what facts show of each once it is done."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from checks.check import PHASES
from checks.common.dataclass import dataclass
from checks.runbook.following import KINDS, Followed
from checks.runbook.signs import SCAN, SCAN_MAY_WANT, SCAN_WANTS, Kind, Sign, wrong_want
from reports.codec.reading import MalformedError, read
from reports.runbook.json import SCHEMA
from reports.text import one_line
from scanner.errors import UsageError
from scanner.files.bounded import read_json

_MOST_BYTES = 64 * 1024 * 1024
_AGAIN = "write it anew with `preflight plan INVENTORY --json FILE`, before anything is changed"


@dataclass(frozen=True, slots=True)
class _Sign:
    kind: str
    nodes: tuple[str, ...]
    want: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Verification:
    shows: str
    signs: tuple[_Sign, ...]
    unseen: str | None = None


@dataclass(frozen=True, slots=True)
class _Step:
    """What is read of a step; the document has more."""

    number: str
    kind: str
    title: str
    verification: _Verification


@dataclass(frozen=True, slots=True)
class _Steps:
    steps: tuple[_Step, ...]


@dataclass(frozen=True, slots=True)
class _Cluster:
    parts: tuple[_Steps, ...]
    way_back: _Steps
    name: str


@dataclass(frozen=True, slots=True)
class _Refusal:
    """A cluster that got no plan."""

    refused: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Plan:
    clusters: tuple[_Refusal | _Cluster, ...]
    asked: str = ""


@dataclass(frozen=True, slots=True)
class KeptPlan:
    """What is followed: the steps of every cluster that has a plan, in order."""

    source: str
    """Where it comes from, for readers."""
    steps: tuple[Followed, ...]


def default_path(inventory: Path) -> Path:
    """Where the plan of an inventory is looked for: inventory.plan.json beside inventory.toml."""
    return inventory.with_name(f"{inventory.stem}.plan.json")


def read_plan(path: Path, kinds: Mapping[str, Kind] = KINDS) -> KeptPlan:
    """The plan in the file at `path`, whose signs are of `kinds`. Raises UsageError, which says what cannot be used."""
    try:
        return _plan(str(path), kinds, read_json(path, _MOST_BYTES, what="no plan", advice=_AGAIN))
    except MalformedError as error:
        raise UsageError(f"{path}: {error}; {_AGAIN}") from None


def _plan(name: str, kinds: Mapping[str, Kind], table: Any) -> KeptPlan:
    said = table.get("schema") if isinstance(table, dict) else None
    if said != SCHEMA:
        what = f"says of itself {one_line(str(said), 80)!r}" if isinstance(said, str) else "has no such `schema`"
        raise MalformedError(f"is no {SCHEMA}: it {what}")
    plan: _Plan = read(_Plan, table)
    steps = [
        _followed(cluster.name, step, kinds)
        for cluster in plan.clusters
        if isinstance(cluster, _Cluster)
        for part in (*cluster.parts, cluster.way_back)
        for step in part.steps
    ]
    when = f" of {plan.asked[:16].replace('T', ' ')} UTC" if plan.asked else ""
    return KeptPlan(f"{name}{when}", tuple(steps))


def _followed(cluster: str, step: _Step, kinds: Mapping[str, Kind]) -> Followed:
    proof, where = step.verification, f"step {cluster}.{step.number}"
    return Followed(
        cluster=cluster,
        number=step.number,
        kind=step.kind,
        title=step.title,
        shows=proof.shows,
        signs=tuple(_sign(sign, where, kinds) for sign in proof.signs),
        unseen=proof.unseen or "",
    )


def _sign(sign: _Sign, where: str, kinds: Mapping[str, Kind]) -> Sign:
    kind, want = sign.kind, sign.want
    asks = None if kind == SCAN else kinds.get(kind)
    if kind != SCAN and asks is None:
        raise MalformedError(f"{where}: this version of preflight knows no sign {one_line(kind, 80)!r}")
    if kind == SCAN and want.get("phase") not in PHASES:
        raise MalformedError(f"{where}: expected one of {', '.join(PHASES)} as `phase` of a scan")
    wrong = wrong_want(want, asks.wants) if asks else wrong_want(want, SCAN_WANTS, SCAN_MAY_WANT)
    if wrong:
        raise MalformedError(f"{where}: the sign {kind}: {wrong}")
    return Sign(kind, sign.nodes, want, asks)
