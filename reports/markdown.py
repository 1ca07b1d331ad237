"""A scan as Markdown (GitHub's flavour), short enough for a chat or a CI job's step summary.

Whatever a target may have said stands in code spans or is escaped, so that it formats nothing, links nowhere and
mentions nobody.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC

from checks.outcome import Result
from checks.scan import Scan, Verdict
from reports.grouping import (
    Group,
    attested_line,
    by_reason,
    checks_named,
    cost_line,
    coverage_line,
    digest,
    headline,
    places,
)
from reports.text import clipped, one_line, web_url

_SIGNS = {Verdict.GO: "✅", Verdict.NO_GO: "⛔", Verdict.UNKNOWN: "❓"}
_SPECIAL = re.compile(r"[\\`*\[\]|~$#]|(?<![^\W_])_|_(?![^\W_])|^(?:[-+=]|\d+(?=[.)]))")
_LINKED = re.compile(r"(@|(?<=:)(?=//)|(?<=www)(?=\.))", re.IGNORECASE)
_NAMES = 12
_FIELD_CHARS = 300


def render(scan: Scan) -> str:
    """The text, with a final newline."""
    parts = digest(scan)
    started = scan.started.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    strict = ", strict: warnings count as failures" if scan.strict else ""
    lines = [
        f"## {_SIGNS[scan.verdict]} preflight: {scan.verdict}",
        "",
        f"**{_prose(headline(scan))}**",
        "",
        f"{_code(scan.inventory)}, {started}, preflight {_code(scan.tool_version)}{strict}  ",
        f"{_prose(coverage_line(scan))}",
        "",
    ]
    if scan.notices:
        lines += ["### Notices", "", *(f"- {_prose(one_line(notice))}" for notice in scan.notices), ""]
    for title, groups in (
        ("Blockers", parts.blockers),
        ("Could not be determined", parts.undetermined),
        ("Warnings", parts.warnings),
    ):
        if groups:
            lines += [f"### {title} ({len(groups)})", ""]
            for group in groups:
                lines += [*_finding(group), ""]
    for title, groups in (
        ("Skipped: not evaluated", parts.not_evaluated),
        ("Waived", parts.waived),
        ("Skipped: not applicable", parts.not_applicable),
    ):
        if groups:
            lines += [f"### {title} ({sum(len(group.results) for group in groups)})", "", *_reasons(groups), ""]
    if scan.attestations:
        told = (f"- {_prose(attested_line(heard))}" for heard in scan.attestations)
        lines += [f"### Attested, not checked ({len(scan.attestations)})", "", *told, ""]
    lines.append(f"<sub>{_prose(cost_line(scan))}</sub>")
    return "\n".join(lines) + "\n"


def _finding(group: Group) -> Iterable[str]:
    status = str(group.status).upper()
    yield f"- **{status}** {_code(group.check)} ({group.severity}): {_prose(one_line(group.message))}"
    yield f"  - on {_prose(places(group.results))}"
    fields: tuple[tuple[str, Callable[[Result], str]], ...] = (
        ("expected", lambda row: row.expected),
        ("observed", lambda row: row.observed),
    )
    for name, read in fields:
        for value, rows in group.variants(read):
            whose = "" if len(rows) == len(group.results) else f" ({_prose(places(rows, _NAMES))})"
            yield f"  - {name}: {_code(value)}{whose}"
    for value, _ in group.variants(lambda row: row.remediation.summary):
        yield f"  - fix: {_prose(one_line(value))}"
    for value, _ in group.variants(lambda row: row.remediation.command):
        yield from _block(value)
    for value, _ in group.variants(lambda row: row.remediation.url):
        url = web_url(value)
        yield f"  - see <{url}>" if url else f"  - see {_code(value)}"


def _reasons(groups: Iterable[Group]) -> Iterable[str]:
    for message, rows in by_reason(groups):
        yield f"- {_prose(one_line(message, 400))}: {_prose(places(rows, _NAMES))} ({_prose(checks_named(rows))})"


def _prose(text: str) -> str:
    """Text that reads as itself. A zero-width blank keeps addresses and mentions from being linked by the renderer."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = _SPECIAL.sub(_escaped, text)
    return _LINKED.sub("\\1\u200b", text)


def _escaped(match: re.Match[str]) -> str:
    found = match.group()
    return f"{found}\u200b" if found[0].isdigit() else f"\\{found}"


def _code(text: str) -> str:
    """A code span around one line, whatever backticks are in it."""
    line = one_line(text, _FIELD_CHARS)
    fence = "`" * (_longest_run(line) + 1)
    return f"{fence} {line} {fence}" if "`" in line or not line else f"`{line}`"


def _block(text: str) -> Iterable[str]:
    body = clipped(text, 2_000).replace("\t", "    ")
    fence = "`" * max(3, _longest_run(body) + 1)
    yield ""
    for line in (fence, *body.splitlines(), fence):
        yield f"    {line}"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)
