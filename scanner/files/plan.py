"""The kept plan of an inventory, `preflight.plan/1`: its steps, and what facts show of each once it is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from checks.check import PHASES
from checks.runbook.following import KINDS, Followed
from checks.runbook.signs import SCAN, SCAN_MAY_WANT, SCAN_WANTS, Kind, Sign, wrong_want
from reports.runbook.json import SCHEMA
from reports.text import one_line
from scanner.errors import UsageError
from scanner.files.bounded import read_json

_MOST_BYTES = 64 * 1024 * 1024
_AGAIN = "write it anew with `preflight plan INVENTORY --json FILE`, before anything is changed"


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
    return _Reader(str(path), kinds).plan(read_json(path, _MOST_BYTES, what="no plan", advice=_AGAIN))


class _Reader:
    def __init__(self, name: str, kinds: Mapping[str, Kind]) -> None:
        self._name = name
        self._kinds = kinds

    def plan(self, table: Any) -> KeptPlan:
        said = table.get("schema") if isinstance(table, dict) else None
        if said != SCHEMA:
            what = f"says of itself {one_line(str(said), 80)!r}" if isinstance(said, str) else "has no such `schema`"
            self._refuse(f"is no {SCHEMA}: it {what}")
        steps = []
        for place, cluster in enumerate(self._rows(table, "clusters", "the document")):
            where = f"clusters[{place}]"
            name = self._text(cluster, "name", where)
            if cluster.get("refused") is not None:
                continue
            parts = self._rows(cluster, "parts", where)
            rows = [step for part in parts for step in self._rows(part, "steps", f"{where}.parts")]
            rows += self._rows(self._table(cluster, "way_back", where), "steps", f"{where}.way_back")
            steps += [self._step(name, row, where) for row in rows]
        asked = table.get("asked")
        when = f" of {asked[:16].replace('T', ' ')} UTC" if isinstance(asked, str) else ""
        return KeptPlan(f"{self._name}{when}", tuple(steps))

    def _step(self, cluster: str, row: dict[str, Any], where: str) -> Followed:
        number = self._text(row, "number", f"{where} step")
        where = f"step {cluster}.{number}"
        proof = self._table(row, "verification", where)
        unseen = proof.get("unseen")
        return Followed(
            cluster=cluster,
            number=number,
            kind=self._text(row, "kind", where),
            title=self._text(row, "title", where),
            shows=self._text(proof, "shows", where),
            signs=tuple(self._sign(sign, where) for sign in self._rows(proof, "signs", where)),
            unseen=unseen if isinstance(unseen, str) else "",
        )

    def _sign(self, row: dict[str, Any], where: str) -> Sign:
        kind = self._text(row, "kind", where)
        asks = None if kind == SCAN else self._kinds.get(kind)
        if kind != SCAN and asks is None:
            self._refuse(f"{where}: this version of preflight knows no sign {one_line(kind, 80)!r}")
        nodes = row.get("nodes")
        if not isinstance(nodes, list) or not all(isinstance(node, str) for node in nodes):
            self._refuse(f"{where}: expected a list of names as `nodes` of a sign")
        want = self._table(row, "want", where)
        if kind == SCAN and want.get("phase") not in PHASES:
            self._refuse(f"{where}: expected one of {', '.join(PHASES)} as `phase` of a scan")
        wrong = wrong_want(want, asks.wants) if asks else wrong_want(want, SCAN_WANTS, SCAN_MAY_WANT)
        if wrong:
            self._refuse(f"{where}: the sign {kind}: {wrong}")
        return Sign(kind, tuple(nodes), want, asks)

    def _rows(self, table: dict[str, Any], key: str, where: str) -> list[dict[str, Any]]:
        rows = table.get(key)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            self._refuse(f"{where}: expected a list of objects as `{key}`")
        return rows

    def _table(self, table: dict[str, Any], key: str, where: str) -> dict[str, Any]:
        found = table.get(key)
        if not isinstance(found, dict):
            self._refuse(f"{where}: expected an object as `{key}`")
        return found

    def _text(self, table: dict[str, Any], key: str, where: str) -> str:
        found = table.get(key)
        if not isinstance(found, str):
            self._refuse(f"{where}: expected a text as `{key}`")
        return found

    def _refuse(self, message: str) -> NoReturn:
        raise UsageError(f"{self._name}: {message}; {_AGAIN}")
