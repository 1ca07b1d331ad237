"""What the plan says in every format: headings, sentences, and the ways to say where something is done."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC

from checks.outcome import Result, Status
from checks.runbook.model import (
    Command,
    DocumentedStep,
    Estimate,
    Plan,
    Refusal,
    Runbook,
    RunbookSet,
    Schedule,
    Step,
    numbered_steps,
)
from checks.scan import ATTESTATIONS, Verdict
from reports.text import count

LANGUAGES = {
    "cmd": "in a command prompt",
    "powershell": "in PowerShell",
    "sql": "in SQL Server Management Studio",
    "url": "in a browser",
}
ASKED = "The vendor asks for, at this version:"
NO_RETURN = "Point of no return: from here the way back is a restored backup."
OWN = "This plan's own step: no sentence of the vendor's that asks for it is on record here"
SIDES = "The vendor's documents contradict each other here. This plan follows the first; decide before the window:"
CLEAR_FIRST = "Clear each of these first; it stands above with what to do:"
ANYWHERE = "Where preflight runs"
ONLY_THEN = "Only after that"
UNKNOWN = "Not known, and to be filled in by hand before the window:"
NEVER_RUN = "preflight carries out nothing of this: every command is for a person to read, understand and type."


def title(book: RunbookSet) -> str:
    """The document's title."""
    names = ", ".join(plan.cluster for plan in book.plans)
    return f"Upgrade plan: {names}"


def subtitle(book: RunbookSet) -> str:
    """What the plan rests on, one line."""
    when = book.asked.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"{book.inventory}, what the nodes said on {when}, preflight {book.tool_version}"


def heading(plan: Plan) -> str:
    """A cluster's own heading."""
    if isinstance(plan, Refusal):
        return f"{plan.cluster}: no plan"
    return f"{plan.cluster}: {plan.title or plan.product} {plan.path.current} to {plan.path.target}"


def verdict_line(plan: Plan) -> str:
    """Whether the first step may be taken, one sentence."""
    if isinstance(plan, Refusal):
        return f"{plan.verdict}: there is no plan to follow. {plan.reason[:1].upper()}{plan.reason[1:]}."
    if plan.verdict is Verdict.NO_GO and not plan.blockers and plan.schedule and plan.schedule.fits is False:
        return "NO-GO: it does not fit the window, and --strict counts that as a failure."
    fails = sum(row.status is not Status.ERROR for row in plan.blockers)
    unsure = len(plan.blockers) - fails
    if plan.verdict is Verdict.GO:
        left = f"; {count(len(plan.warnings), 'warning')} to read" if plan.warnings else ""
        out = len({row.check for row in plan.left_out})
        also = f"; {count(out, 'check')} left out" if out else ""
        return f"GO: nothing stands in the way of the first step{left}{also}."
    parts = [count(fails, "blocker")] if fails else []
    parts += [f"{unsure} that could not be determined"] if unsure else []
    if not parts:
        return f"{plan.verdict}: not enough was evaluated to say. See that the nodes answer, then plan again."
    them = "it" if len(plan.blockers) == 1 else "them"
    return f"{plan.verdict}: {' and '.join(parts)}. Clear {them} first, then plan again."


def findings(plan: Plan) -> list[tuple[str, list[tuple[str, Result]]]]:
    """What was found, by kind, each with the label under which the plan speaks of it: "B1", "W2", "A1", "L1"."""
    kinds = (
        ("Blockers", "B", plan.blockers),
        ("Warnings", "W", plan.warnings),
        ("Accepted", "A", plan.waived),
        ("Left out", "L", plan.left_out),
    )
    return [
        (title, [(f"{letter}{number}", row) for number, row in enumerate(rows, 1)])
        for title, letter, rows in kinds
        if rows
    ]


def to_clear(plan: Plan) -> list[tuple[str, str]]:
    """The blockers as the gate names them: label, which check where, and the step of the procedure that is about it."""
    steps: dict[str, list[str]] = {}
    for number, _, step in numbered_steps(plan) if isinstance(plan, Runbook) else ():
        steps.setdefault(step.answers, []).append(number)
    return [
        (f"B{number}", f"{row.check}, {place(row)}{_in_the_window(steps.get(row.check, []))}")
        for number, row in enumerate(plan.blockers, 1)
    ]


def _in_the_window(steps: Sequence[str]) -> str:
    if not steps:
        return ""
    return (
        f" (step {' and '.join(steps)} is about it; where the installed version cannot run with what is asked for, "
        "leave it to that step, and accept it until then with a waiver)"
    )


def explained(row: Result) -> str:
    """The command that says what a check is about, and how its findings are mended; empty for what is no check."""
    return "" if row.check == ATTESTATIONS else f"preflight explain {row.check}"


def way_lines(runbook: Runbook) -> list[tuple[str, str, str]]:
    """Each hop: from, to, and why it is there."""
    source = str(runbook.path.current)
    rows = []
    for hop in runbook.path.hops:
        why = hop.stone.text if hop.stone else "the target"
        if hop.strategy:
            why += f"; {hop.strategy.text}"
        rows.append((source, hop.version, why))
        source = hop.version
    return rows


def documented(sources: Sequence[DocumentedStep]) -> str:
    """Which of the vendor's own steps these are, in words; empty for none."""
    steps: dict[str, list[str]] = {}
    for each in sources:
        steps.setdefault(each.step.partition(" ")[0], []).append(each.says)
    titles = {each.step.partition(" ")[0]: each.document for each in sources}
    told = "; as in ".join(f"{titles[word]}: {'; '.join(texts)}" for word, texts in steps.items())
    return f"As in {told}" if told else ""


def origin(step: Step) -> str:
    """Where a step comes from: the vendor's own steps, its page, which stands beside it, or this plan."""
    return documented(step.sources) or ("" if step.url else OWN)


def place(row: Result) -> str:
    """Where a finding is."""
    return row.node or "the whole cluster"


def grouped(commands: Iterable[Command]) -> list[tuple[str, str, tuple[str, ...]]]:
    """Commands that follow each other in one place and one language: place, language, lines."""
    rows: list[tuple[str, str, list[str]]] = []
    for command in commands:
        if rows and rows[-1][:2] == (command.where, command.language):
            rows[-1][2].append(command.text)
        else:
            rows.append((command.where, command.language, [command.text]))
    return [(where, language, tuple(lines)) for where, language, lines in rows]


def where_line(where: str, language: str) -> str:
    """Where and in what commands are typed, as in "On web2, in a command prompt"; empty where neither is said."""
    how = LANGUAGES.get(language, "")
    parts: Sequence[str] = [part for part in (f"on {where}" if where else "", how) if part]
    text = ", ".join(parts)
    return text[:1].upper() + text[1:]


def told_time(seconds: int) -> str:
    """A length of time, rounded up to minutes: "1h 5m"."""
    hours, minutes = divmod(-(-seconds // 60), 60)
    return " ".join(
        part for part in (f"{hours}h" if hours else "", f"{minutes}m" if minutes or not hours else "") if part
    )


def takes(estimate: Estimate) -> str:
    """How long a step takes, and how one knows."""
    if estimate.seconds is None:
        return f"Takes: {estimate.basis}"
    least = "" if estimate.origin == "yours" else "at least " if estimate.origin == "measured" else "up to "
    return f"Takes: {least}{told_time(estimate.seconds)} ({estimate.basis})"


def schedule_lines(schedule: Schedule) -> list[str]:
    """The sum of the times, against the window where its length is known, and when to turn back at the latest."""
    unknown, steps = len(schedule.unknown), sum(stretch.steps for stretch in schedule.stretches)
    known = f"{told_time(schedule.known_s)} are known, for {steps - unknown} of {count(steps, 'step')}"
    lines = [_against_window(schedule, known, unknown)]
    lines += [
        f"{stretch.chapter}. {stretch.title}: {_least(stretch.known_s, len(stretch.unknown))}"
        for stretch in schedule.stretches
    ]
    if schedule.back_s or schedule.back_unknown:
        lines.append(f"The way back: {_least(schedule.back_s, len(schedule.back_unknown))}")
    else:
        lines.append("The way back: not known, for this plan has no steps of it.")
    if schedule.turn_back_s is not None:
        lines.append(
            f"Turn back {told_time(schedule.turn_back_s)} after the window opens at the latest: "
            "what is known of the way back fills the rest of it."
        )
    elif schedule.window_s is not None:
        lines.append("When to turn back at the latest is not known: give the times of the way back with --takes.")
    if schedule.no_return:
        lines.append(
            f"The first step without return, {schedule.no_return}, comes at the earliest "
            f"{told_time(schedule.no_return_s)} after the window opens."
        )
    return lines


def _against_window(schedule: Schedule, known: str, unknown: int) -> str:
    if schedule.window_s is None:
        return f"{known}."
    window = told_time(schedule.window_s)
    if schedule.fits:
        return f"It fits into {window}: {known}."
    if schedule.fits is False:
        what = "the way back alone takes longer" if schedule.known_s <= schedule.window_s else known
        return f"It does not fit into {window}: {what}."
    return (
        f"Whether it fits into {window} cannot be told: {known}; {count(unknown, 'step')} "
        f"{'has' if unknown == 1 else 'have'} no figure. Give yours, from a rehearsal: --takes STEP=TIME."
    )


def _least(seconds: int, unknown: int) -> str:
    if not unknown:
        return told_time(seconds)
    more = f"{count(unknown, 'step')} without a figure"
    return f"at least {told_time(seconds)}, and {more}" if seconds else more
