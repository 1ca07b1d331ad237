"""Where a scan's reports go."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from checks.baseline.drift import Drift
from checks.common.dataclass import dataclass
from checks.scan import Scan
from reports.format import DRIFT, SCAN, format_named
from scanner.cli.output.ending import end, leave
from scanner.cli.output.streams import print_error, print_out
from scanner.cli.output.verbosity import Telling
from scanner.errors import PreflightError, UsageError
from scanner.files.atomic import ensure_writable, make_folder, same_file, write_atomically
from scanner.inventory.reading.looking import is_folder

STDOUT = Path("-")
_SLASHES = tuple(filter(None, ("/", os.sep, os.altsep)))


@dataclass(frozen=True, slots=True)
class Destinations:
    """Format to file; "-" is standard output."""

    paths: Mapping[str, Path]
    folders: frozenset[str] = frozenset()
    """The formats whose report is a folder of pages, of which its path is the index."""

    @classmethod
    def chosen(cls, document: str, asked: Mapping[str, str | Path | None], default: Mapping[str, str]) -> Destinations:
        """What the command line asks for; for each format it leaves open, what the inventory says.

        Of a document that can be a folder of pages, a name that ends in a slash, or is that of a folder, asks for one.
        """
        paths: dict[str, Path] = {}
        folders: set[str] = set()
        for kind, path in asked.items():
            text = str(path or default.get(kind, ""))
            if not text:
                continue
            paths[kind] = Path(text)
            wanted = format_named(kind)
            if wanted.in_folder(document) and (text.endswith(_SLASHES) or is_folder(text)):
                paths[kind] = Path(text) / wanted.index
                folders.add(kind)
        return cls(paths, frozenset(folders))

    def refuse_impossible(self, reads: Sequence[Path] = ()) -> None:
        """Raise UsageError for files that cannot be written, before a scan is made whose results would be lost.

        `reads` are files that the command reads, and that are not to be overwritten.
        """
        seen: list[tuple[Path, str]] = []
        for kind, path in self.paths.items():
            if any(same_file(path, source) for source in reads):
                raise UsageError(f"the {kind} report cannot go to {path}: that file is read; choose another name")
            # Two names may be one file, through a link.
            taken = next((other for where, other in seen if _same_place(path, where)), "")
            if taken:
                raise UsageError(f"the {kind} report cannot go to {path}: the {taken} report goes there already")
            seen.append((path, kind))
            if path == STDOUT:
                continue
            try:
                if kind in self.folders:
                    make_folder(path.parent)
                ensure_writable(path)
            except UsageError as error:
                raise UsageError(f"the {kind} report: {error}") from None

    def deliver(self, done: Scan | Drift, telling: Telling) -> list[str]:
        """Print the summary and write the files. Returns which of the files could not be written; the rest is."""
        problems: list[str] = []
        taken, silent = STDOUT in self.paths.values(), telling.is_silent(done)
        if not taken and not silent:
            lost = print_out(_told(done, telling))
            if lost:  # the verdict stands whether or not it could be shown, and the exit code tells it
                print_error(f"{lost}; the verdict is {done.verdict}")
        for kind, path in self.paths.items():
            try:
                if kind in self.folders:
                    _write_pages(kind, path.parent, done)
                elif path == STDOUT:
                    problems.append(print_out(_written(kind, done)))
                else:
                    write_atomically(path, _written(kind, done))
                if path != STDOUT and not (silent or telling.quiet or telling.nagios):
                    print(f"wrote {path}", file=sys.stderr)
            except PreflightError as error:
                problems.append(f"the {kind} report was not written: {error}")
        return [problem for problem in problems if problem]

    def closing_line(self, done: Scan | Drift, telling: Telling) -> str:
        """The last line on a terminal: the answer, and where the rest of it is. Elsewhere the first line is enough."""
        if not isinstance(done, Scan) or not sys.stdout.isatty() or STDOUT in self.paths.values():
            return ""
        if telling.nagios or telling.quiet or telling.is_silent(done):
            return ""
        from reports.findings.headline import verdict_line

        where = next((str(path) for kind, path in self.paths.items() if kind == "html"), "")
        return f"\n{verdict_line(done)}{f'; see {where}' if where else ''}\n"


def write_and_exit(
    done: Scan | Drift, destinations: Destinations, telling: Telling, *, problems: Sequence[str] = ()
) -> NoReturn:
    """Print and write what was found, then leave with the scan's exit code.

    `problems` are those that the command had before: told with the reports' own, and as grave.
    """
    from scanner.secrets.last_door import without_secrets

    done = without_secrets(done)
    problems = [*filter(None, problems), *destinations.deliver(done, telling)]
    if problems:
        print_error("\n".join(problems))
    elif told := destinations.closing_line(done, telling):
        print_out(told)
    if telling.nagios and isinstance(done, Scan):
        from reports.scan import nagios

        code = nagios.code(done)
        graver = problems and code < nagios.PluginCode.CRITICAL
        end(nagios.PluginCode.UNKNOWN if graver else code, at_once=done.partial)
    leave(done.exit_code, problems=bool(problems), interrupted=done.partial)


def _write_pages(kind: str, folder: Path, done: Scan | Drift) -> None:
    pages = format_named(kind).pages
    for number, (name, text) in enumerate(pages(done) if pages else ()):
        # What a killed write has left in the folder is looked for once, not for each of thousands of pages.
        write_atomically(folder / name, text, sweep=not number)


def _told(done: Scan | Drift, telling: Telling) -> str:
    if telling.nagios and isinstance(done, Scan):
        from reports.scan import nagios

        return nagios.render(done)
    text = summary(done, quiet=telling.quiet, verbose=telling.verbose)
    return telling.reminder + text if telling.reminds(done) else text


def summary(done: Scan | Drift, *, quiet: bool = False, verbose: bool = False) -> str:
    """The console summary, for the terminal that standard output is."""
    from reports.render import console

    return console.render(done, color=color_wanted(), width=width(), verbose=verbose, quiet=quiet)


def width() -> int:
    """Columns of the terminal, within reason."""
    return min(shutil.get_terminal_size((100, 24)).columns, 120)


def on_terminal() -> bool:
    """Whether somebody reads standard output as it comes."""
    return sys.stdout.isatty() or color_wanted()


def color_wanted() -> bool:
    """Whether standard output is a terminal, or FORCE_COLOR says so (https://force-color.org), and NO_COLOR does not
    forbid it (https://no-color.org).
    """
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR", "0") != "0":
        return True
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def _same_place(one: Path, other: Path) -> bool:
    return one == other if STDOUT in (one, other) else same_file(one, other)


def _written(kind: str, done: Scan | Drift) -> Iterable[str]:
    """The report in the format `kind`, in pieces."""
    return format_named(kind).written(DRIFT if isinstance(done, Drift) else SCAN, done)
