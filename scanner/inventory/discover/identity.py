"""Whether the machine that is asked is of the product at all, as a scan would see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from checks.check import ClusterInfo, NodeView
from checks.facts import Unknown
from checks.registry import PRODUCTS

F = TypeVar("F")


def facts_that_tell(product: str) -> tuple[type, ...]:
    """What has to be asked for it."""
    return tuple(kind for one in PRODUCTS if one.name == product and one.identity for kind in one.identity.facts)


def stranger(product: str, host: str, role: str, facts: Mapping[type, object]) -> str:
    """Why it is none, in words that go on from its name: "is no ..."; empty where it is one, or may be."""
    view = NodeView(cluster=ClusterInfo(product, product), name=host, host=host, roles=frozenset({role}), facts=facts)
    own = (one.identity for one in PRODUCTS if one.name == product and one.identity)
    return next((why for identity in own if (why := identity.stranger(view))), "")


def known(facts: Mapping[type, object], kind: type[F]) -> F | Unknown:
    """A fact, or why it is not known."""
    found = facts.get(kind)
    return found if isinstance(found, kind | Unknown) else Unknown("it was not asked")
