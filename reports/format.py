"""The formats that documents can be had in. A new one is a module that renders, and a line here.

The command line's options, the keys of the inventory's `[reports]` and the guides' table are made from this list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field
from importlib import import_module
from typing import Any

from checks.common.dataclass import dataclass

SCAN, DRIFT, RUNBOOK = "scan", "drift", "runbook"
"""The documents: what was found, what changed, and the plans of `preflight plan`."""

Render = Callable[[Any], str]
"""From a `Scan`, a `Drift` or a `RunbookSet` to the whole text of a file."""
Pieces = Callable[[Any], Iterator[str]]
"""The same, as a text that comes piece by piece."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One format."""

    name: str
    """The option's name (`--html`), the key's under `[reports]`, and what messages call it."""
    writes: str
    """The option's help."""
    about: str
    """What it is good for, in the inventory's words."""
    example: str
    """What a file of it may be called."""
    render: Mapping[str, Render]
    """Document to what renders it."""
    pieces: Mapping[str, Pieces] = field(default_factory=dict)
    """Document to what renders it piece by piece, where it can be large: an estate's is never there as a whole."""
    pages: Callable[[Any], Iterator[tuple[str, str]]] | None = None
    """From a scan to a folder's file names and texts, in the order in which they are written; None: one file only."""
    index: str = ""
    """The file of `pages` that leads to the others."""
    suffixes: tuple[str, ...] = ()
    """How a file's name says that a plan is wanted in it."""

    def written(self, document: str, done: Any) -> Iterable[str]:
        """The text of a file, in pieces that are made when they are asked for."""
        if document in self.pieces:
            return self.pieces[document](done)
        return (self.render[document](done),)

    def in_folder(self, document: str) -> bool:
        """Whether the document can be had as a folder, too."""
        return document == SCAN and self.pages is not None


def _later(module: str, function: str = "render") -> Callable[[Any], Any]:
    """The module's function; the module is imported when something is rendered, for most commands render nothing."""

    def render(done: Any) -> Any:
        return getattr(import_module(module), function)(done)

    return render


def every_document(module: str, function: str = "render") -> Mapping[str, Callable[[Any], Any]]:
    """The module's function, for all documents: it shows what `reports.view` makes of each."""
    return dict.fromkeys((SCAN, DRIFT, RUNBOOK), _later(module, function))


FORMATS: tuple[Format, ...] = (
    Format(
        name="html",
        writes="Write the HTML page.",
        about="A page for people.",
        example="preflight-report.html",
        # A scan's page can be searched and filtered, and is also had as a folder of pages: it is made by itself.
        render={**every_document("reports.render.html"), SCAN: _later("reports.scan.html")},
        pieces={**every_document("reports.render.html", "pieces"), SCAN: _later("reports.scan.html", "pieces")},
        pages=_later("reports.scan.page.folder", "page_by_page"),
        index="index.html",
        suffixes=(".html", ".htm"),
    ),
    Format(
        name="junit",
        writes="Write JUnit XML.",
        about="JUnit XML, for CI.",
        example="preflight-junit.xml",
        render={SCAN: _later("reports.scan.junit"), DRIFT: _later("reports.drift.junit")},
        pieces={SCAN: _later("reports.scan.junit", "pieces"), DRIFT: _later("reports.drift.junit", "pieces")},
    ),
    Format(
        name="json",
        writes="Write the results as JSON.",
        about="Results for programs.",
        example="preflight-results.json",
        render={
            SCAN: _later("reports.scan.json"),
            DRIFT: _later("reports.drift.json"),
            RUNBOOK: _later("reports.runbook.json"),
        },
        pieces={SCAN: _later("reports.scan.json", "pieces"), DRIFT: _later("reports.drift.json", "pieces")},
    ),
    Format(
        name="markdown",
        writes="Write Markdown.",
        about="A summary for tickets and chats.",
        example="preflight-summary.md",
        render=every_document("reports.render.markdown"),
        suffixes=(".md", ".markdown"),
    ),
    Format(
        name="csv",
        writes="Write a row per finding.",
        about="A row per finding.",
        example="preflight-findings.csv",
        render={SCAN: _later("reports.scan.csv")},
    ),
    Format(
        name="prometheus",
        writes="Write metrics for the textfile collector.",
        about="Metrics for node exporter's textfile collector.",
        example="/var/lib/node_exporter/preflight.prom",
        render={SCAN: _later("reports.scan.prometheus")},
    ),
)
"""In the order in which help and inventory name them."""


def formats_of(document: str) -> tuple[Format, ...]:
    """Those that the document can be had in."""
    return tuple(each for each in FORMATS if document in each.render)


def format_named(name: str) -> Format:
    """The format of that name."""
    return next(each for each in FORMATS if each.name == name)
