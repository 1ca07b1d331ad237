"""Rows sorted cluster by cluster are in the order in which they would be sorted together."""

from __future__ import annotations

from random import Random

from checks.baseline.comparison import natural, ordered

NAMES = ("c1", "c01", "c10", "c2", "c", "c1a", "1", "01", "10", "", "C1", "c" + "9" * 20, "a.b", "a_b", "é1")


def test_clusters_one_after_the_other_come_as_all_at_once() -> None:
    rows = [(cluster, node, path) for cluster in NAMES for node in NAMES for path in ("x.1", "x.01", "x")]
    Random(7).shuffle(rows)
    assert list(ordered(rows, lambda row: row)) == sorted(rows, key=lambda row: natural(*row))
