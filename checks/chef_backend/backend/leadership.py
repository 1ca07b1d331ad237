"""Who may lead and who follows whom, where cluster-status has further columns that tell it.

Since 1.1.2 it tells which node a follower follows, since 2.0.30 who is blocked from leading (set-cluster-failover and
set-node-failover do that) and who is eligible (by its health). No document shows what these columns look like: they go
by a part of their name, and by any usual spelling of yes and no. What is not understood counts for nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from checks.chef_backend.facts.cluster import ClusterStatus, Member
from checks.chef_backend.machine_names import is_same_machine
from checks.common.dataclass import dataclass
from checks.engine.wording import enumerate_names

_YES = ("yes", "y", "true", "1", "on", "enabled")
_NO = ("no", "n", "false", "0", "off", "disabled")
_NOBODY = ("", "-", "--", "none", "nil", "null", "n/a", "unknown")
_PG_FOLLOWS = re.compile(r"follower\W+(?P<whom>[\w.:-]*\w)\W*")


def blocked(member: Member) -> bool | None:
    """Whether the member may not become the leader; None where no column says so, or not in words that are known."""
    return _says(_cell(member, "block"), "blocked")


def eligible(member: Member) -> bool | None:
    """Whether the member could become the leader; None where no column says so, or not in words that are known."""
    return _says(_cell(member, "eligib"), "eligible")


def followed(member: Member) -> str:
    """Whom the member follows, as printed: in a column of its own, or beside the word `follower` in column PG."""
    whom = beside_follower(member) or (_cell(member, "follow") or "").strip()
    return "" if whom.lower() in _NOBODY else whom


def beside_follower(member: Member) -> str:
    """What stands beside the word `follower` in column PG; empty where nothing does."""
    found = _PG_FOLLOWS.fullmatch(member.postgresql)
    return found["whom"] if found else ""


def names(member: Member, whom: str) -> bool:
    """Whether `whom` is a name of the member's."""
    return bool(whom) and (whom in (member.ip, member.guid) or is_same_machine(whom, member.name))


def _cell(member: Member, part: str) -> str | None:
    return next((value for column, value in member.columns if part in column.lower()), None)


def _says(text: str | None, word: str) -> bool | None:
    """What a cell of a column that is about `word` says: "true", "not_blocked", "ineligible", "leader eligible"."""
    said = re.sub(r"[\s_-]+", " ", (text or "").lower()).strip().removeprefix("leader ")
    if said in _YES or said == word:
        return True
    if said in _NO or said in (f"not {word}", f"un{word}", f"in{word}", f"non {word}"):
        return False
    return None


@dataclass(frozen=True, slots=True)
class Failover:
    """What the columns of all backends' tables say of the cluster's failover."""

    state: str
    """on: nobody is blocked; off: everybody is; partly; "" where they do not tell."""
    text: str
    """What they say, in words; empty where there is no such column."""


def failover(tables: Sequence[tuple[str, ClusterStatus]]) -> Failover:
    """What the tables say, each with the backend that printed it."""
    told: dict[str, dict[bool | None, list[str]]] = {}
    for node, table in tables:
        for member in table.members:
            if _cell(member, "block") is not None:
                told.setdefault(member.name, {}).setdefault(blocked(member), []).append(node)
    disputed = [name for name, values in told.items() if len(values) > 1]
    if disputed:
        return Failover("", f"the backends do not agree on whether {enumerate_names(disputed)} may lead")
    values = {name: next(iter(said)) for name, said in told.items()}
    unclear = [name for name, value in values.items() if value is None]
    if unclear:
        return Failover("", f"cluster-status does not say in words that are known whether {unclear[0]} is blocked")
    barred = [name for name, value in values.items() if value]
    if not values:
        return Failover("", "")
    if not barred:
        return Failover("on", "cluster-status shows nobody blocked from leading")
    if len(barred) == len(values):
        return Failover("off", "cluster-status shows every backend blocked from leading")
    verb = "is" if len(barred) == 1 else "are"
    return Failover("partly", f"cluster-status shows that {enumerate_names(barred)} {verb} blocked from leading")


def columns_of(tables: Iterable[tuple[str, ClusterStatus]]) -> Mapping[str, Mapping[str, Mapping[str, str]]]:
    """The further columns for evidence: backend that printed them, member, column, value."""
    return {
        node: {member.name: dict(member.columns) for member in table.members if member.columns}
        for node, table in tables
        if any(member.columns for member in table.members)
    }
