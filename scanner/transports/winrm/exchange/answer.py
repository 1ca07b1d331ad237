"""One HTTP answer, read to its end."""

from __future__ import annotations

from collections.abc import Iterable

from checks.common.dataclass import dataclass


class Headers:
    """The headers of an answer. Names are compared without case; what came several times is one list."""

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._values: dict[str, str] = {}
        for name, value in pairs:
            # A value may go on in further lines (RFC 9112, 5.2).
            whole = value.isprintable()
            key, text = name.lower(), value.strip() if whole else " ".join(part.strip() for part in value.splitlines())
            self._values[key] = f"{self._values[key]}, {text}" if key in self._values else text

    def __contains__(self, name: str) -> bool:
        """Whether there is one of that name, given in lower case."""
        return name in self._values

    def get(self, name: str, default: str = "", /) -> str:
        """Its value."""
        return self._values.get(name.lower(), default)


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """Status, headers and body."""

    status_code: int
    headers: Headers
    content: bytes = b""
