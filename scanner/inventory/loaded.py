"""Products, checks and probes: those that come with preflight, plugins', and an inventory's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from checks.check import Check
from checks.common.dataclass import dataclass
from checks.outcome import Result
from checks.product import Product
from checks.registry import PRODUCTS
from scanner.probes.probe import Probe

if TYPE_CHECKING:
    from scanner.inventory.settings.catalogue import ProductSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What there is, or is added, and what became of that which did not load."""

    checks: tuple[Check, ...] = ()
    probes: tuple[Probe, ...] = ()
    settings: tuple[ProductSettings, ...] = ()
    """Keys of the inventory that plugins bring."""
    failures: tuple[Result, ...] = ()
    """One `error` result for each plugin, or file, that did not load, and for each that asks for what nothing knows."""
    products: tuple[Product, ...] = ()

    @property
    def by_name(self) -> dict[str, Product]:
        """The products by their names."""
        return {product.name: product for product in self.products}

    @property
    def brought(self) -> tuple[Product, ...]:
        """The products that plugins bring."""
        return tuple(product for product in self.products if product not in PRODUCTS)

    def beside(self, other: Loaded) -> Loaded:
        """Both together."""
        return Loaded(
            checks=self.checks + other.checks,
            probes=self.probes + other.probes,
            settings=self.settings + other.settings,
            failures=self.failures + other.failures,
            products=self.products + other.products,
        )
