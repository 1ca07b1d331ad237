"""`preflight validate` and `schema`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from checks.engine.wording import count
from checks.exit_codes import ExitCode
from reports.text import escape_invisible
from scanner.cli.machines import Source, inventory_of, takes_machines
from scanner.cli.options import WaiversOption

if TYPE_CHECKING:
    from scanner.inventory.select import Selection


@takes_machines
def validate(
    inventory: Source,
    waivers: WaiversOption = None,
    results: Annotated[
        Path | None,
        typer.Option("--results", metavar="FILE", help="A scan's --json: say which waivers are unused or void in it."),
    ] = None,
    connect: Annotated[
        bool, typer.Option("--connect", help="Log in on every node, too, and ask nothing else. Exit code 3: not all.")
    ] = False,
) -> None:
    """Check an inventory and say everything that is wrong with it. Nothing is contacted, no secret is read.

    Waivers and attestations that have expired or end soon are told, too, and what the inventory counts on that this
    machine does not have (key files, variables, programs); they make no inventory wrong.
    """
    from checks.engine.acceptance.upkeep import review
    from scanner.cli.output.ending import leave
    from scanner.cli.output.streams import print_error
    from scanner.clock import today
    from scanner.files.results import read_results
    from scanner.inventory.credentials import missing
    from scanner.inventory.select import select
    from scanner.loading.inventory import with_waivers
    from scanner.run.prepare import cluster_infos

    loaded = inventory_of(inventory)
    name = loaded.path
    if waivers is not None:
        loaded = with_waivers(loaded, waivers)
    cluster_infos(loaded)
    found = None if results is None else read_results(results)
    told = review(loaded.waivers, loaded.attestations, today(), found)
    usable = f"can be used, and {count(len(told), 'thing')} to look at" if told else "no problems found"
    typer.echo(f"{name}: {usable}")
    for line in told:
        typer.echo(escape_invisible(f"  {line}"))
    for cluster in loaded.clusters:
        goal = f"to {cluster.target}" if cluster.target else "no target set"
        roles: dict[str, list[str]] = {}
        for node in cluster.nodes:
            roles.setdefault(", ".join(node.roles), []).append(node.name)
        machines = "; ".join(f"{role}: {', '.join(names)}" for role, names in roles.items())
        typer.echo(escape_invisible(f"  {cluster.name} ({cluster.product}, {goal}): {machines}"))
        for check_id, reason in cluster.skip.items():
            typer.echo(escape_invisible(f"    leaves out {check_id}: {reason}"))
    lacking = missing(loaded)
    if lacking:
        typer.echo("On this machine a scan would lack:")
        for problem in lacking:
            typer.echo(escape_invisible(f"  {problem.place}: {problem.message}"))
    if not connect:
        typer.echo("Not looked at: whether the hosts are there and let us in (--connect does), and what secrets hold.")
        return
    interrupted, refused = _logged_in(select(loaded))
    if interrupted:
        print_error("interrupted: not every node was asked")
    if interrupted or refused:
        leave(ExitCode.UNKNOWN, interrupted=interrupted)


def _logged_in(selection: Selection) -> tuple[bool, int]:
    """Log in everywhere and print a line for each node. Gives whether that was interrupted, and how many refused."""
    from reports.text import one_line
    from scanner.cli.answers import collect_or_load
    from scanner.run.logins import logins, only_logins
    from scanner.run.prepare import build_request

    job = only_logins(build_request(selection))
    collected = collect_or_load(job, selection, quiet=False)
    found = list(logins(job, collected))
    for login in found:
        node = f"{login.said.cluster}.{login.said.node}"
        over = f"over {login.said.transport} in {login.said.seconds:.1f} s"
        greeted = f"its SQL Server greets {over}; its login is for a scan to try"
        well = greeted if login.said.transport == "tds" else f"logged in {over}"
        told = f"{login.trouble}{f'; {login.hint}' if login.hint else ''}" if login.trouble else well
        typer.echo(f"  {'ERROR' if login.trouble else 'OK':<5}  {one_line(f'{node}: {told}', 1000)}")
    refused = sum(bool(login.trouble) for login in found)
    typer.echo(f"{len(found) - refused} of {count(len(found), 'node')} let us in")
    return not collected.complete, refused


def schema() -> None:
    """Print the inventory's JSON Schema, for editors that complete and check TOML."""
    import json

    from scanner.inventory.writing.schema import inventory_schema
    from scanner.loading.inventory import installed_catalogue

    typer.echo(json.dumps(inventory_schema(installed_catalogue()), indent=2))
