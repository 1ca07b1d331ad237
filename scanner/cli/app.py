"""The `preflight` command itself, and what happens to errors."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from checks.scan import EXIT_INTERRUPTED, EXIT_USAGE
from scanner import __version__
from scanner.cli import catalogue, inventory_commands, lab_commands, scan_command
from scanner.errors import PreflightError

EXIT_DEFECT = 3
"""A defect of preflight itself: nothing can be told, which is what 3 means."""

app = typer.Typer(
    name="preflight",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="May we go? Checks clusters before, during and after a maintenance window, without an agent.",
    epilog="Exit codes: 0 GO, 1 NO-GO, 2 usage or inventory error, 3 UNKNOWN, 130 interrupted.",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"preflight {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Read a TOML inventory, ask every node once, and say: GO, NO-GO or UNKNOWN."""


app.command("scan")(scan_command.scan)
app.command("checks")(catalogue.checks)
app.command("explain")(catalogue.explain)
app.command("probes")(catalogue.probes)
app.command("validate")(inventory_commands.validate)
app.command("schema")(inventory_commands.schema)
app.command("init")(inventory_commands.init)
app.command("demo")(lab_commands.demo)
app.command("lab")(lab_commands.lab)


def main() -> None:
    """Run the command line. Users read one clear line where something is wrong, never a traceback."""
    _speak_any_encoding()
    try:
        app(prog_name="preflight")
    except PreflightError as error:
        _complain(str(error))
        sys.exit(EXIT_USAGE)
    except KeyboardInterrupt:
        _complain("interrupted")
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        # The reader has gone (`preflight checks | head`): nothing is wrong, and nobody is left to be told.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as defect:
        if os.environ.get("PREFLIGHT_TRACEBACK"):
            raise
        cause = " ".join(f"{type(defect).__name__}: {defect}".split())
        _complain(f"a defect of preflight: {cause}\nSet PREFLIGHT_TRACEBACK=1 to see where, and please report it.")
        sys.exit(EXIT_DEFECT)


def _complain(text: str) -> None:
    from reports.text import visible

    lines = [visible(line) for line in text.split("\n")]
    print("preflight: " + "\n  ".join(lines), file=sys.stderr)


def _speak_any_encoding() -> None:
    """A console that cannot show a character shows a substitute, rather than ending the scan."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure:
            reconfigure(errors="replace")
