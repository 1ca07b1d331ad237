"""How old the search index of a Chef Backend cluster is, which decides how it gets to the next version."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SearchIndex:
    """The index named chef, as Elasticsearch on a backend tells of it."""

    created: str
    """The version of Elasticsearch that created it, three numbers: "5.6.16"."""
