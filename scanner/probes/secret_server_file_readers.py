"""From what the probes of a web node's files answered to facts. Pure: each reader gives its fact or UnreadableError."""

from __future__ import annotations

import re
from collections.abc import Mapping

from checks.secret_server.file_facts import DatabaseConfig
from scanner.probes.probe import Answer, UnreadableError
from scanner.probes.secret_server_readers import explain_note, need, rows_of, text, value_of
from scanner.probes.secret_server_roots import Folder, choose, read_folders

_STATES = ("hashed", "missing", "locked", "denied", "unreadable")


def database_config(answer: Answer) -> DatabaseConfig:
    """From database-config: the state of the file in the application's folder."""
    config = need(chosen_folder(value_of(answer)).row, "config", dict)
    state, sha256 = need(config, "state", str), text(config, "sha256").lower()
    if state not in _STATES:
        raise UnreadableError(f"the state of database.config is not understood: {text(config, 'state')[:80]!r}")
    if (state == "hashed") != bool(re.fullmatch(r"[0-9a-f]{64}", sha256)):
        raise UnreadableError(f"state {state} of database.config does not go with this hash: {sha256[:80]!r}")
    size = None if config.get("size_bytes") is None else need(config, "size_bytes", int)
    if state == "hashed" and size is None:
        raise UnreadableError("database.config was hashed, and its size is missing")
    return DatabaseConfig(
        need(config, "path", str), state, sha256, need(config, "efs", bool), size, text(config, "detail")
    )


def chosen_folder(value: Mapping[str, object]) -> Folder:
    """The application's folder among the candidates of an answer. Raises UnreadableError where it is not just one."""
    notes = [explain_note(str(note)) for note in need(value, "notes", list)]
    return choose(read_folders(rows_of(value, "folders"), need), notes)
