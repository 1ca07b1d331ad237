"""The products an inventory may name."""

from __future__ import annotations

from collections.abc import Sequence

from checks.check import Platform
from checks.product import Product
from checks.registry import PRODUCTS as BUILTIN

__all__ = ["BUILTIN", "DEFAULT_SQL_PORT", "Platform", "Product", "products"]

DEFAULT_SQL_PORT = 1433
"""Where SQL Server's default instance listens; what a `tds` node is asked on unless `sql_port` says otherwise."""


def products(extra: Sequence[Product] = ()) -> dict[str, Product]:
    """The built-in products and `extra` ones, such as those of plugins, by name. A built-in one cannot be replaced."""
    known = {product.name: product for product in BUILTIN}
    return known | {product.name: product for product in extra if product.name not in known}
