"""Where a secret comes from."""

from __future__ import annotations

from checks.common.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class SecretSource:
    """Where a secret comes from; exactly one of these is set. It is resolved once, before the scan."""

    env: str = ""
    file: str = ""
    command: str = ""
    prompt: str = ""
    """What to ask with on the terminal. No key of an inventory: a file cannot count on somebody who sits there."""
