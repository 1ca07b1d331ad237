"""How old the search index of a Chef Backend cluster is, which decides how it gets to the next version."""

from __future__ import annotations

from collections.abc import Iterable

from checks.check import NodeView
from checks.common.dataclass import dataclass
from checks.engine.wording import group_by_reason
from checks.facts import Unknown


@dataclass(frozen=True, slots=True)
class SearchIndex:
    """The index named chef, as Elasticsearch on a backend tells of it."""

    created: str
    """The version of Elasticsearch that created it, three numbers: "5.6.16"."""


def why_unknown(backends: Iterable[NodeView]) -> str:
    """Why no backend tells of the search index, each reason once; empty where one does."""
    looks = [(node.name, node.get(SearchIndex)) for node in backends]
    reasons = [(name, look.reason) for name, look in looks if isinstance(look, Unknown)]
    return "" if len(reasons) < len(looks) else "; ".join(group_by_reason(reasons))


def created_by(backends: Iterable[NodeView]) -> str:
    """The version of Elasticsearch that created the search index, the oldest that a backend tells; empty if unknown."""
    found = [look.created for node in backends if isinstance(look := node.get(SearchIndex), SearchIndex)]
    return min(found, key=lambda text: [int(part) for part in text.split(".")], default="")
