"""`preflight history` and `preflight status`."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from checks.exit_codes import ExitCode
from reports.text import count, escape_invisible
from scanner.cli.output.ending import leave
from scanner.inventory.reading.looking import is_missing

if TYPE_CHECKING:
    from scanner.history.store import Run


class Recorded(enum.StrEnum):
    """The commands whose runs a history keeps."""

    SCAN = "scan"
    DRIFT = "drift"


def history(
    database: Annotated[Path, typer.Argument(metavar="FILE", help="The history.")] = Path("preflight.db"),
    inventory: Annotated[
        Path | None, typer.Option("--inventory", metavar="INVENTORY", help="Only the runs over this inventory.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="List no more runs than that.")] = 30,
    keep: Annotated[
        str | None,
        typer.Option("--keep", metavar="TIME", help="Forget the runs that are older, as in 400d, instead of listing."),
    ] = None,
    json: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the list as JSON; - prints it.")
    ] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="With --keep: print nothing.")] = False,
) -> None:
    """List the runs that `--history` recorded, the latest first; or forget the old ones with `--keep`.

    The last good run of each inventory is never forgotten.
    """
    from scanner.cli.output.reporting import STDOUT
    from scanner.errors import UsageError
    from scanner.files.atomic import same_file, write_atomically
    from scanner.history.store import prune, runs

    if keep is not None:
        from scanner.clock import utc_now
        from scanner.run.durations import parse_duration

        if json is not None or inventory is not None:
            raise UsageError("--keep forgets runs and lists none; leave --json and --inventory out")
        gone = prune(database, before=utc_now() - parse_duration(keep, "--keep"))
        if not quiet:
            typer.echo(f"{database}: forgot {count(gone, 'run') if gone else 'no runs'} older than {keep}")
        return
    if json is not None and json != STDOUT and same_file(json, database):
        raise UsageError(f"the list cannot go to {json}: that file is read; choose another name")
    found = runs(database, limit=limit, inventory=_key(inventory) if inventory else "")
    if json is not None:
        text = _document(found)
        if json == STDOUT:
            typer.echo(text, nl=False)
        else:
            write_atomically(json, text)
        if json == STDOUT:
            return
    for line in _listed(found):
        typer.echo(escape_invisible(line))


def status(
    inventory: Annotated[
        Path | None,
        typer.Argument(
            metavar="INVENTORY", help="The inventory; without it, every one in the history.", show_default=False
        ),
    ] = None,
    max_age: Annotated[
        str, typer.Option("--max-age", metavar="TIME", help="How old the last good run may be, as in 26h or 2d.")
    ] = "26h",
    database: Annotated[
        Path | None,
        typer.Option(
            "--history", metavar="FILE", help="The history; without it, the one that INVENTORY's \\[run] names."
        ),
    ] = None,
    command: Annotated[Recorded | None, typer.Option("--command", help="Only runs of this command.")] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print nothing where all is well.")] = False,
) -> None:
    """Say whether runs still happen: exit 3 where the last good one is too old, or there is none.

    A good run looked at everything: the whole inventory, not interrupted, every node reached, the verdict not UNKNOWN.
    """
    from scanner.clock import utc_now
    from scanner.errors import UsageError
    from scanner.history.store import last_good_runs
    from scanner.run.durations import parse_duration, told_duration

    most = parse_duration(max_age, "--max-age")
    named = command.value if command else ""
    now = utc_now()
    if database is None:
        if inventory is None:
            raise UsageError("name the history with --history, or an inventory that names it in [run] history")
        database = _history_of(inventory)
    if is_missing(database):
        typer.echo(f"no good run: there is no history {database}; nothing was ever recorded")
        leave(ExitCode.UNKNOWN)
    found = last_good_runs(database, now=now, inventory=_key(inventory) if inventory else "", command=named)
    late = not found
    if late:
        typer.echo(f"no good run: nothing is recorded in {database}")
    for name, run in found.items():
        if run is None:
            late = True
            typer.echo(escape_invisible(f"{name}: no good run is recorded{_latest(database, name, named)}"))
            continue
        age = now - run.finished
        text = (
            f"{name}: the last good run was {told_duration(age)} ago ({run.finished:%Y-%m-%d %H:%M} UTC, {run.verdict})"
        )
        if age > most:
            late = True
            typer.echo(escape_invisible(f"{text}: longer than {max_age}{_latest(database, name, command, after=run)}"))
        elif not quiet:
            typer.echo(escape_invisible(text))
    if late:
        leave(ExitCode.UNKNOWN)


def _latest(database: Path, inventory: str, command: str | None, *, after: Run | None = None) -> str:
    """What became of the runs since the good one: whether any was made at all is what to look for next."""
    from scanner.history.store import runs

    found = [run for run in runs(database, limit=50, inventory=inventory) if command in (None, run.command)]
    if not found or (after is not None and found[0].started <= after.started):
        return "; none was recorded since" if after is not None else ""
    last = found[0]
    marks = [
        last.verdict,
        f"{last.reached} of {count(last.nodes, 'node')} reached",
        *([last.scope] if last.scope else []),
    ]
    marks += ["interrupted"] * last.partial
    return f"; the last run, {last.command} at {last.started:%Y-%m-%d %H:%M} UTC, was no good one: {', '.join(marks)}"


def _key(inventory: Path) -> str:
    from scanner.history.series import HistorySeries

    return HistorySeries(command="", inventory=inventory).inventory_key


def _history_of(inventory: Path) -> Path:
    from scanner.errors import UsageError
    from scanner.loading.inventory import load_inventory

    named = load_inventory(inventory).run.history
    if not named:
        raise UsageError(f'{inventory} names no history; add history = "preflight.db" to its [run], or use --history')
    return Path(named)


def _listed(found: tuple[Run, ...]) -> list[str]:
    from reports.text import one_line

    if not found:
        return ["no run is recorded"]
    lines = [f"{'started (UTC)':<17} {'command':<8} {'verdict':<8}  fail error  warn  reached  inventory"]
    for run in found:
        marks = [
            *([run.scope] if run.scope else []),
            *(f"--target {target}" for target in run.targets),
            *([f"--phase {run.phase}"] if run.phase != "before" else []),
            *(["interrupted"] if run.partial else []),
        ]
        counts = "".join(f" {run.counts.get(name, 0):>5}" for name in ("fail", "error", "warn"))
        lines.append(
            f"{run.started:%Y-%m-%d %H:%M}  {run.command:<8} {run.verdict:<8}{counts} {f'{run.reached}/{run.nodes}':>8}"
            f"  {one_line(run.inventory)}" + (f" ({one_line(', '.join(marks))})" if marks else "")
        )
    return lines


def _document(found: tuple[Run, ...]) -> str:
    import json

    rows = [
        {
            "command": run.command,
            "inventory": run.inventory,
            "started": run.started.isoformat(),
            "finished": run.finished.isoformat(),
            "phase": run.phase,
            "targets": list(run.targets),
            "selection": run.scope,
            "partial": run.partial,
            "strict": run.strict,
            "tool_version": run.tool_version,
            "verdict": run.verdict,
            "exit_code": run.exit_code,
            "good": run.good,
            "nodes": run.nodes,
            "reached": run.reached,
            "results": run.counts,
        }
        for run in found
    ]
    return json.dumps({"schema": "preflight.history/1", "runs": rows}, indent=2) + "\n"
