"""A document as formats see it: what it says, in which order and to whom. How that looks is each format's own.

`reports/{scan,drift,runbook}/view.py` make one of what was found, and a module of `reports/render` shows any of them.
Texts are as they were said, but for the lines of a list: a format makes them visible, and cuts them to its length.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import datetime
from typing import TypeVar

from checks.common.dataclass import dataclass
from checks.common.pages import Link

E = TypeVar("E")
Listing = Callable[[int | None], str]
"""Names: so many of them, before the rest is counted; None: all."""


class Shown(enum.Flag):
    """Who gets to see a section."""

    QUIET = enum.auto()
    """A terminal, with --quiet."""
    PLAIN = enum.auto()
    VERBOSE = enum.auto()
    FILE = enum.auto()
    """A format that is text."""
    PAGE = enum.auto()
    """The page for a browser."""
    TALKING = PLAIN | VERBOSE
    TERMINAL = QUIET | PLAIN | VERBOSE


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A paragraph. Without a text it is a blank line."""

    text: str = ""
    lead: str = ""
    """What it is, before it."""
    bold: bool = False
    mark: str = ""
    """A verdict that it tells, or `late`."""
    links: tuple[Link, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One of a list: one line, visible and cut."""

    text: str
    history: tuple[str, ...] = ()
    box: bool = False
    """To be ticked."""
    label: str = ""
    status: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A name, and one line that belongs to it."""

    name: str
    text: str
    good: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterLine:
    """A cluster and its verdict."""

    name: str
    verdict: str
    about: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell of a table: one line, visible and cut."""

    text: str
    kind: str = ""
    """`code`, `number`, `verdict`, or prose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under names of columns."""

    columns: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One value of a field, and whose it is where others have another."""

    text: str
    whose: Listing | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A cause, with all that it hit and what to do."""

    check: str
    title: str
    severity: str
    status: str
    message: str
    where: Listing
    label: str = ""
    """Under which the document speaks of it; empty where it does not."""
    follow: str = ""
    """What cannot be told because of it."""
    fields: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    """`expected`, `observed`, `waived`, `fix`, `history`."""
    commands: tuple[str, ...] = ()
    links: tuple[tuple[Link, ...], ...] = ()
    explained: str = ""
    """The command that says more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why something was not judged or compared, once for all that it holds for."""

    text: str
    where: Listing
    checks: str = ""
    names: tuple[str, ...] = ()
    """What it holds for, where that is not said in `checks`."""
    history: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A value that is another than it was."""

    name: str
    word: str
    status: str
    note: str
    old: str
    new: str
    where: Listing
    history: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFacts:
    """A node with all its facts, then and now."""

    status: str
    word: str
    cluster: str
    name: str
    told: str
    rows: tuple[Change, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A check that ended otherwise than it did."""

    check: str
    old: str
    new: str
    message: str
    where: Listing
    history: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """What is typed in one place."""

    told: str
    """Where, and in what."""
    language: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEntry:
    """A step to take."""

    number: str
    title: str
    no_return: str
    notes: tuple[str, ...]
    takes: str
    links: tuple[Link, ...]
    sides: tuple[tuple[str, str], ...]
    """What contradicts itself, and who says it."""
    sides_lead: str
    commands: tuple[Commands, ...]
    shows: str
    proof: tuple[Commands, ...]
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A sign that something goes wrong, and what helps."""

    sign: str
    help: tuple[str, ...]
    links: tuple[Link, ...]
    look: tuple[Commands, ...]
    cure: tuple[Commands, ...]
    cure_lead: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of a document."""

    key: str
    title: str = ""
    rest: str = ""
    """What follows the words of the title that stand out."""
    number: str = ""
    level: int = 3
    """Of its heading, as in HTML; 0: the title is a sentence."""
    count: int | None = None
    entries: tuple[Entry, ...] = ()
    most: int | None = None
    """Entries that a file tells before it counts the rest."""
    most_at_once: int | None = None
    """The same of a terminal, unless it is asked for all."""
    brief: bool = False
    """Whether an entry is a line or two, whatever is known of it."""

    def named(self, key: str) -> list[Section]:
        """Its own sections of that key."""
        return [each for each in self.having(Section) if each.key == key]

    def having(self, kind: type[E]) -> list[E]:
        """Its own entries of that kind."""
        return [each for each in self.entries if isinstance(each, kind)]


Entry = (
    Text
    | Line
    | Named
    | ClusterLine
    | Table
    | Finding
    | Reason
    | Change
    | NodeFacts
    | Turn
    | StepEntry
    | Trouble
    | Section
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The whole of it."""

    kind: str
    """`scan`, `drift` or `runbook`."""
    title: str = ""
    """Where that is not its verdict."""
    about: tuple[str, ...] = ()
    """What follows a title."""
    verdict: str
    tone: str
    """go, no-go or unknown."""
    headline: str = ""
    alone: str = ""
    """What the selected nodes are by themselves."""
    inventory: str = ""
    against: str = ""
    """What it is compared with."""
    started: datetime
    finished: datetime | None = None
    version: str
    strict: str = ""
    partial: bool = False
    exit_code: int = 0
    coverage: str = ""
    history: str = ""
    advice: str = ""
    """What to do next; commands in it stand between backticks."""
    small: str = ""
    """What a file says at its end."""
    closing: tuple[tuple[tuple[str, str], ...], ...] = ()
    """What a terminal shows at its end: names and lines, those that stand together."""
    counts: tuple[tuple[str, str, int], ...] = ()
    """Status, word and number of what was compared."""
    names_all: bool = False
    """Whether a terminal that is asked for all names every place."""
    sections: tuple[Section, ...] = ()

    def named(self, key: str) -> list[Section]:
        """Its sections of that key."""
        return [each for each in self.sections if each.key == key]
