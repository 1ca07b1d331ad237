"""`preflight validate`, `schema` and `init`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reports.text import visible
from scanner.cli.options import InventoryArgument, WaiversOption
from scanner.errors import UsageError


def validate(
    inventory: InventoryArgument,
    waivers: WaiversOption = None,
    results: Annotated[
        Path | None,
        typer.Option("--results", metavar="FILE", help="A scan's --json: say which waivers are unused or void in it."),
    ] = None,
) -> None:
    """Check an inventory and say everything that is wrong with it. Nothing is contacted, no secret is read.

    Waivers and attestations that have expired or end soon are told, too; they make no inventory wrong.
    """
    from checks.upkeep import review
    from scanner.clock import today
    from scanner.inventory.load import load_inventory, with_waivers
    from scanner.prepare import cluster_infos
    from scanner.results_file import read_results

    loaded = load_inventory(inventory)
    if waivers is not None:
        loaded = with_waivers(loaded, waivers)
    cluster_infos(loaded)
    found = None if results is None else read_results(results)
    told = review(loaded.waivers, loaded.attestations, today(), found)
    usable = f"can be used, and {len(told)} thing{'s' * (len(told) != 1)} to look at" if told else "no problems found"
    typer.echo(f"{inventory}: {usable}")
    for line in told:
        typer.echo(visible(f"  {line}"))
    for cluster in loaded.clusters:
        goal = f"to {cluster.target}" if cluster.target else "no target set"
        roles: dict[str, list[str]] = {}
        for node in cluster.nodes:
            roles.setdefault(", ".join(node.roles), []).append(node.name)
        machines = "; ".join(f"{role}: {', '.join(names)}" for role, names in roles.items())
        typer.echo(visible(f"  {cluster.name} ({cluster.product}, {goal}): {machines}"))
        for check_id, reason in cluster.skip.items():
            typer.echo(visible(f"    leaves out {check_id}: {reason}"))


def schema() -> None:
    """Print the inventory's JSON Schema, for editors that complete and check TOML."""
    import json

    from scanner.inventory.schema import inventory_schema

    typer.echo(json.dumps(inventory_schema(), indent=2))


def init(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write.")] = Path("inventory.toml"),
) -> None:
    """Write a commented inventory to start from. An existing file is never touched."""
    from scanner.files import write_atomically
    from scanner.inventory.template import template

    if path.exists():
        raise UsageError(f"{path} exists and is left as it is; name another file, or move it away first")
    write_atomically(path, template())
    typer.echo(f"wrote {path}; fill in your machines, then: preflight validate {path}")
