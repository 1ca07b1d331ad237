"""Short names for files: each by as much of its path's end as tells it from the others."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence


def apart(paths: Sequence[str]) -> list[str]:
    """A name for each of the distinct paths: `inventory.toml`, or `prod/inventory.toml` where several are called so."""
    parts = [[part for part in re.split(r"[/\\]", path) if part] or [path] for path in paths]
    lengths = [1] * len(parts)
    while True:
        names = ["/".join(mine[-length:]) for mine, length in zip(parts, lengths, strict=True)]
        often = Counter(names)
        longer = [
            number for number, name in enumerate(names) if often[name] > 1 and lengths[number] < len(parts[number])
        ]
        if not longer:
            return names
        for number in longer:
            lengths[number] += 1
