"""The products an inventory may name: their roles, how their nodes are reached, and how their versions are written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from packaging.version import Version

from checks.versions import parse_secret_server, parse_version

Platform = Literal["linux", "windows"]

DEFAULT_SQL_PORT = 1433
"""Where SQL Server's default instance listens; what a `tds` node is asked on unless `sql_port` says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """One product. A plugin offers its own in the same form."""

    name: str
    """As the inventory writes it: "secret-server"."""
    title: str
    """As people write it: "Secret Server"."""
    roles: Mapping[str, str]
    """Each role with what a node that has it does, one line. At least one."""
    transports: tuple[str, ...]
    """How its nodes may be reached, the default first: winrm, ssh, local, tds."""
    platform: Platform = "linux"
    """What its machines are: over ssh and local, Linux is asked in sh and Windows in PowerShell."""
    tds_roles: tuple[str, ...] = ()
    """The roles that a `tds` node may have: those that a SQL Server listener alone can answer for."""
    parse: Callable[[str], Version] = parse_version
    """Reads a version of the product. Raises checks.versions.VersionError, which says what was expected."""
    version_pattern: str = r"\s*[vV]?[0-9].*"
    """A regular expression, common to Python and ECMA-262, that every version that `parse` takes matches in full."""
    version_example: str = "2.3.16"


SECRET_SERVER = Product(
    name="secret-server",
    title="Secret Server",
    roles=MappingProxyType(
        {
            "web": "serves the application with IIS",
            "database": "runs SQL Server with the application's database",
            "dr": "stands by at another site",
        },
    ),
    transports=("winrm", "ssh", "local", "tds"),
    platform="windows",
    tds_roles=("database", "dr"),
    parse=parse_secret_server,
    version_pattern=r"\s*[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{6}\s*",
    version_example="11.7.000049",
)

CHEF_BACKEND = Product(
    name="chef-backend",
    title="Chef Backend",
    roles=MappingProxyType(
        {
            "backend": "one of the three machines with PostgreSQL and Elasticsearch",
            "frontend": "serves Chef Server in front of the backends",
        },
    ),
    transports=("ssh", "local"),
)

BUILTIN: tuple[Product, ...] = (SECRET_SERVER, CHEF_BACKEND)


def products(extra: Sequence[Product] = ()) -> dict[str, Product]:
    """The built-in products and `extra` ones, by name. A built-in one cannot be replaced."""
    known = {product.name: product for product in BUILTIN}
    return known | {product.name: product for product in extra if product.name not in known}
