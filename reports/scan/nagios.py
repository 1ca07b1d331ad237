"""A scan as a Nagios or Icinga plugin says it: one line with performance data, and the plugins' own exit codes.

Source: https://nagios-plugins.org/doc/guidelines.html and
https://icinga.com/docs/icinga-2/latest/doc/05-service-monitoring/#service-monitoring-plugin-api
"""

from __future__ import annotations

import enum

from checks.outcome import Status
from checks.scan import Scan, Verdict
from reports.findings.grouping import digest
from reports.findings.headline import elapsed_s, headline
from reports.text import one_line

_CHARS = 600


class PluginCode(enum.IntEnum):
    """What a plugin ends with."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


def code(scan: Scan) -> PluginCode:
    """A NO-GO is critical; an interrupted scan is unknown, whatever it had found; a GO with warnings is a warning."""
    if scan.partial or scan.verdict is Verdict.UNKNOWN:
        return PluginCode.UNKNOWN
    if scan.verdict is Verdict.NO_GO:
        return PluginCode.CRITICAL
    warned = any(row.status is Status.WARN for row in scan.results)
    return PluginCode.WARNING if warned else PluginCode.OK


def render(scan: Scan) -> str:
    """The line. A bar would begin the performance data, so the text has none."""
    text = f"PREFLIGHT {code(scan).name} - {scan.verdict}: {headline(scan, digest(scan))}"
    bad = [one.record.name for one in scan.cluster_verdicts if one.verdict is not Verdict.GO]
    if bad:
        listed = ", ".join(bad[:5]) + (f" and {len(bad) - 5} more" if len(bad) > 5 else "")
        text += f" ({listed})"
    return f"{_plain(text)} | {_performance(scan)}\n"


def failure(message: str) -> str:
    """The line for a scan that could not be made at all."""
    return f"PREFLIGHT {PluginCode.UNKNOWN.name} - {_plain(message)}\n"


def _performance(scan: Scan) -> str:
    """`label=value[unit];warn;crit;min;max`. Thresholds are this program's own, so none are named but zero failures."""
    counts = {status: sum(1 for row in scan.results if row.status is status) for status in Status}
    told = [f"{status}={counts[status]};;{'0' if status is Status.FAIL else ''};0" for status in Status]
    reached = sum(node.reachable for node in scan.nodes)
    told += [f"nodes_reached={reached};;;0;{len(scan.nodes)}", f"time={elapsed_s(scan):.3f}s;;;0"]
    return " ".join(told)


def _plain(text: str) -> str:
    return one_line(text, _CHARS).replace("|", "/")
