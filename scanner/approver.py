"""Who approves: the user of git, as in a commit, where nobody else is named."""

from __future__ import annotations

import subprocess
from pathlib import Path

from scanner.errors import UsageError

_PATIENCE_S = 5


def approver(named: str, folder: Path) -> str:
    """`named`, else git's user in `folder`: "Ada Lovelace <ada@corp.example>". Raises UsageError for nobody."""
    if named.strip():
        return named.strip()
    name, email = _git("user.name", folder), _git("user.email", folder)
    found = f"{name} <{email}>" if name and email else name or email
    if not found:
        raise UsageError("who approves? Say so with --by NAME, or set git's user.name")
    return found


def _git(key: str, folder: Path) -> str:
    try:
        done = subprocess.run(
            ["git", "config", "--get", key],
            cwd=folder,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_PATIENCE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return " ".join(done.stdout.split()) if done.returncode == 0 else ""
