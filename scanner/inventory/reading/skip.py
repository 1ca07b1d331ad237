"""[clusters.NAME.skip], from its table to the model: the checks that are not judged there, each with the reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from checks.check import Check
from checks.common.dataclass import dataclass
from checks.engine.left_out import NEVER
from scanner.inventory.products import Product
from scanner.inventory.reading.values import KeyPath, Problems, did_you_mean, read_table, read_value, shown
from scanner.inventory.settings.acceptance import REASON


@dataclass(frozen=True, slots=True)
class Judges:
    """The checks that may be named."""

    checks: Mapping[str, Check]
    """By id."""
    complete: bool
    """False where a plugin did not load: a check that is not known may be one of its."""


def read_skip(
    value: object, product: Product | None, judges: Judges, place: KeyPath, problems: Problems
) -> dict[str, str]:
    """The checks that are left out, by id. What cannot be meant is noted, and left out of the answer."""
    table = read_table(value, place, problems) or {}
    here = {check.id: check for check in of_product(judges.checks.values(), product)}
    skip: dict[str, str] = {}
    for check_id, reason in table.items():
        trouble = _trouble(check_id, here, judges, product)
        if trouble:
            problems.add((*place, check_id), trouble)
            continue
        read = read_value(REASON, reason, (*place, check_id), problems)
        if isinstance(read, str):
            skip[check_id] = " ".join(read.split())
    return skip


def of_product(checks: Iterable[Check], product: Product | None) -> list[Check]:
    """Those that can be left out of a cluster of `product`; of any product, where it is not known."""
    return [
        check
        for check in checks
        if check.id not in NEVER and (product is None or not check.products or product.name in check.products)
    ]


def _trouble(check_id: str, here: Mapping[str, Check], judges: Judges, product: Product | None) -> str:
    if check_id in here:
        return ""
    if check_id in NEVER:
        return f"cannot be left out: {NEVER[check_id]}"
    known = judges.checks.get(check_id)
    if known is not None and product is not None:
        return f"is a check of {' and '.join(known.products)}, and this is a cluster of {product.name}; take it out"
    if not judges.complete:
        return ""
    advice = did_you_mean(check_id, here) or "; `preflight checks` lists those there are"
    return f"there is no check {shown(check_id)}{advice}"
