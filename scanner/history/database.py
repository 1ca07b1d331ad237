"""The file that a history is kept in: known by its marks, written in whole transactions, its troubles told in words."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from scanner.errors import UsageError
from scanner.files.atomic import ensure_writable
from scanner.history.migrations import APPLICATION_ID, VERSION, statements
from scanner.inventory.reading.looking import exists, is_file, is_folder, unseen

BUSY_S = 30.0
"""How long is waited for another run that is writing; it needs a second at most."""
_RETRY_S = 0.05

_CAUSES = {
    sqlite3.SQLITE_BUSY: f"another program has locked it for {BUSY_S:.0f} seconds; end that one, or name another file",
    sqlite3.SQLITE_LOCKED: "another program has locked it; end that one, or name another file",
    sqlite3.SQLITE_FULL: "the disk is full; make room, or name a file elsewhere",
    sqlite3.SQLITE_READONLY: "it, or its folder, may not be written; check their owner and mode",
    sqlite3.SQLITE_PERM: "it, or its folder, may not be written; check their owner and mode",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check that the folder exists and who owns it and the file",
    sqlite3.SQLITE_NOTADB: "this is no preflight history; name another file",
    sqlite3.SQLITE_CORRUPT: "it is damaged; move it away, and a new one is begun",
    sqlite3.SQLITE_IOERR: "the disk, or the network share, does not do what it is told; name a file on a local disk",
}
"""What is said of SQLite's primary result codes."""


class HistoryError(UsageError):
    """The history cannot be read or written; the message says why and what to do."""


class HistoryUnavailableError(HistoryError):
    """It is the right file, and cannot be written, or read, as things are: that is no reason not to make a scan."""


_PASSING = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_IOERR,
}


def stamp(moment: datetime) -> str:
    """A time as the tables keep it: text that sorts like the times."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def refuse_unusable(path: Path) -> None:
    """Raise HistoryError for a file that no run could be recorded in, as far as that can be known without writing."""
    try:
        ensure_writable(path)
    except UsageError as error:
        kind = HistoryUnavailableError if _is_closed(path) else HistoryError
        raise kind(f"the history: {error}") from None
    if exists(path) and not is_file(path):
        raise HistoryError(f"the history {path}: this is no regular file; name another")
    if exists(path) and path.stat().st_size:
        with reading(path, empty=True):
            pass


@contextlib.contextmanager
def writing(path: Path, *, create: bool = True) -> Iterator[sqlite3.Connection]:
    """The history in one transaction, which is taken back where the block, or the process, does not end well."""
    target = Path(os.path.realpath(path))
    with _told(path):
        if create:
            refuse_unusable(path)
            with contextlib.suppress(FileExistsError):
                # What SQLite puts beside the file (-wal, -shm) gets the file's mode.
                os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        elif absence := unseen(target):
            raise HistoryError(f"the history {path}: {absence}")
        with contextlib.closing(_connect(target.as_posix(), BUSY_S)) as store:
            store.execute("BEGIN")
            recognise(store, path)
            store.execute("COMMIT")
            _use_wal(store)
            store.execute("PRAGMA foreign_keys = ON")
            store.execute("PRAGMA synchronous = FULL")
            store.execute("BEGIN IMMEDIATE")
            recognise(store, path)
            for statement in statements(version_of(store)):
                store.execute(statement)
            yield store
            store.execute("COMMIT")


@contextlib.contextmanager
def reading(path: Path, *, empty: bool = False) -> Iterator[sqlite3.Connection]:
    """The history as it is, without writing anything; `empty` says whether one may be that has no tables yet."""
    target = Path(os.path.realpath(path))
    with _told(path):
        if absence := unseen(target):
            raise HistoryError(f"the history {path}: {absence}")
        if not is_file(target):
            raise HistoryError(f"the history {path}: this is no regular file; name another")
        # In a folder that may not be written, a file that nobody writes to is read as one that never changes.
        resting = not exists(f"{target}-wal") and not os.access(target.parent, os.W_OK)
        with contextlib.closing(
            _connect(f"{target.as_uri()}?{'immutable=1' if resting else 'mode=ro'}", BUSY_S, uri=True)
        ) as store:
            store.execute("BEGIN")
            if recognise(store, path) and not empty:
                raise HistoryError(f"the history {path}: nothing was recorded in it yet")
            yield store


def _is_closed(path: Path) -> bool:
    """Whether all that is amiss is that the file, or its folder, may not be written."""
    folder = Path(os.path.realpath(path)).parent
    there = is_file(path) or (not exists(path) and is_folder(folder))
    return there and not (os.access(folder, os.W_OK) and (not exists(path) or os.access(path, os.W_OK)))


def _connect(target: str, busy_s: float, *, uri: bool = False) -> sqlite3.Connection:
    return sqlite3.connect(target, timeout=busy_s, isolation_level=None, uri=uri)


def recognise(store: sqlite3.Connection, path: Path) -> bool:
    """Whether the database is a new, empty one. Raises HistoryError for one that is not ours, or of a later version.

    In a transaction, for else another run may make the tables between two of these looks.
    """
    (mark,), (version,) = (store.execute(f"PRAGMA {name}").fetchone() for name in ("application_id", "user_version"))
    if mark == APPLICATION_ID:
        if version > VERSION:
            raise HistoryError(
                f"the history {path}: a later preflight wrote it (version {version}, this one knows up to {VERSION}); "
                "use that one, or name another file"
            )
        return False
    if mark or version or store.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise HistoryError(f"the history {path}: this is no preflight history, but another database; name another file")
    return True


def version_of(store: sqlite3.Connection) -> int:
    """The version of the tables; 0 where there are none."""
    return int(store.execute("PRAGMA user_version").fetchone()[0])


def _use_wal(store: sqlite3.Connection) -> None:
    """Let readers and one writer go on side by side. SQLite does not wait for this by itself."""
    give_up = time.monotonic() + BUSY_S
    while store.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            # Where the file system has no shared memory, the answer is another mode, which is safe as well.
            store.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                raise
            time.sleep(_RETRY_S)
        else:
            return


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        cause = _CAUSES.get(code)
        kind = HistoryUnavailableError if code in _PASSING else HistoryError
        raise kind(f"the history {path}: {cause or f'it is damaged, or no preflight history: {error}'}") from None
    except OSError as error:
        raise HistoryError(f"the history {path}: {error.strerror or error}; check who owns the folder") from None
    except ValueError as error:  # an unknown status, a time that is none, a NUL in the name
        raise HistoryError(f"the history {path}: it is damaged, or changed by hand: {error}") from None
