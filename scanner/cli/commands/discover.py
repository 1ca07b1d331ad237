"""`preflight discover`: an inventory of the cluster that one machine belongs to."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from checks.exit_codes import ExitCode
from scanner.cli.machines import takes_login
from scanner.cli.output.ending import leave
from scanner.cli.output.streams import print_error, print_out
from scanner.errors import UsageError

if TYPE_CHECKING:
    from scanner.inventory.discover.ways import Way
    from scanner.inventory.model import Inventory
    from scanner.loading.from_options import Machines
    from scanner.run.job import ScanRequest
    from scanner.transports.answers import Responses
else:
    Machines = object  # Typer never gets to see it


@takes_login
def discover(
    said: Machines,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write it there instead of printing it.")
    ] = None,
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="What to call the cluster.")] = "",
    show: Annotated[bool, typer.Option("--show", help="Print what would be sent, and ask nobody.")] = False,
) -> None:
    """Ask one machine for its cluster, and write an inventory of it. An existing file is never touched.

    A Chef backend tells the members, and the frontends by their connections; a Secret Server web node its database
    host by its connections, and that the other web nodes by its sessions, if the login may ask it. No secret is read.

    Exit code 3: the machine did not tell.
    """
    from dataclasses import replace

    from scanner.cli.asking import Asker, about
    from scanner.files.atomic import ensure_writable, refuse_existing, write_atomically
    from scanner.inventory.discover.model import NotToldError
    from scanner.inventory.discover.ways import WAYS
    from scanner.loading.from_options import named_inventory, product_named
    from scanner.loading.inventory import installed_catalogue

    product = product_named(said.product, installed_catalogue())
    way = WAYS.get(product.name)
    if way is None:
        raise UsageError(
            f"how the cluster of a {product.title} is found out nobody has said; "
            f"`preflight init --product {product.name}` writes an inventory to fill in"
        )
    inventory = named_inventory(replace(said, role=[way.role]))
    if show:
        _show(inventory, way)
        return
    if output is not None:
        refuse_existing(output)
        ensure_writable(output)
    job, selection = about(inventory)

    from scanner.cli.answers import with_credentials
    from scanner.cli.output.progress import showing
    from scanner.run.collect import collect

    ready = with_credentials(job, selection)
    try:
        with showing(quiet=False) as progress:
            found = way.discover(Asker(ready, lambda asked: collect(asked, progress)))
    except NotToldError as error:
        print_error(f"{error}")
        print_error("nothing was written")
        leave(ExitCode.UNKNOWN)

    from scanner.clock import today
    from scanner.inventory.discover.text import Origin, inventory_text
    from scanner.inventory.writing.drawn import Reader
    from scanner.loading.from_options import login_of
    from scanner.loading.inventory import parse_inventory

    host = inventory.clusters[0].nodes[0].host
    origin = Origin(
        command=f"preflight discover {shlex.quote(host)} --product {product.name}",
        day=today(),
        path=output or Path("inventory.toml"),
    )
    reader = Reader(keys=installed_catalogue(), read=parse_inventory)
    text = inventory_text(
        found, name=name or product.name, product=product, login=login_of(said), origin=origin, reader=reader
    )
    parse_inventory(text, origin.path)
    for missing in found.missing:
        print_error(f"not found out: {missing}")
    if output is None:
        if lost := print_out(text):
            raise UsageError(f"{lost}; make room, or send it elsewhere")
        return
    refuse_existing(output)
    write_atomically(output, text)
    typer.echo(f"wrote {output}; read it, then: preflight validate {output} --connect")


def _show(inventory: Inventory, way: Way) -> None:
    """What each machine that may be asked would be sent."""
    from scanner.cli.asking import Asker, about
    from scanner.cli.commands.catalogue import review
    from scanner.inventory.discover.identity import facts_that_tell

    asker = Asker(about(inventory)[0], collect=_nobody)
    (cluster,) = inventory.clusters
    for role, kinds in way.questions.items():
        host = "" if role == way.role else f"its-{role}"
        job = asker.asked_for((*facts_that_tell(cluster.product), *kinds), role=role, host=host)
        typer.echo("\n".join(review(job.calls())))


def _nobody(_: ScanRequest) -> Responses:
    raise AssertionError("nobody is asked here")
