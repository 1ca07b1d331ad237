"""What a package offers."""

from __future__ import annotations

from checks.check import Check
from checks.common.dataclass import dataclass
from checks.product import Product
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
