"""A product: one object that says all that the engine has to know of it. Built-in ones and those of plugins alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field

from checks.check import Check, ProductView
from checks.common.dataclass import dataclass
from checks.engine.identity import Identity
from checks.runbook.writer import RunbookWriter

__all__ = ["Product", "identity_of", "version_facts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Product(ProductView):
    """One product: its roles and versions, and beside them its checks, its rules and its runbook."""

    transports: tuple[str, ...] = ("ssh", "local")
    """How its nodes may be reached, the default first: winrm, ssh, local, tds."""
    tds_roles: tuple[str, ...] = ()
    """The roles that a `tds` node may have: those that a SQL Server listener alone can answer for."""
    package: str = ""
    """The Python package in which its `rules.toml` and `drift.toml` lie; empty: it has none."""
    checks: tuple[Check, ...] = ()
    """Its checks, those that it shares with others among them, in the order in which reports show them."""
    identity: Identity | None = None
    """How a machine that is none of the product's is told; None: every machine passes for one."""
    runbook: RunbookWriter | None = None
    """How the plan of an upgrade is written; None: none is known."""
    documents: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Documents that steps of its runbook follow: the first word of a documented step's id, to title and address."""
    documented_steps: Mapping[str, str] = field(default_factory=dict)
    """Each documented step: id, "DOCUMENT STEP", to what it asks for, in our words."""


def identity_of(product: ProductView) -> Identity | None:
    """How a machine that is none of the product's is told, where that is known."""
    return product.identity if isinstance(product, Product) else None


def version_facts(product: ProductView, checks: Iterable[Check]) -> tuple[type, ...]:
    """What tells which version a carrier of the product runs, where `checks` are all of the product's.

    It stands in every report and baseline, whether one of them reads it or not; a selection of checks asks for no more
    than these read.
    """
    chosen = {check.id for check in checks}
    if not isinstance(product, Product) or any(check.id not in chosen for check in product.checks):
        return ()
    return product.installed_facts + product.index_facts
