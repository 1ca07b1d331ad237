"""How far a plan was followed, as lines for a terminal: one step in full, or all of them in a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from checks.common.dataclass import dataclass
from checks.runbook.following import Followed, told
from checks.runbook.signs import Seen, State
from reports.text import count, one_line

_WORDS_CHARS = 400


@dataclass(frozen=True, slots=True)
class Row:
    """One step, and what was seen of it."""

    step: Followed
    seen: Seen
    ended_by: str = ""
    """Number of the later step that ended it by design; empty where none did."""


def one_step(source: str, row: Row) -> list[str]:
    """A step with all that is known of it."""
    return [f"plan: {one_line(source)}", *_full(row)]


def table(source: str, rows: Sequence[Row]) -> list[str]:
    """All steps in order, why one is not done, and which comes next."""
    lines = [f"plan: {one_line(source)}"]
    width = max((len(one_line(row.step.id)) for row in rows), default=0)
    for row in rows:
        lines.append(f"{one_line(row.step.id):<{width}}  {_state(row):<11}  {one_line(row.step.title, 200)}")
        if row.seen.state is State.NOT_DONE and not row.ended_by:
            lines.append(f"{'':<{width}}  {'':<11}    {one_line(row.seen.words, _WORDS_CHARS)}")
    tally = Counter(_state(row) for row in rows)
    lines.append(", ".join(f"{number} {state}" for state, number in sorted(tally.items())))
    return lines


def upcoming(source: str, rows: Sequence[Row]) -> list[str]:
    """The first step that is not done, in full, and what before it cannot be told."""
    place = next((at for at, row in enumerate(rows) if _state(row) == State.NOT_DONE), None)
    lines = [f"plan: {one_line(source)}"]
    # Who follows the plan has seen for themselves what lies before a step that is done.
    done = [at for at, row in enumerate(rows[:place]) if _state(row) == State.DONE]
    untold = [row for row in rows[(done[-1] + 1 if done else 0) : place] if _state(row) == State.CANNOT_TELL]
    if untold:
        lines.append(f"{count(len(untold), 'step')} before it that no fact shows; see that each is done:")
        lines += [f"  {one_line(row.step.id)}  {one_line(row.step.title, 200)}" for row in untold]
    return [*lines, *(_full(rows[place]) if place is not None else ["nothing that facts show is left to do"])]


def _state(row: Row) -> str:
    return "over" if row.ended_by else str(row.seen.state)


def _full(row: Row) -> Iterator[str]:
    step, seen = row.step, row.seen
    yield f"{one_line(step.id)}  {one_line(step.title)}"
    yield f"  {_state(row)}: {one_line(seen.words)}"
    if row.ended_by:
        yield f"  step {row.ended_by} ended it"
    if seen.state is State.NOT_DONE and not row.ended_by:
        yield from (f"  looked for: {one_line(told(sign))}" for sign in step.signs)
    if step.signs and step.unseen:
        yield f"  not all of it shows: {one_line(step.unseen)}"
    if step.shows and seen.state is not State.NOT_DONE:
        yield f"  see for yourself: {one_line(step.shows)}"
