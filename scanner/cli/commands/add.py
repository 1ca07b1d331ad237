"""`preflight inventory add`: a node more in an inventory, whose comments and layout stay."""

from __future__ import annotations

from typing import Annotated

import typer

from scanner.cli import completion
from scanner.cli.examples import epilog
from scanner.cli.options import InventoryArgument
from scanner.errors import UsageError

app = typer.Typer(help="Change an inventory, keeping its comments and its layout.", no_args_is_help=True)


@app.command("add", epilog=epilog("inventory add"))
def add(
    inventory: InventoryArgument,
    cluster: Annotated[
        str,
        typer.Option(
            "--cluster",
            metavar="NAME",
            help="The cluster that it belongs to.",
            autocompletion=completion.cluster_names,
        ),
    ],
    node: Annotated[str, typer.Option("--node", metavar="NAME", help="What to call it.")],
    host: Annotated[str, typer.Option("--host", metavar="HOST", help="Its name or address.")],
    role: Annotated[
        list[str],
        typer.Option(
            "--role", metavar="ROLE", help="What it does there. Repeatable.", autocompletion=completion.role_names
        ),
    ],
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any other key of a node. Repeatable.")
    ] = None,
    product: Annotated[
        str,
        typer.Option(
            "--product",
            metavar="PRODUCT",
            help="Make the cluster, which is not there yet, of this.",
            autocompletion=completion.product_names,
        ),
    ] = "",
) -> None:
    """Add a node. The file is replaced only if the result has no problem; nothing else in it changes."""
    from scanner.files.atomic import write_atomically
    from scanner.inventory.writing.added import NewNode, changed_bytes, roles_of
    from scanner.loading.from_options import product_named, said_settings
    from scanner.loading.inventory import installed_catalogue, load_inventory, parse_inventory

    loaded = load_inventory(inventory)
    known = installed_catalogue()
    has = {each.name: each.product for each in loaded.clusters}
    of = product_named(product, known) if product else known.products.get(has.get(cluster, ""))
    own: dict[str, object] = {}
    if settings:
        if of is None:
            raise UsageError(f"--cluster {cluster}: {inventory} has no such cluster; --product makes a new one")
        of_cluster, own = said_settings(settings, of, known)
        if of_cluster:
            raise UsageError(f"--set {next(iter(of_cluster))}: is a key of the whole cluster, not of a node")
    new = NewNode(
        cluster=cluster,
        node=node,
        keys={"host": host, "roles": roles_of(role), **own},
        new_cluster={"product": of.name} if product and of else {},
    )
    try:
        data = inventory.read_bytes()
    except OSError as error:
        raise UsageError(f"{inventory}: cannot be read: {error.strerror or error}") from None
    write_atomically(inventory, changed_bytes(data, inventory, new, parse_inventory))
    typer.echo(f"{inventory}: added {node} to {cluster}; preflight validate {inventory} --connect logs in there, too")
