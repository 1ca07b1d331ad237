"""One node is a node: what is counted is told by `count`, which knows the singular."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

TOP = Path(__file__).parents[2]
ROOMS = ("checks", "reports", "scanner")
_PLURAL = re.compile(r" (?:of \S+ )?(?:[A-Za-z]+ )?([a-z]{2,}[^\Ws])s\b")
_NOUNS = re.compile(
    r" (?:backend|byte|character|check|cluster|column|day|difference|fact|file|finding|hour|machine|member|"
    r"minute|node|page|problem|question|reason|result|row|second|service|setting|step|thing)s\b(?! of )"
)
"""What is counted here; behind a name that may be a number."""
_WORTH_READING = re.compile(r"\} (?:[A-Za-z]+ )?[a-z]+s\b")
_VERBS = {"this", "always", "wa", "ha", "doe"}
NEVER_ONE = {
    "len(leaders) leaders": "told where it is not one",
    "len(masters) Elasticsearch masters": "told where it is not one",
    "len(rows) rows": "told where it is not one",
    "len(known) web nodes": "one web node has nothing to compare with",
    "len(view.nodes) web nodes": "one web node has nothing to compare with",
    "self.days days": "more than a week",
    "one.size_bytes bytes": "no backup has one byte",
    "here.size_bytes bytes": "no backup has one byte",
    "len(told) - _NAMED times": "there are more than are named, and by two",
    "len(shown) runs": "one run is no trend",
    "len(text) - _TEXT_CHARS more characters": "a node that sends one more than a million",
    "len(names) machines": "one is told by its name",
    "len(paths) times": "given once is not told",
    "long characters": "a line that is longer than the bound",
    "answer_bytes bytes": "a bound",
    "count questions": "more than are answered",
    "role nodes": "a role's nodes",
    "self._node.product nodes": "a product's nodes",
}
"""Where a number is written beside a plural, or a name that is none, and why it is never one."""


@cache
def counted() -> tuple[tuple[str, str], ...]:
    """Where a text puts a plural behind the size of something, and the two."""
    return tuple(_counted())


def _counted() -> Iterator[tuple[str, str]]:
    for room in ROOMS:
        for path in sorted((TOP / room).rglob("*.py")):
            text = path.read_text("utf-8")
            for node in ast.walk(ast.parse(text)) if _WORTH_READING.search(text) else ():
                if isinstance(node, ast.JoinedStr):
                    for value, after in zip(node.values, node.values[1:], strict=False):
                        if not isinstance(value, ast.FormattedValue) or not isinstance(after, ast.Constant):
                            continue
                        words = _told_plural(value.value, str(after.value))
                        if words:
                            yield f"{path.relative_to(TOP)}:{node.lineno}", f"{ast.unparse(value.value)} {words}"


def _told_plural(value: ast.expr, after: str) -> str:
    """The plural behind a value that is a number by the looks of it."""
    called = [call.func for call in ast.walk(value) if isinstance(call, ast.Call)]
    if any(isinstance(function, ast.Name) and function.id == "count" for function in called):
        return ""
    found = _PLURAL.match(after)
    if found and found[1] not in _VERBS and any(isinstance(f, ast.Name) and f.id in ("len", "sum") for f in called):
        return found[0].strip()
    name = value.id if isinstance(value, ast.Name) else value.attr if isinstance(value, ast.Attribute) else ""
    # A constant in capitals is what it is, and is read by whoever changes it.
    counted = _NOUNS.match(after) if name and not name.isupper() else None
    return counted[0].strip() if counted else ""


def test_what_is_counted_has_a_singular() -> None:
    odd = [f"{where}: {words}" for where, words in counted() if words not in NEVER_ONE]
    assert odd == [], "tell it with checks.engine.wording.count"


def test_each_exception_is_still_needed() -> None:
    assert {words for _, words in counted()} >= set(NEVER_ONE)
