"""What a shell offers behind Tab: ids of checks, facts, names in the inventory of the line so far, scenarios, products.

Nothing is contacted, no plugin is loaded, nothing is imported that takes long, and nothing is said of what goes wrong:
a line that is being typed is not a command yet.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import typer

from scanner.inventory.reading.looking import is_file

_MOST_BYTES = 4 * 1024 * 1024
"""A larger inventory is not read at each press of a key."""
Offer = Iterable[str | tuple[str, str]]
"""Words, or words with what each is for."""


def check_ids(ctx: typer.Context, incomplete: str) -> list[Any]:
    """Ids of checks with their titles."""

    def find() -> Offer:
        from checks.registry import BUILTIN

        return [(check.id, check.title) for check in BUILTIN]

    return _offered(find, incomplete, ctx)


def fact_names(ctx: typer.Context, incomplete: str) -> list[Any]:
    """Facts, with what each is."""

    def find() -> Offer:
        from checks.baseline.fact_paths import kind_name
        from scanner.probes.registry import BUILTIN

        facts = {fact for probe in BUILTIN for fact in probe.facts}
        return sorted((kind_name(fact), (fact.__doc__ or "").strip().partition("\n")[0]) for fact in facts)

    return _offered(find, incomplete, ctx)


def cluster_names(ctx: typer.Context, incomplete: str) -> list[Any]:
    """Clusters of the inventory that stands in the line."""
    return _offered(lambda: [(name, str(table.get("product", ""))) for name, table in _clusters(ctx)], incomplete, ctx)


def node_names(ctx: typer.Context, incomplete: str) -> list[Any]:
    """Nodes of that inventory, those of the chosen clusters where some are; with their cluster where it takes that."""

    def find() -> Offer:
        chosen = ctx.params.get("cluster") or ()
        found = [
            (cluster, str(node), str(keys.get("host", "")) if isinstance(keys, dict) else "")
            for cluster, table in _clusters(ctx)
            if not chosen or cluster in chosen
            for node, keys in dict(table.get("nodes", {})).items()
        ]
        names = [node for _, node, _ in found]
        return [(node if names.count(node) == 1 else f"{cluster}.{node}", host) for cluster, node, host in found]

    return _offered(find, incomplete, ctx)


def target_words(ctx: typer.Context, incomplete: str) -> list[Any]:
    """Clusters, each with the = that a version follows."""
    return _offered(lambda: [f"{name}=" for name, _ in _clusters(ctx)], incomplete, ctx)


def scenario_names(ctx: typer.Context, incomplete: str) -> list[Any]:
    """Scenarios of the lab."""

    def find() -> Offer:
        from scanner.lab.scenario import scenario_names as names

        return names()

    return _offered(find, incomplete, ctx)


def product_names(ctx: typer.Context, incomplete: str) -> list[Any]:
    """Products."""

    def find() -> Offer:
        from scanner.inventory.products import BUILTIN

        return [(product.name, product.title) for product in BUILTIN]

    return _offered(find, incomplete, ctx)


def engine_names(ctx: typer.Context, incomplete: str) -> list[Any]:
    """Engines."""

    def find() -> Offer:
        return [("threads", "threads of this process"), ("dask", "other processes, or the workers of a scheduler")]

    return _offered(find, incomplete, ctx)


def role_names(ctx: typer.Context, incomplete: str) -> list[Any]:
    """Roles of the product that stands in the line, or of the product of the cluster there; else of all."""

    def find() -> Offer:
        from scanner.inventory.products import BUILTIN

        said = ctx.params.get("product")
        chosen = ctx.params.get("cluster")
        if not said and isinstance(chosen, str):
            said = next((table.get("product") for name, table in _clusters(ctx) if name == chosen), None)
        some = [product for product in BUILTIN if product.name == said] or BUILTIN
        return [role for product in some for role in product.roles.items()]

    return _offered(find, incomplete, ctx)


def transport_names(ctx: typer.Context, incomplete: str) -> list[Any]:
    """Ways to reach a machine."""
    return _offered(lambda: ("winrm", "ssh", "tds"), incomplete, ctx)


def _offered(find: Callable[[], Offer], incomplete: str, ctx: typer.Context) -> list[Any]:
    del ctx  # the library hands it to whoever asks by type
    try:
        found = list(find())
    except Exception:  # noqa: BLE001  an inventory that is being written, a package that is being installed
        return []
    return [each for each in found if (each if isinstance(each, str) else each[0]).startswith(incomplete)]


def _clusters(ctx: typer.Context) -> list[tuple[str, dict[str, Any]]]:
    """The clusters of the line's inventory, as far as it can be read."""
    import tomllib

    # Behind an option that still lacks its value, the library leaves what is no option where it found it.
    words = [ctx.params.get("inventory"), *ctx.args]
    named = (word for word in words if isinstance(word, Path | str) and word)
    files = (Path(os.path.expanduser(word)) for word in named)  # noqa: PTH111  Path.expanduser raises without a home
    file = next((file for file in files if is_file(file)), None)
    if file is None:
        return []
    with file.open("rb") as opened:
        text = opened.read(_MOST_BYTES + 1)
    clusters = tomllib.loads(text.decode("utf-8-sig")).get("clusters", {}) if len(text) <= _MOST_BYTES else {}
    return [(str(name), table) for name, table in clusters.items() if isinstance(table, dict)]
