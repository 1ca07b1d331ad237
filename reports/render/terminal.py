"""The page of a terminal: wrapped, painted or plain, with titles and fields in columns."""

from __future__ import annotations

import textwrap

BOLD, DIM, GREEN, YELLOW, CYAN = "1", "2", "32", "33", "36"
STATUS_COLUMNS = 7
"""What a status takes."""
TEXT_COLUMN = 2 + STATUS_COLUMNS
LABEL_COLUMNS = 10
"""What a field's name takes, `expected` and the like."""


class TextPage:
    """Lines for a terminal, from the top."""

    def __init__(self, *, color: bool, width: int) -> None:
        self._color, self._width = color, width
        self._lines: list[str] = []

    def text(self) -> str:
        """Everything so far, with a final newline."""
        return "\n".join(self._lines) + "\n"

    def _field(self, name: str, text: str) -> None:
        head = f"{' ' * TEXT_COLUMN}{name:<{LABEL_COLUMNS}}"
        self._put(head, text, shown=f"{' ' * TEXT_COLUMN}{self._name(name)}")

    def _name(self, name: str) -> str:
        return self._paint(f"{name:<{LABEL_COLUMNS}}", DIM)

    def _title(self, title: str) -> None:
        self._lines += ["", self._paint(title, BOLD), *([] if self._color else ["-" * len(title)])]

    def _put(self, head: str, text: str, *, shown: str = "", indent: int | None = None, code: str = "") -> None:
        """Wrap `text` behind `head`, which prints as `shown`; further lines start at `indent`, else below the first."""
        hang = len(head) if indent is None else indent
        wrapper = textwrap.TextWrapper(
            width=max(self._width, len(head) + 20),
            initial_indent=" " * len(head),
            subsequent_indent=" " * hang,
            break_on_hyphens=False,
        )
        first, *rest = wrapper.wrap(text) or [""]
        self._lines.append(f"{shown or head}{self._paint(first[len(head) :], code)}".rstrip())
        self._lines += [f"{' ' * hang}{self._paint(line[hang:], code)}" for line in rest]

    def _paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._color and code and text else text
