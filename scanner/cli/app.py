"""The `preflight` command itself, and what happens to errors."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
from collections.abc import Collection, Iterator
from functools import cache
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from checks.exit_codes import ExitCode
from scanner import __version__
from scanner.cli import INTERRUPTS
from scanner.cli.examples import epilog
from scanner.cli.output.streams import exit_now, prepare_streams, print_error, print_out, trouble_on_stdout
from scanner.cli.parsing.plain_values import read_plainly
from scanner.cli.process import farewell
from scanner.cli.process.defects import end_with_defect, tell_of_lost_defects
from scanner.errors import PreflightError
from scanner.secrets import redaction
from scanner.secrets.hardening import leave_no_core

_INSISTING = 5
"""Interrupts after which nothing is waited for and nothing written any more."""


_COMMANDS = {
    "scan": "scan",
    "collect": "collect",
    "history": "history",
    "status": "history",
    "dashboard": "dashboard",
    "plan": "plan",
    "baseline": "baseline",
    "drift": "drift",
    "checks": "catalogue",
    "explain": "catalogue",
    "probes": "catalogue",
    "validate": "inventory",
    "schema": "inventory",
    "init": "init",
    "discover": "discover",
    "demo": "lab",
    "lab": "lab",
}
"""Each command and the module among the commands that has it, under its name; in the order of `--help`."""
_GROUPS = {"inventory": "add"}
"""Commands that have commands of their own, and the module whose `app` they are."""
_ALL = frozenset({*_COMMANDS, *_GROUPS})


class _Command(TyperCommand):
    """A command whose plain values take no library to be read."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        for parameter in self.get_params(ctx):
            read_plainly(parameter)
        return super().parse_args(ctx, args)


class _Commands(TyperGroup):
    """The commands, with an end that the library gives an exit code of its own: an interrupt."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        for parameter in self.get_params(ctx):
            read_plainly(parameter)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        try:
            with _interrupted_in_order():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            print_error("interrupted")
            sys.exit(ExitCode.INTERRUPTED)
        except (EOFError, OSError, typer.Abort) as error:
            raise _DefectError(error) from error


class _DefectError(Exception):
    """Around what the library has an exit code of its own for: 1, which says NO-GO."""


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"preflight {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Read a TOML inventory, ask every node once, and say: GO, NO-GO or UNKNOWN."""


@cache
def command_line(names: Collection[str] = _ALL) -> typer.Typer:
    """The command line with the commands of these names: what a command does not need is not there for it."""
    app = typer.Typer(
        name="preflight",
        cls=_Commands,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
        context_settings={"help_option_names": ["-h", "--help"]},
        help="May we go? Checks clusters before, during and after a maintenance window, without an agent.",
        epilog=f"Exit codes: {', '.join(f'{code:d} {code.verdict}' for code in ExitCode)}.",
    )
    app.callback()(_root)
    for name, module in _COMMANDS.items():
        if name in names:
            command = getattr(import_module(f"scanner.cli.commands.{module}"), name)
            app.command(name, cls=_Command, epilog=epilog(name))(command)
    for name, module in _GROUPS.items():
        if name in names:
            app.add_typer(import_module(f"scanner.cli.commands.{module}").app, name=name)
    return app


def _wanted() -> frozenset[str]:
    """The command that comes first in the line; all of them where something else does."""
    return frozenset(sys.argv[1:2]) & _ALL or _ALL


_NEW_BEFORE_A_LOOK = 20_000


def main() -> None:
    """Run the command line. Users read one clear line where something is wrong, never a traceback."""
    redaction.forget()
    leave_no_core()
    # What is looked through for rings is nearly all there to stay: modules, facts, results. At the usual threshold that
    # takes a third of the time in which nodes are asked.
    gc.set_threshold(_NEW_BEFORE_A_LOOK)
    gc.enable()
    prepare_streams()
    tell_of_lost_defects()
    if "--nagios" in sys.argv[1:]:
        _run_as_plugin()
    else:
        _run()


def _run_as_plugin() -> None:
    """A monitoring system reads standard output alone, and knows four codes."""
    from reports.scan.nagios import PluginCode, failure

    try:
        _run((ExitCode, PluginCode))
    except SystemExit as ended:
        if ended.code not in (None, 0) and not isinstance(ended.code, PluginCode):
            print_out(failure("the scan could not be made or told; standard error says why"))
            sys.exit(PluginCode.UNKNOWN)
        raise


def _run(known: tuple[type, ...] = (ExitCode,)) -> None:
    """`known` are the kinds of exit codes that are ours."""
    try:
        try:
            command_line(_wanted())(prog_name="preflight")
        finally:
            tell_of_lost_defects()  # the library has put a hook of its own there
    except SystemExit as ended:
        # What was asked for was not delivered, or not all of it; an answer that is known already stands.
        if ended.code in (0, None) and (trouble := trouble_on_stdout()):
            print_error(f"{trouble}; make room, or send it elsewhere")
            sys.exit(ExitCode.USAGE)
        if ended.code == 1 and {"--install-completion", "--show-completion"} & set(sys.argv[1:]):
            print_error("type it in bash, zsh, fish or PowerShell: it is for the shell that asks")
            sys.exit(ExitCode.USAGE)
        if not isinstance(ended.code, known) and ended.code not in (None, 0, ExitCode.USAGE):
            end_with_defect(RuntimeError(f"some part of it ended the program with {ended.code!r}"))
        raise
    except KeyboardInterrupt:
        # It came between a command's last line and the handler that takes over: what was to be done is done, or told.
        exit_now(ExitCode.INTERRUPTED)
    except PreflightError as error:
        print_error(str(error))
        sys.exit(ExitCode.USAGE)
    except _DefectError as defect:
        _end_with(defect.args[0])
    except BaseException as defect:  # noqa: BLE001  whatever it is, the interpreter would end with 1
        _end_with(defect)


def _end_with(defect: BaseException) -> None:
    if isinstance(defect, FileNotFoundError) and _is_nowhere():
        print_error("the folder that you are in is not there any more; change into another one")
        sys.exit(ExitCode.USAGE)
    end_with_defect(defect)


def _is_nowhere() -> bool:
    """Whether what is relative is relative to nothing."""
    try:
        os.getcwd()  # noqa: PTH109  no more is loaded for it
    except OSError:
        return True
    return False


@contextlib.contextmanager
def _interrupted_in_order() -> Iterator[None]:
    """While a command runs, let the first Ctrl-C end the work in order, and the next ones not get in the way of that.

    SIGTERM and SIGHUP are taken for Ctrl-C: CI jobs and `timeout` send the one, a terminal or a connection that went
    away the other, and they, too, want reports and no open shells.
    """
    count = 0

    def interrupt(*_: object) -> None:
        nonlocal count
        count += 1
        if count == 1:
            raise KeyboardInterrupt
        if count >= _INSISTING:
            farewell.tell(ExitCode.INTERRUPTED)
            os._exit(ExitCode.INTERRUPTED)

    before: dict[signal.Signals, Any] = {}
    with contextlib.suppress(ValueError):  # not in the main thread, where signals are not ours to handle
        for number in INTERRUPTS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, interrupt)
    try:
        yield
    finally:
        for kept, handler in before.items():
            signal.signal(kept, handler)
