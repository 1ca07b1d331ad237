"""The keys that there are on this machine: everybody's, the built-in products' and the plugins'."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from scanner.inventory.product_settings import chef_backend, secret_server
from scanner.inventory.products import Product, products
from scanner.inventory.settings.catalogue import Catalogue, ProductSettings, catalogue_of

BUILTIN: tuple[ProductSettings, ...] = (secret_server.SETTINGS, chef_backend.SETTINGS)


def catalogue(extra: Sequence[Product] = (), brought: Sequence[ProductSettings] = ()) -> Catalogue:
    """All keys, with those that plugins bring: their products in `extra`, the keys of these in `brought`."""
    return _catalogue(tuple(extra), tuple(brought)) if extra or brought else _builtin()


@cache
def _builtin() -> Catalogue:
    return _catalogue((), ())


def _catalogue(extra: tuple[Product, ...], brought: tuple[ProductSettings, ...]) -> Catalogue:
    return catalogue_of(products(extra), (*BUILTIN, *brought))
