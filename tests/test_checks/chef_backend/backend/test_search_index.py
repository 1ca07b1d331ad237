"""How old a search index is: the oldest that a backend tells; and why that is not known, where none does."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from checks.check import ClusterView
from checks.chef_backend.backend.search_index import SearchIndex, created_by, why_unknown

Chefs = Callable[..., ClusterView]


@pytest.mark.parametrize(
    ("told", "created", "why"),
    [
        ((), "", ""),
        (("5.6.16", "5.6.16"), "5.6.16", ""),
        (("5.6.16", "5.4.1", "10.0.0"), "5.4.1", ""),
        (("5.6.16", None), "5.6.16", ""),
        ((None, None), "", "backend-1 and backend-2: denied"),
        ((None,), "", "backend-1: denied"),
    ],
)
def test_the_oldest_that_is_told_counts(chefs: Chefs, told: tuple[str | None, ...], created: str, why: str) -> None:
    view = chefs(*([SearchIndex(text) if text else (SearchIndex, "denied")] for text in told))
    assert created_by(view.nodes) == created
    assert why_unknown(view.nodes) == why
