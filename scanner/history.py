"""The history of runs in one SQLite file: each run is there whole or not at all, whoever else writes or is killed.

What is kept are results: checks, places, statuses and messages. No answer of a node, and no secret, is in it.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from checks.hindsight import Entry, PastRun, entries_of, look_back
from checks.history import ScanHistory, Subject
from checks.outcome import Status
from checks.scan import Scan, Verdict
from reports.text import one_line
from scanner.errors import UsageError
from scanner.files import ensure_writable
from scanner.history_schema import APPLICATION_ID, STATEMENTS, VERSION

BUSY_S = 30.0
"""How long is waited for another run that is writing; it needs milliseconds."""
_MESSAGE_CHARS = 500
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


@dataclass(frozen=True, slots=True)
class Question:
    """What a run asks. Only runs that ask the same are held against each other."""

    command: str
    """scan or drift."""
    inventory: Path
    phase: str = "before"
    targets: tuple[str, ...] = ()
    """What `--target` asked, as written."""
    scope: str = ""
    """The selection in words, as options; empty where there is none."""
    narrowed: bool = False
    """True where the selection leaves out nodes, or all checks but some. `--skip-check` alone does not narrow."""

    @classmethod
    def asked(
        cls,
        command: str,
        inventory: Path,
        *,
        narrowed: bool,
        phase: str = "before",
        target: Sequence[str] = (),
        cluster: Sequence[str] = (),
        node: Sequence[str] = (),
        check: Sequence[str] = (),
        skip_check: Sequence[str] = (),
    ) -> Question:
        """The question that the options of the command line make; the order in which they stand does not matter.

        `narrowed` says whether nodes were left out.
        """
        options = {"--cluster": cluster, "--node": node, "--check": check, "--skip-check": skip_check}
        scope = " ".join(f"{name} {value}" for name, values in options.items() for value in sorted(set(values)))
        return cls(command, inventory, phase, tuple(sorted(set(target))), scope, narrowed or bool(check))

    @property
    def inventory_key(self) -> str:
        """What tells two inventories in one history apart: the file's absolute path, links resolved."""
        return os.fsencode(os.path.realpath(self.inventory)).decode("utf-8", "backslashreplace")


@dataclass(frozen=True, slots=True)
class Run:
    """One recorded run, for lists."""

    command: str
    inventory: str
    """Its absolute path."""
    phase: str
    targets: tuple[str, ...]
    scope: str
    narrowed: bool
    partial: bool
    strict: bool
    started: datetime
    """Aware, UTC."""
    finished: datetime
    """Aware, UTC."""
    tool_version: str
    verdict: str
    exit_code: int
    nodes: int
    """Nodes that were asked."""
    reached: int
    """Nodes that answered."""
    counts: dict[str, int]
    """Status to number of results."""
    good: bool
    """Whether it looked at everything: not narrowed, not interrupted, all nodes reached, the verdict GO or NO-GO."""


def remember(path: Path, question: Question, scan: Scan) -> Scan:
    """Record the scan in the history at `path`, and give it back with what the earlier runs say of it.

    A scan that is there already (the same evidence, judged again) takes the place of the earlier judgement.
    Raises HistoryError; then nothing of the run is in the file.
    """
    with _writing(path) as store:
        return replace(scan, history=_add(store, question, scan))


def refuse_unusable(path: Path) -> None:
    """Raise HistoryError for a file that no run could be recorded in, as far as that can be known without writing."""
    try:
        ensure_writable(path)
    except UsageError as error:
        raise HistoryError(f"the history: {error}") from None
    if path.exists() and not path.is_file():
        raise HistoryError(f"the history {path}: this is no regular file; name another")
    if path.exists() and path.stat().st_size:
        with _reading(path, empty=True):
            pass


def runs(path: Path, *, limit: int | None = None, inventory: str = "") -> tuple[Run, ...]:
    """The recorded runs, newest first; those of one inventory where its key is given. Raises HistoryError."""
    with _reading(path) as store:
        return _runs(store, "?1 = '' OR inventory = ?1", (inventory,), limit)


def last_good_runs(path: Path, *, now: datetime, inventory: str = "", command: str = "") -> dict[str, Run | None]:
    """The latest good run of each recorded inventory, by its path; None where it has none. Raises HistoryError.

    Runs that lie in the future prove nothing but a wrong clock, and are passed over.
    """
    with _reading(path, empty=True) as store:
        if _recognise(store, path):
            return {}
        known = [row[0] for row in store.execute("SELECT DISTINCT inventory FROM run ORDER BY inventory")]
        found: dict[str, Run | None] = {}
        for name in known if not inventory else [inventory]:
            where = "good = 1 AND inventory = ?1 AND (?2 = '' OR command = ?2) AND finished <= ?3"
            good = _runs(store, where, (name, command, _stamp(now)), 1)
            found[name] = good[0] if good else None
        return found


def prune(path: Path, *, before: datetime) -> int:
    """Forget the runs that finished before that time; the last good one of each inventory and command stays.

    Returns how many were forgotten. Raises HistoryError.
    """
    with _writing(path, create=False) as store:
        gone = store.execute(
            "DELETE FROM run WHERE finished < ? AND id NOT IN (SELECT id FROM (SELECT id, row_number() OVER "
            "(PARTITION BY inventory, command ORDER BY started DESC, id DESC) AS place FROM run WHERE good = 1) "
            "WHERE place = 1)",
            (_stamp(before),),
        ).rowcount
        store.execute("DELETE FROM message WHERE id NOT IN (SELECT message FROM result)")
        store.execute("DELETE FROM subject WHERE id NOT IN (SELECT subject FROM result)")
        return gone


def _add(store: sqlite3.Connection, question: Question, scan: Scan) -> ScanHistory:
    series = (question.inventory_key, question.command, question.phase, "\n".join(question.targets))
    own = (*series, question.scope, _stamp(scan.started))
    present = PastRun(
        scan.started,
        str(scan.verdict),
        question.scope,
        narrowed=question.narrowed,
        partial=scan.partial,
        entries=entries_of(scan.results),
    )
    history = look_back(present, _earlier(store, (*series, _stamp(scan.started))))
    store.execute(
        "DELETE FROM run WHERE inventory = ? AND command = ? AND phase = ? AND targets = ? AND scope = ? "
        "AND started = ?",
        own,
    )
    reached = sum(node.reachable for node in scan.nodes)
    number = store.execute(
        "INSERT INTO run (inventory, command, phase, targets, scope, started, narrowed, partial, strict, finished, "
        "tool_version, verdict, exit_code, nodes, reached, good) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        (
            *own,
            question.narrowed,
            scan.partial,
            scan.strict,
            _stamp(scan.finished),
            scan.tool_version,
            str(scan.verdict),
            scan.exit_code,
            len(scan.nodes),
            reached,
            present.meant_all and scan.verdict is not Verdict.UNKNOWN and reached == len(scan.nodes) > 0,
        ),
    ).lastrowid
    for subject, entry in present.entries.items():
        place = (subject.check, subject.cluster, subject.node or "")
        said = (one_line(entry.message, _MESSAGE_CHARS),)
        store.execute("INSERT OR IGNORE INTO subject (check_id, cluster, node) VALUES (?,?,?)", place)
        store.execute("INSERT OR IGNORE INTO message (text) VALUES (?)", said)
        store.execute(
            "INSERT INTO result (run, subject, status, judged, message) VALUES (?, "
            "(SELECT id FROM subject WHERE check_id = ? AND cluster = ? AND node = ?), ?, ?, "
            "(SELECT id FROM message WHERE text = ?))",
            (number, *place, str(entry.status), entry.judged, *said),
        )
    return history


def _earlier(store: sqlite3.Connection, series: Sequence[str]) -> Iterator[PastRun]:
    """The runs of one series before a start, newest first, each read when it is asked for."""
    rows = store.execute(
        "SELECT id, started, verdict, scope, narrowed, partial FROM run WHERE inventory = ? AND command = ? "
        "AND phase = ? AND targets = ? AND started < ? ORDER BY started DESC, id DESC",
        series,
    ).fetchall()
    for number, started, verdict, scope, narrowed, partial in rows:
        entries = {
            Subject(check, cluster, node or None): Entry(Status(status), bool(judged), text)
            for check, cluster, node, status, judged, text in store.execute(
                "SELECT check_id, cluster, node, status, judged, text FROM result JOIN subject ON subject.id = subject "
                "JOIN message ON message.id = message WHERE run = ?",
                (number,),
            )
        }
        yield PastRun(_moment(started), verdict, scope, bool(narrowed), bool(partial), entries)


def _runs(store: sqlite3.Connection, where: str, values: Sequence[str], limit: int | None) -> tuple[Run, ...]:
    store.row_factory = sqlite3.Row
    found = []
    for row in store.execute(
        f"SELECT * FROM run WHERE {where} ORDER BY started DESC, id DESC LIMIT {limit or -1:d}",  # noqa: S608  constants
        values,
    ).fetchall():
        counted = store.execute("SELECT status, count(*) FROM result WHERE run = ? GROUP BY status", (row["id"],))
        found.append(
            Run(
                command=row["command"],
                inventory=row["inventory"],
                phase=row["phase"],
                targets=tuple(row["targets"].splitlines()),
                scope=row["scope"],
                narrowed=bool(row["narrowed"]),
                partial=bool(row["partial"]),
                strict=bool(row["strict"]),
                started=_moment(row["started"]),
                finished=_moment(row["finished"]),
                tool_version=row["tool_version"],
                verdict=row["verdict"],
                exit_code=row["exit_code"],
                nodes=row["nodes"],
                reached=row["reached"],
                counts=dict(counted),
                good=bool(row["good"]),
            )
        )
    return tuple(found)


@contextlib.contextmanager
def _writing(path: Path, *, create: bool = True) -> Iterator[sqlite3.Connection]:
    """The history in one transaction, which is taken back where the block, or the process, does not end well."""
    target = Path(os.path.realpath(path))
    with _told(path):
        if create:
            refuse_unusable(path)
            with contextlib.suppress(FileExistsError):
                # What SQLite puts beside the file (-wal, -shm) gets the file's mode.
                os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        elif not target.exists():
            raise HistoryError(f"the history {path}: there is no such file")
        with contextlib.closing(_connect(target.as_posix(), BUSY_S)) as store:
            store.execute("BEGIN")
            _recognise(store, path)
            store.execute("COMMIT")
            _use_wal(store)
            store.execute("PRAGMA foreign_keys = ON")
            store.execute("PRAGMA synchronous = FULL")
            store.execute("BEGIN IMMEDIATE")
            if _recognise(store, path):
                for statement in STATEMENTS:
                    store.execute(statement)
            yield store
            store.execute("COMMIT")


@contextlib.contextmanager
def _reading(path: Path, *, empty: bool = False) -> Iterator[sqlite3.Connection]:
    """The history as it is, without writing anything; `empty` says whether one may be that has no tables yet."""
    target = Path(os.path.realpath(path))
    with _told(path):
        if not target.exists():
            raise HistoryError(f"the history {path}: there is no such file")
        if not target.is_file():
            raise HistoryError(f"the history {path}: this is no regular file; name another")
        # In a folder that may not be written, a file that nobody writes to is read as one that never changes.
        resting = not Path(f"{target}-wal").exists() and not os.access(target.parent, os.W_OK)
        with contextlib.closing(
            _connect(f"{target.as_uri()}?{'immutable=1' if resting else 'mode=ro'}", BUSY_S, uri=True)
        ) as store:
            store.execute("BEGIN")
            if _recognise(store, path) and not empty:
                raise HistoryError(f"the history {path}: nothing was recorded in it yet")
            yield store


def _connect(target: str, busy_s: float, *, uri: bool = False) -> sqlite3.Connection:
    return sqlite3.connect(target, timeout=busy_s, isolation_level=None, uri=uri)


def _recognise(store: sqlite3.Connection, path: Path) -> bool:
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
        cause = _CAUSES.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
        raise HistoryError(
            f"the history {path}: {cause or f'it is damaged, or no preflight history: {error}'}"
        ) from None
    except OSError as error:
        raise HistoryError(f"the history {path}: {error.strerror or error}; check who owns the folder") from None
    except ValueError as error:  # an unknown status, a time that is none, a NUL in the name
        raise HistoryError(f"the history {path}: it is damaged, or changed by hand: {error}") from None


def _stamp(moment: datetime) -> str:
    """Text that sorts like the times."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
