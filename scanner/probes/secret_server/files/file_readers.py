"""From what the probes of a web node's files answered to facts. Pure: each reader gives its fact or UnreadableError."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar

from checks.secret_server.facts.folder import (
    AppTree,
    ConfigFile,
    ConfigState,
    DatabaseConfig,
    EncryptionConfig,
    FolderDigest,
    WebConfig,
)
from scanner.probes.probe import Answer, UnreadableError
from scanner.probes.secret_server.files.roots import Folder, choose
from scanner.probes.secret_server.readers import explain, folders_of, named, need, rows_of, text

_STATES = ("hashed", "missing", "locked", "denied", "unreadable")


def encryption_config(answer: Answer) -> EncryptionConfig:
    """From encryption-config: the state of the file in the application's folder."""
    return _config_file(answer, EncryptionConfig, "encryption.config")


def database_config(answer: Answer) -> DatabaseConfig:
    """From database-config: the state of the file in the application's folder."""
    return _config_file(answer, DatabaseConfig, "database.config")


C = TypeVar("C", bound=ConfigFile)


def _config_file(answer: Answer, kind: type[C], name: str) -> C:
    config = need(chosen_folder(answer).row, "config", dict)
    state, sha256 = need(config, "state", str), text(config, "sha256").lower()
    if state not in _STATES:
        raise UnreadableError(f"the state of {name} is not understood: {text(config, 'state')[:80]!r}")
    if (state == "hashed") != bool(re.fullmatch(r"[0-9a-f]{64}", sha256)):
        raise UnreadableError(f"state {state} of {name} does not go with this hash: {sha256[:80]!r}")
    size = None if config.get("size_bytes") is None else need(config, "size_bytes", int)
    if state == "hashed" and size is None:
        raise UnreadableError(f"{name} was hashed, and its size is missing")
    return kind(
        path=named(config, "path"),
        state=state,
        sha256=sha256,
        efs=need(config, "efs", bool),
        size_bytes=size,
        detail=text(config, "detail"),
    )


_CONFIG_STATES = ("wellformed", "missing", "empty", "malformed", "locked", "denied", "unreadable")


def web_config(answer: Answer) -> WebConfig:
    """From web-config: whether IIS can make sense of web.config in the application's folder."""
    row = chosen_folder(answer).row
    named = tuple(_config_state(one) for one in rows_of(row, "named"))
    return WebConfig(_config_state(row), need(row, "rooted", bool), named)


def _config_state(row: Mapping[str, object]) -> ConfigState:
    state, detail = need(row, "state", str), text(row, "detail")
    if state not in _CONFIG_STATES:
        raise UnreadableError(f"the state of a configuration file is not understood: {state[:80]!r}")
    return ConfigState(named(row, "path"), state, explain(detail) if detail else "")


_LINK = "a link to elsewhere"
"""What app-files.ps1 says of a folder that it does not follow."""


def chosen_folder(answer: Answer) -> Folder:
    """The application's folder among the candidates of an answer. Raises UnreadableError where it is not just one."""
    return choose(*folders_of(answer))


def app_tree(answer: Answer) -> AppTree:
    """From app-files: the digests of the application's folders."""
    folder = chosen_folder(answer)
    stopped = need(folder.row, "stopped", str)
    if stopped not in ("", "time", "bytes", "files"):
        raise UnreadableError(f"how the walk ended is not understood: {stopped[:80]!r}")
    tree = tuple(_folder_digest(row) for row in rows_of(folder.row, "tree"))
    if len({row.path for row in tree}) != len(tree):
        raise UnreadableError("a folder stands in the answer twice")
    left_out = tuple(
        (need(row, "path", str), explain(need(row, "why", str))) for row in rows_of(folder.row, "left_out")
    )
    rows = [(path, str(row["why"])) for row, (path, _) in zip(rows_of(folder.row, "left_out"), left_out, strict=True)]
    unlisted = tuple(path for path, why in rows if path.endswith("\\") and _LINK not in why)
    files, size = need(folder.row, "files", int), need(folder.row, "bytes", int)
    if not tree and not left_out and not stopped:
        raise UnreadableError(f"there are no files of the application in {folder.candidate.path}")
    return AppTree(
        root=folder.candidate.path,
        folders=tree,
        left_out=left_out,
        stopped=stopped,
        files=files,
        bytes=size,
        unlisted=unlisted,
    )


def _folder_digest(row: Mapping[str, object]) -> FolderDigest:
    digest, listed = need(row, "digest", str).lower(), row.get("files")
    path, count = need(row, "folder", str).lower(), need(row, "count", int)
    if not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise UnreadableError(f"the digest of folder {path!r} is none: {digest[:80]!r}")
    files = None
    if listed is not None:
        pairs = [entry.rpartition("/") for entry in need(row, "files", str).split("|") if entry]
        odd = [entry for entry in pairs if not entry[0] or not re.fullmatch(r"[0-9a-f]{8}", entry[2])]
        if odd or len(pairs) != count:
            raise UnreadableError(f"the files of folder {path!r} are garbled: {str(listed)[:80]!r}")
        files = tuple((name, short) for name, _, short in pairs)
    return FolderDigest(path=path, digest=digest, count=count, partial=need(row, "partial", bool), files=files)
