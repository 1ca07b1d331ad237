"""Keys of the tables that say how a run is made and what it writes."""

from __future__ import annotations

from scanner.inventory.settings.setting import TEXT, Key

RUN: tuple[Key, ...] = (
    Key(
        name="parallel",
        kind="integer",
        doc="Nodes that are asked at the same time.",
        otherwise="32",
        example=32,
        least=1,
        most=512,
    ),
    Key(
        name="timeout",
        kind="number",
        doc="Seconds for one node, from its login to its last answer.",
        otherwise="60",
        example=60,
        least=1,
        most=3600,
    ),
    Key(name="strict", kind="boolean", doc="Count a warning as a failure.", default=False),
    Key(
        name="history",
        kind="path",
        doc="The file that keeps each run's results, so that reports say what is new and since when.",
        otherwise="no history is kept",
        example="preflight.db",
        pattern=TEXT,
    ),
)
"""Keys of [run]: defaults of the command line's options."""

REPORTS: tuple[Key, ...] = (
    Key(name="html", kind="text", doc="A page for people.", example="preflight-report.html", pattern=TEXT),
    Key(name="junit", kind="text", doc="JUnit XML, for CI.", example="preflight-junit.xml", pattern=TEXT),
    Key(name="json", kind="text", doc="Results for programs.", example="preflight-results.json", pattern=TEXT),
    Key(
        name="markdown",
        kind="text",
        doc="A summary for tickets and chats.",
        example="preflight-summary.md",
        pattern=TEXT,
    ),
    Key(name="csv", kind="text", doc="A row per finding.", example="preflight-findings.csv", pattern=TEXT),
    Key(
        name="prometheus",
        kind="text",
        doc="Metrics for node exporter's textfile collector.",
        example="/var/lib/node_exporter/preflight.prom",
        pattern=TEXT,
    ),
)
"""Keys of [reports]: what a plain scan writes, relative to the working directory."""
