"""`preflight validate` and `schema`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from checks.engine.wording import count
from checks.exit_codes import ExitCode
from reports.text import escape_invisible
from scanner.cli.machines import Source, inventory_of, takes_machines
from scanner.cli.options import EngineOption, SchedulerOption, WaiversOption
from scanner.errors import UsageError

if TYPE_CHECKING:
    from scanner.inventory.model import Inventory
    from scanner.inventory.select import Selection
    from scanner.run.engines.engine import EngineChoice


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
    engine: EngineOption = None,
    scheduler: SchedulerOption = None,
) -> None:
    """Check an inventory and say everything that is wrong with it. Nothing is contacted, no secret is read.

    Waivers and attestations that have expired or end soon are told, too, and what the inventory counts on that this
    machine does not have (key files, variables, programs); they make no inventory wrong.
    """
    from checks.engine.acceptance.upkeep import review
    from scanner.cli.output.ending import leave
    from scanner.cli.output.not_loaded import tell_what_did_not_load
    from scanner.cli.output.streams import print_error
    from scanner.clock import today
    from scanner.files.results import read_results
    from scanner.inventory.select import select
    from scanner.loading.inventory import with_waivers
    from scanner.run.engines.choice import choose_engine
    from scanner.run.prepare import cluster_infos

    if not connect and (engine or scheduler):
        raise UsageError(f"{'--engine' if engine else '--scheduler'} says who logs in: add --connect, or leave it out")
    loaded = inventory_of(inventory)
    tell_what_did_not_load(loaded)
    name = loaded.path
    if waivers is not None:
        loaded = with_waivers(loaded, waivers)
    cluster_infos(loaded)
    choice = choose_engine(loaded.run, loaded.path, engine=engine, scheduler=scheduler)
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
    lacking = _lacking(loaded, choice)
    if lacking:
        typer.echo("On this machine a scan would lack:")
        for line in lacking:
            typer.echo(escape_invisible(f"  {line}"))
    if not connect:
        typer.echo("Not looked at: whether the hosts are there and let us in (--connect does), and what secrets hold.")
        return
    interrupted, refused = _logged_in(select(loaded), engine, scheduler)
    if interrupted:
        print_error("interrupted: not every node was asked")
    if interrupted or refused:
        leave(ExitCode.UNKNOWN, interrupted=interrupted)


def _lacking(inventory: Inventory, choice: EngineChoice) -> list[str]:
    """What is not on this machine of that which is looked for here, and not by whoever asks elsewhere."""
    from scanner.inventory.credentials import missing
    from scanner.run.engines.choice import refuse_unusable

    here = choice.secrets_here(node for cluster in inventory.clusters for node in cluster.nodes)
    lacking = [
        f"{problem.place}: {problem.message}" for problem in missing(inventory, here, files=not choice.elsewhere)
    ]
    try:
        refuse_unusable(choice)
    except UsageError as error:
        lacking.insert(0, str(error))
    return lacking


def _logged_in(selection: Selection, engine: str | None, scheduler: str | None) -> tuple[bool, int]:
    """Log in everywhere and print a line for each node. Gives whether that was interrupted, and how many refused."""
    from reports.text import one_line
    from scanner.cli.answers import collect_or_load
    from scanner.run.logins import logins, only_logins
    from scanner.run.prepare import build_request

    job = only_logins(build_request(selection, engine=engine, scheduler=scheduler))
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

    from scanner.cli.output.not_loaded import tell_what_did_not_load
    from scanner.inventory.writing.schema import inventory_schema
    from scanner.loading.inventory import installed_catalogue

    tell_what_did_not_load()
    typer.echo(json.dumps(inventory_schema(installed_catalogue()), indent=2))
