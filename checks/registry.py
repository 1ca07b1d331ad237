"""The built-in products, and every check that comes with preflight, in the order in which reports show them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import wraps
from typing import Any

from checks.check import Check, ProductView
from checks.chef_backend.product import CHEF_BACKEND
from checks.engine import connectivity
from checks.outcome import Outcome
from checks.product import Product
from checks.secret_server.product import SECRET_SERVER

PRODUCTS: tuple[Product, ...] = (SECRET_SERVER, CHEF_BACKEND)
"""The products that come with preflight, in the order in which their checks are shown."""


def checks_of(products: Iterable[Product]) -> tuple[Check, ...]:
    """The checks of `products`, each once: one that several share is one check with a part for each of them."""
    parts: dict[str, list[Check]] = {}
    for product in products:
        for check in product.checks:
            parts.setdefault(check.id, []).append(check)
    return tuple(shared(own) for own in parts.values())


def shared(parts: list[Check]) -> Check:
    """One check of several products from what it is for each of them. Raises TypeError where two are not the same."""
    first = parts[0]
    if len(parts) == 1:
        return first
    by_product: dict[str, Check] = {}
    for part in parts:
        if not part.products:
            raise TypeError(f"{part.id}: this id is taken")
        for name, own in (part.parts or dict.fromkeys(part.products, part)).items():
            if name in by_product or (part.doc, type(part)) != (first.doc, type(first)):
                raise TypeError(f"{part.id}: this id is taken")
            by_product[name] = own

    @wraps(first.judge)
    def judge(view: Any) -> Outcome:
        outcome: Outcome = by_product.get(view.cluster.product, first).judge(view)
        return outcome

    return replace(
        first,
        judge=judge,
        products=tuple(by_product),
        roles=tuple(dict.fromkeys(role for part in parts for role in part.roles)),
        facts=tuple(dict.fromkeys(kind for part in parts for kind in part.facts)),
        optional_facts=tuple(dict.fromkeys(kind for part in parts for kind in part.optional_facts)),
        references=tuple(dict.fromkeys(text for part in parts for text in part.references)),
        parts=by_product,
    )


def named(name: str, checks: Iterable[Check] = ()) -> Check:
    """The check with that id, of `checks` or of the built-in ones. Raises StopIteration for none."""
    return next(check for check in checks or BUILTIN if check.id == name)


BUILTIN: tuple[Check, ...] = (connectivity.CHECK, *checks_of(PRODUCTS))

DOCUMENTS: Mapping[str, tuple[str, str]] = {word: found for one in PRODUCTS for word, found in one.documents.items()}
"""The documents that steps of runbooks follow: the first word of a documented step's id, to title and address."""


def plan_facts(products: Iterable[ProductView]) -> dict[str, tuple[type, ...]]:
    """Role to the facts that plans of `products` rest on."""
    found: dict[str, tuple[type, ...]] = {}
    for product in products:
        writer = product.runbook if isinstance(product, Product) else None
        for role, kinds in writer.facts.items() if writer else ():
            found[role] = tuple(dict.fromkeys((*found.get(role, ()), *kinds)))
    return found
