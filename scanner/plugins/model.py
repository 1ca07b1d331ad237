"""What a package offers, and what there is with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from checks.check import Check
from checks.outcome import Result
from checks.product import Product
from checks.registry import PRODUCTS
from scanner.inventory.loaded import Loaded
from scanner.inventory.settings.catalogue import ProductSettings
from scanner.probes.probe import Probe


@dataclass(frozen=True, slots=True)
class Plugin:
    """What a package offers."""

    checks: tuple[Check, ...] = ()
    """Checks beside those of its products: for products of others, or for all."""
    probes: tuple[Probe, ...] = ()
    settings: tuple[ProductSettings, ...] = ()
    """The keys that the inventory takes for a product, each declared once with `scanner.inventory.settings.setting`."""
    products: tuple[Product, ...] = ()
    """Whole products, each with its checks, rules and runbook."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Everything there is: what comes with preflight first, then what plugins bring."""

    products: Mapping[str, Product]
    """By name."""
    checks: tuple[Check, ...]
    probes: tuple[Probe, ...]
    failures: tuple[Result, ...]
    settings: tuple[ProductSettings, ...] = ()
    """Keys of the inventory that plugins bring."""

    def beside(self, own: Loaded) -> Known:
        """The same with what an inventory brings along, which is no product."""
        return replace(
            self,
            checks=self.checks + own.checks,
            probes=self.probes + own.probes,
            failures=self.failures + own.failures,
        )

    @property
    def brought(self) -> tuple[Product, ...]:
        """The products that plugins bring."""
        return tuple(product for product in self.products.values() if product not in PRODUCTS)
