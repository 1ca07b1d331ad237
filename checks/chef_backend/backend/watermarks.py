"""How full the file system of Elasticsearch's data is, against the marks at which Elasticsearch holds back."""

from __future__ import annotations

from collections.abc import Sequence

from checks.check import NodeView
from checks.common.disk_facts import Drive, LinuxDisks
from checks.engine.installed_version import installed
from checks.engine.requirements import breach, cited, stops_to
from checks.engine.rules import Rule
from checks.engine.upgrade_path import PlanError, target_of
from checks.outcome import Outcome, passed, undetermined
from checks.versions import VersionError

_DATA = "/var/opt/chef-backend"


def judge_index(view: NodeView, rules: Sequence[Rule], disks: LinuxDisks) -> Outcome:
    """Hold the file system to the gravest mark that it has reached. `rules` are all of one node's.

    Used is what Elasticsearch takes for it: all that is not free for its own account. The blocks that a file system
    keeps for root count, so that it is never less than the share that df shows.
    """
    due = [rule for rule in rules if _is_due(rule, view)]
    path, volume = _index_of(disks)
    expected = "; ".join(rule.text for rule in due)
    if volume is None or not volume.total_bytes:
        return undetermined(f"where {path} lies is not known, and so not how full it is", expected=expected)
    used = 100 * (volume.total_bytes - volume.free_bytes) / volume.total_bytes
    # Rounded down: 84.96 % has not reached 85 %.
    observed = f"{int(used * 10) / 10} % used of {volume.name}, on which {path} lies"
    reached = [rule for rule in due if used >= _mark(rule)]
    if not reached:
        return passed(observed, expected=expected, observed=observed)
    rule = max(reached, key=lambda rule: (rule.effect == "fail", _mark(rule)))
    return breach(rule, f"{observed}, and {rule.text} is asked for", observed=observed, **cited(rule))


def _index_of(disks: LinuxDisks) -> tuple[str, Drive | None]:
    """Where the index lies; where that was not asked, it lies among the rest of the product's data."""
    if disks.index_folder:
        return disks.index_folder, disks.index
    return _DATA, dict(disks.folders).get(_DATA)


def _is_due(rule: Rule, view: NodeView) -> bool:
    """Whether a version on the way to the target asks for it. Without a target, what asks for one is not due."""
    if not rule.target:
        return True
    try:
        stops = stops_to(view.cluster, installed(view).version, target_of(view.cluster))
    except (PlanError, VersionError):
        return False
    return any(rule.applies_to(stop) for stop in stops)


def _mark(rule: Rule) -> int:
    return int(rule.requires.rpartition(" ")[2])
