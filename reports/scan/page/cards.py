"""The HTML page's findings: one card for a cause, with all that it hit and what to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet

from checks.common.dataclass import dataclass
from checks.history.model import FindingKey
from checks.outcome import Result
from checks.scan import CONNECTIVITY, Scan
from reports.findings.folding import Folded, consequences
from reports.findings.grouping import Group, affected_nodes, owner_of, waiver_text
from reports.findings.history_text import history_formatter
from reports.scan.page.anchors import Anchors, of_groups
from reports.text import one_line, truncate, web_url

CHIPS = 40
"""Places that a card shows before it folds the rest."""


@dataclass(frozen=True, slots=True)
class Link:
    """A page that a check names, by its title; `url` is None where it is none for a browser."""

    text: str
    url: str | None


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a field, and whose it is where others have another."""

    text: str
    whose: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One cause."""

    anchor: str
    href: str
    status: str
    check: str
    title: str
    severity: str
    message: str
    hits: list[tuple[str, list[tuple[str, str]]]]
    """Cluster, and its nodes with the address of their result."""
    many: bool
    """Whether the hits are folded."""
    fields: list[tuple[str, list[Value]]]
    commands: list[str]
    links: list[Link]
    why: list[str]
    """Why it matters, by paragraphs."""
    new: str
    """How much of it is new since the last run; empty where nothing is."""
    owners: str
    """Those who answer for what it hit, a line each."""


class Cards:
    """All cards of a page, named and numbered together."""

    def __init__(self, scan: Scan, told: Sequence[Group], anchors: Anchors, folded: Folded) -> None:
        history = history_formatter(scan)
        fresh = {item.subject for item in scan.history.standings if item.new} if scan.history else set()
        owner = owner_of(scan)
        self._made = {
            id(group): _card(
                group,
                name,
                anchors,
                history,
                fresh,
                owner,
                scan.why.get(group.check, ""),
                consequences(folded, group.results),
            )
            for group, name in zip(told, of_groups(told), strict=True)
        }
        self.cause = {id(row): self._made[id(group)].href for group in told for row in group.results}
        for group in told:
            for row in group.results:
                for follower in (
                    folded.under.get((row.cluster, row.node or ""), ()) if row.check == CONNECTIVITY else ()
                ):
                    self.cause[id(follower)] = self._made[id(group)].href
        """Result to the address of its card."""
        self.fresh = fresh

    def of(self, groups: Sequence[Group]) -> list[Card]:
        """The cards of some of the groups."""
        return [self._made[id(group)] for group in groups]


def _card(
    group: Group,
    name: str,
    anchors: Anchors,
    history: Callable[[Result], str],
    fresh: AbstractSet[FindingKey],
    owner: Callable[[Result], str],
    why: str,
    follow: str,
) -> Card:
    hits: dict[str, list[tuple[str, str]]] = {}
    for row in group.results:
        hits.setdefault(cluster_name(row.cluster), []).append((node_name(row), anchors.link(row)))
    told: tuple[tuple[str, Callable[[Result], str]], ...] = (
        ("Expected", lambda row: row.expected),
        ("Observed", lambda row: row.observed),
        ("Waived", waiver_text),
        ("History", history),
        ("Fix", lambda row: row.remediation.summary),
        ("Owner", owner),
    )
    fields = []
    for title, read in told:
        values = [
            Value(truncate(value, 2_000), "" if len(rows) == len(group.results) else affected_nodes(rows, CHIPS))
            for value, rows in group.variants(read)
        ]
        if values:
            fields.append((title, values))
    if follow:
        fields.append(("With it", [Value(follow, "")]))
    return Card(
        anchor=name,
        href=f"#{name}",
        status=str(group.status),
        check=one_line(group.check, 100),
        title=one_line(group.title, 200),
        severity=str(group.severity),
        message=one_line(group.message),
        hits=list(hits.items()),
        many=len(group.results) > CHIPS,
        fields=fields,
        commands=[truncate(value) for value, _ in group.variants(lambda row: row.remediation.command)],
        links=[
            Link(one_line(link.title, 500), web_url(link.url))
            for _, rows in group.variants(lambda row: row.remediation.url)
            for link in rows[0].remediation.links
        ],
        why=[one_line(line, 2_000) for line in why.splitlines()],
        new=_new(group, fresh),
        owners="\n".join(value for value, _ in group.variants(owner)),
    )


def _new(group: Group, fresh: AbstractSet[FindingKey]) -> str:
    number = sum(FindingKey(row.check, row.cluster, row.node) in fresh for row in group.results)
    return "new" if number == len(group.results) else f"{number} new" if number else ""


def cluster_name(name: str) -> str:
    """A cluster as the page names it."""
    return one_line(name, 100) or "scan"


def node_name(row: Result) -> str:
    """What of its cluster a result is about."""
    return "whole cluster" if row.node is None else one_line(row.node, 100)
