"""What the probes of a web node's files answer on a recorded machine: their scripts, line for line."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from scanner.lab.windows_probes import Session, Value, config_files


def database_config(session: Session) -> Value:
    """database-config.ps1."""
    return config_files(session, "database.config")


FILE_EMULATIONS: Mapping[str, Callable[[Session], Value]] = {
    "database-config": database_config,
}
