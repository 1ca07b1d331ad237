"""`preflight demo` and `preflight lab`: the simulated nodes on loopback."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from checks.engine.wording import count
from scanner.cli import completion

DEMO_REPORTS = {
    "html": Path("preflight-report.html"),
    "junit": Path("preflight-junit.xml"),
    "json": Path("preflight-results.json"),
}


def demo() -> None:
    """Start the built-in lab, scan it for real, and write all reports into the working directory."""
    from dataclasses import replace

    from scanner.cli.answers import collect_or_load
    from scanner.cli.output.reporting import Destinations
    from scanner.clock import today
    from scanner.errors import UsageError
    from scanner.inventory.select import select
    from scanner.lab.lab import Lab
    from scanner.lab.scenario import load_scenario
    from scanner.loading.inventory import load_inventory
    from scanner.run.judge import build_scan
    from scanner.run.prepare import build_request

    destinations = Destinations(DEMO_REPORTS)
    destinations.refuse_impossible()
    with tempfile.TemporaryDirectory(prefix="preflight-demo-") as folder, Lab(load_scenario("demo")) as lab:
        inventory = load_inventory(lab.write(Path(folder)))
        selection = select(inventory, (), (), {})
        job = replace(build_request(selection), inventory_name="the built-in demo")
        done = build_scan(job, collect_or_load(job, selection, quiet=False), today())
    from scanner.cli.output.verbosity import Telling

    problems = destinations.deliver(done, Telling())
    if problems:
        raise UsageError("\n".join(problems))
    typer.echo("")
    typer.echo("This was a scan of simulated nodes on this machine, over real WinRM and SSH connections.")
    for kind, path in DEMO_REPORTS.items():
        typer.echo(f"  {kind:<5}  {path.absolute()}")
    typer.echo(f"A real scan would have ended with exit code {done.exit_code} ({done.exit_code.verdict}).")


def lab(
    scenario: Annotated[
        str,
        typer.Argument(
            metavar="SCENARIO",
            help="A scenario's name, or a TOML file.",
            autocompletion=completion.scenario_names,
        ),
    ] = "demo",
    list_all: Annotated[bool, typer.Option("--list", help="List the scenarios and leave.")] = False,
    copy: Annotated[
        Path | None,
        typer.Option("--copy", metavar="FILE", help="Write the scenario there, to change and rehearse, and leave."),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--folder", metavar="DIR", help="Write inventory and credentials here, not to a temporary one."),
    ] = None,
) -> None:
    """Keep simulated nodes running on loopback, to try a scan or rehearse a window in another terminal."""
    from scanner.cli.output.not_loaded import tell_what_did_not_load
    from scanner.errors import UsageError
    from scanner.files.atomic import refuse_existing, write_atomically
    from scanner.lab.lab import Lab
    from scanner.lab.scenario import load_scenario, scenario_names, scenario_text, scenario_title

    tell_what_did_not_load()
    if list_all:
        names = scenario_names()
        width = max(len(name) for name in names)
        for name in names:
            typer.echo(f"{name:<{width}}  {scenario_title(name)}")
        return
    if copy is not None:
        refuse_existing(copy)
        write_atomically(copy, scenario_text(scenario))
        typer.echo(f"wrote {copy}; change it, then: preflight lab {copy}")
        return
    if folder is not None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"--folder {folder}: {error.strerror}; name a folder, there or to be made") from None
    with tempfile.TemporaryDirectory(prefix="preflight-lab-") as temporary, Lab(load_scenario(scenario)) as running:
        path = running.write(folder or Path(temporary))
        nodes = count(len(running.nodes), "simulated node is", "simulated nodes are")
        typer.echo(f"{nodes} running ({scenario}). In another terminal:")
        typer.echo(f"\n    preflight scan {path}\n")
        typer.echo("Ctrl-C ends the lab.")
        sys.stdout.flush()
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            typer.echo("\nthe lab is closed")
