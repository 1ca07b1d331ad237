"""The tables of a history file, and the marks by which one is known."""

from __future__ import annotations

APPLICATION_ID = 0x70666C74
"""In the file's header, where `file` and SQLite itself look: "pflt"."""
VERSION = 2
"""Goes up with every change of the tables. Later versions are refused, earlier ones are brought up to date."""

_FIRST = (
    """
    CREATE TABLE run (
        id INTEGER PRIMARY KEY,
        inventory TEXT NOT NULL,
        command TEXT NOT NULL,
        phase TEXT NOT NULL,
        targets TEXT NOT NULL,
        scope TEXT NOT NULL,
        narrowed INTEGER NOT NULL,
        partial INTEGER NOT NULL,
        strict INTEGER NOT NULL,
        started TEXT NOT NULL,
        finished TEXT NOT NULL,
        tool_version TEXT NOT NULL,
        verdict TEXT NOT NULL,
        exit_code INTEGER NOT NULL,
        nodes INTEGER NOT NULL,
        reached INTEGER NOT NULL,
        good INTEGER NOT NULL,
        UNIQUE (inventory, command, phase, targets, scope, started)
    )
    """,
    """
    CREATE TABLE subject (
        id INTEGER PRIMARY KEY,
        check_id TEXT NOT NULL,
        cluster TEXT NOT NULL,
        node TEXT NOT NULL,
        UNIQUE (check_id, cluster, node)
    )
    """,
    "CREATE TABLE message (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE)",
    """
    CREATE TABLE result (
        run INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
        subject INTEGER NOT NULL REFERENCES subject (id),
        status TEXT NOT NULL,
        judged INTEGER NOT NULL,
        message INTEGER NOT NULL REFERENCES message (id),
        PRIMARY KEY (run, subject)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX result_message ON result (message)",
    "CREATE INDEX result_subject ON result (subject)",
    f"PRAGMA application_id = {APPLICATION_ID}",
)

# Since version 2: what a scan is about, and the words of people that it counts on.
_SECOND = (
    """
    CREATE TABLE cluster (
        run INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
        name TEXT NOT NULL,
        verdict TEXT NOT NULL,
        product TEXT NOT NULL,
        installed TEXT NOT NULL,
        target TEXT NOT NULL,
        owner TEXT NOT NULL,
        contact TEXT NOT NULL,
        PRIMARY KEY (run, name)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE word (
        run INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
        number INTEGER NOT NULL,
        kind TEXT NOT NULL,
        check_id TEXT NOT NULL,
        cluster TEXT NOT NULL,
        node TEXT NOT NULL,
        said_by TEXT NOT NULL,
        said TEXT NOT NULL,
        expires TEXT NOT NULL,
        PRIMARY KEY (run, number)
    ) WITHOUT ROWID
    """,
)
_LEVELS = (_FIRST, _SECOND)


def statements(version: int) -> tuple[str, ...]:
    """What makes a file of `version` one of `VERSION`, 0 being an empty database; to be run in one transaction."""
    missing = [statement for level in _LEVELS[max(0, version) :] for statement in level]
    return (*missing, f"PRAGMA user_version = {VERSION}") if missing else ()
