"""The tables of a history file, and the marks by which one is known."""

from __future__ import annotations

APPLICATION_ID = 0x70666C74
"""In the file's header, where `file` and SQLite itself look: "pflt"."""
VERSION = 1
"""Goes up with every change of the tables. Later versions are refused, earlier ones are brought up to date."""

STATEMENTS = (
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
    f"PRAGMA user_version = {VERSION}",
)
"""Makes an empty database a history; all in one transaction."""
