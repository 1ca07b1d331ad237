"""Results grouped by cause, and the words that every format shares, so that no two of them tell different stories."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from checks.common.dataclass import dataclass
from checks.engine.acceptance.model import Attested, Expiry, scope
from checks.outcome import Result, Severity, Status
from checks.scan import CONNECTIVITY, Scan, Verdict, blocks
from reports.findings.folding import Folded, fold, stranded_rows
from reports.text import count, one_line

GRAVEST_FIRST = (Verdict.NO_GO, Verdict.UNKNOWN, Verdict.GO)
WHOLE = "whole cluster"
_RANK = {severity: rank for rank, severity in enumerate(Severity)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One cause, and all that it hit: results of one check with the same status and message."""

    check: str
    title: str
    severity: Severity
    status: Status
    message: str
    """As the check said it; not yet made visible."""
    results: tuple[Result, ...]

    def variants(self, read: Callable[[Result], str]) -> list[tuple[str, tuple[Result, ...]]]:
        """The distinct, non-empty values of a text over the results, each with those that have it."""
        found: dict[str, list[Result]] = {}
        for row in self.results:
            found.setdefault(read(row), []).append(row)
        return [(value, tuple(rows)) for value, rows in found.items() if value.strip()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """A scan's results, sorted by what a reader must do about them. Together the fields hold every result once, but for
    skips that are folded under a cause, too.
    """

    blockers: tuple[Group, ...]
    """Failures, and warnings where the scan is strict; the gravest first."""
    undetermined: tuple[Group, ...]
    """Causes, those without a result of their own (nodes that were not selected) last."""
    folded: Folded
    """What follows from them."""
    warnings: tuple[Group, ...]
    """Warnings where the scan is not strict."""
    not_evaluated: tuple[Group, ...]
    """Skips that count as not evaluated, such as those of an unreachable node."""
    waived: tuple[Group, ...]
    left_out: tuple[Group, ...]
    """What the inventory leaves out, each with the reason."""
    not_declared: tuple[Group, ...]
    """What is not judged because the inventory does not say what it would be judged by."""
    not_applicable: tuple[Group, ...]
    passed: tuple[Group, ...]


def digest(scan: Scan) -> Digest:
    """Sort and group a scan's results."""
    rest = [row for row in scan.results if not blocks(row, strict=scan.strict)]

    def having(status: Status) -> list[Result]:
        return [row for row in rest if row.status is status]

    skips = having(Status.SKIP)
    folded = fold(rest)
    stranded = [
        Group(
            check=rows[0].follows[0].partition(":")[0],
            title=title,
            severity=rows[0].severity,
            status=Status.ERROR,
            message=message,
            results=rows,
        )
        for title, message, rows in stranded_rows(folded)
    ]
    return Digest(
        blockers=grouped(row for row in scan.results if blocks(row, strict=scan.strict)),
        # A node that did not answer is the cause of what its cluster's checks could not tell: it comes first.
        undetermined=(
            *sorted(grouped(folded.causes), key=lambda group: group.check != CONNECTIVITY),
            *stranded,
        ),
        folded=folded,
        warnings=grouped(having(Status.WARN)),
        not_evaluated=grouped(row for row in skips if row.not_evaluated),
        waived=grouped(having(Status.WAIVED)),
        left_out=grouped(row for row in skips if row.left_out),
        not_declared=grouped(row for row in skips if row.not_declared and not row.left_out),
        not_applicable=grouped(
            row for row in skips if not row.not_evaluated and not row.left_out and not row.not_declared
        ),
        passed=grouped(having(Status.PASS)),
    )


def grouped(results: Iterable[Result]) -> tuple[Group, ...]:
    """Group by check, status, message and waiver; the gravest severity first, then in order of appearance."""
    found: dict[tuple[str, Status, str, str], list[Result]] = {}
    for row in results:
        found.setdefault((row.check, row.status, row.message, waiver_line(row)), []).append(row)
    groups = [
        Group(
            check=check,
            title=rows[0].title,
            severity=rows[0].severity,
            status=status,
            message=message,
            results=tuple(rows),
        )
        for (check, status, message, _), rows in found.items()
    ]
    return tuple(sorted(groups, key=lambda group: _RANK[group.severity]))


def by_status(results: Iterable[Result]) -> tuple[Group, ...]:
    """Group by check, status and message, in order of appearance."""
    return tuple(sorted(grouped(results), key=lambda group: list(Status).index(group.status)))


def owner_of(scan: Scan) -> Callable[[Result], str]:
    """Who answers for what a result is about, with how to reach them: the node's own owner before its cluster's."""
    clusters = {record.name: owner_line(record.owner, record.contact) for record in scan.clusters}
    nodes = {(node.cluster, node.node): owner_line(node.owner, node.contact) for node in scan.nodes}
    return lambda row: nodes.get((row.cluster, row.node or "")) or clusters.get(row.cluster, "")


def owner_line(owner: str, contact: str) -> str:
    """Who answers for something, and how to reach them; empty where neither is said."""
    return ", ".join(one_line(text, 200) for text in (owner, contact) if text)


def by_reason(groups: Iterable[Group]) -> list[tuple[str, tuple[Result, ...]]]:
    """Join the groups that have the same message, whatever the check: one reason, one entry.

    Who waives something, and until when, stands before the message, so that nothing cuts it off.
    """
    found: dict[str, list[Result]] = {}
    for group in groups:
        waived = waiver_line(group.results[0])
        found.setdefault(f"{waived}: {group.message}" if waived else group.message, []).extend(group.results)
    return [(message, tuple(rows)) for message, rows in found.items()]


def waiver_line(result: Result) -> str:
    """That somebody accepts a finding, who, until when and why, in one line; empty where nobody does."""
    told = waiver_text(result)
    return f"waived {told}" if told else ""


def waiver_text(result: Result) -> str:
    """The same, to stand beside the word "waived"."""
    waiver = result.waiver
    if waiver is None:
        return ""
    only = f', only while "{one_line(waiver.value, 100)}" is observed' if waiver.value else ""
    return f"by {one_line(waiver.owner, 100)} until {waiver.expires}{only} ({one_line(waiver.reason, 200)})"


def attested_line(heard: Attested) -> str:
    """What somebody vouches for, about what, and until when, in one line."""
    word = heard.attestation
    until = {
        Expiry.HOLDS: f"holds until {word.expires}",
        Expiry.ENDS_SOON: f"ends soon, on {word.expires}",
        Expiry.EXPIRED: f"EXPIRED on {word.expires}",
    }[heard.standing]
    about = f"{one_line(scope(word), 250)}: " if scope(word) else ""
    return f"{about}{one_line(word.statement, 500)} - {one_line(word.by, 100)} on {word.date}, {until}"


def label(result: Result) -> str:
    """What the result is about: `cluster/node`, or `cluster` for a cluster as a whole."""
    name = result.cluster if result.node is None else f"{result.cluster}/{result.node}"
    return one_line(name, 200) or "scan"


def affected_nodes(results: Sequence[Result], limit: int | None = None) -> str:
    """Where the results are, by cluster: `vault-prod: web1, web2; chef-prod: whole cluster`.

    `limit` is the number of names, and of clusters, after which the rest is only counted.
    """
    found: dict[str, dict[str, None]] = {}
    for row in results:
        name = WHOLE if row.node is None else one_line(row.node, 100)
        found.setdefault(row.cluster, {})[name] = None
    return named_places(found, limit)


def named_places(found: Mapping[str, Collection[str]], limit: int | None = None) -> str:
    """Clusters, each with the nodes' names that are shown of it, as `affected_nodes` writes them."""
    whole = [one_line(cluster, 100) for cluster, names in found.items() if cluster and list(names) == [WHOLE]]
    if len(whole) == len(found) > 1:
        return f"whole clusters {', '.join(_cut(whole, limit))}"
    shown = [
        f"{one_line(cluster, 100)}: {', '.join(_cut(list(names), limit))}" if cluster else "the scan itself"
        for cluster, names in found.items()
    ]
    more = len(shown) - limit if limit and len(shown) > limit else 0
    return "; ".join([*shown[:limit], f"{count(more, 'more cluster')}"] if more else shown)


def _cut(names: list[str], limit: int | None) -> list[str]:
    return names if limit is None or len(names) <= limit else [*names[:limit], f"{len(names) - limit} more"]


def checks_named(results: Iterable[Result]) -> str:
    """The checks of the results: one by its id, several counted and listed."""
    ids = list(dict.fromkeys(one_line(row.check, 100) for row in results))
    return ids[0] if len(ids) == 1 else f"{count(len(ids), 'check')}: {', '.join(ids)}"


def status_word(result: Result) -> str:
    """The status as readers see it; a skip says whether it was moot, missed or left out."""
    if result.left_out:
        return "left out"
    if result.not_declared:
        return "not declared"
    if result.status is Status.SKIP:
        return "not evaluated" if result.not_evaluated else "not applicable"
    return str(result.status)
