"""Who approves: the user of git, as in a commit, where nobody else is named."""

from __future__ import annotations

from pathlib import Path

from scanner.errors import UsageError
from scanner.secrets import children

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
        done = children.run(["git", "config", "--get", key], folder=folder, timeout_s=_PATIENCE_S)
    except (OSError, ValueError, children.TimeUpError, children.TooMuchError):
        return ""
    return " ".join(done.output.decode("utf-8", "replace").split()) if done.code == 0 else ""
