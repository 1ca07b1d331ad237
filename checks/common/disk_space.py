"""Every host has the disk space that its role asks for.

## What it checks
The size of a host's local disks, as its file systems add up to it, against the hardware minimum of its role: 25 GB for
a web node and 50 GB for the database host of Secret Server, 50 GB for a backend and 20 GB for a frontend of Chef.
Nothing says whether size or free space is meant: less than that in all misses it either way. As partitions without a
file system are not seen, up to a tenth less is a warning. Free space is a warning as well where it is short for the
upgrade itself (inferred); only Chef documents it, 250 MB in each of a backend's two folders, which must not lie on a
network file system. What Elasticsearch takes for a full disk is held to its watermarks: from 85 % used of the file
system that holds its data a warning, from 95 % on the way to Chef Backend 3 a failure. A file system that is drawn over
another one is not added up.

## Why it matters
An upgrade that runs out of space stops half-way: with files of two versions, or with a database that takes no more
transactions and cannot be restored on the same disk. From 85 % on Elasticsearch allocates no more shards to a node;
from 95 % on the one of Chef Backend 3 makes its indexes read-only: searches go stale, and a reindex does not end.

## How to fix it
Enlarge the disk that is named, or clear old backups and logs from it, before the window.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from checks.check import NodeCheck, NodeView
from checks.common.disk_facts import Disks, Drive, LinuxDisks
from checks.common.sql_port_alone import fact_of_host
from checks.engine.requirements import breach, cited
from checks.engine.rules import Rule
from checks.engine.ways_out import UNSEEN
from checks.outcome import Outcome, Remediation, Severity, combine, not_applicable, passed, undetermined, warned

ID = "disk-space"
GB = 10**9
MB = 10**6
NETWORK = (
    "nfs",
    "cifs",
    "smb",
    "fuse.sshfs",
    "fuse.gluster",
    "glusterfs",
    "ceph",
    "fuse.ceph",
    "lustre",
    "gpfs",
    "afs",
)
"""How the types of network file systems begin."""
_SLACK = 0.9
_MARK = re.compile(r"\w+ used-percent \d{1,3}")

JudgeMarks = Callable[[NodeView, Sequence[Rule], LinuxDisks], Outcome]
Relevant = Callable[[Disks, str, NodeView], list[str]]


def of(
    product: str,
    *,
    roles: tuple[str, ...],
    facts: tuple[type, ...],
    references: tuple[str, ...],
    judge_marks: JudgeMarks | None = None,
    relevant: Relevant | None = None,
) -> NodeCheck:
    """The check as a product has it, for nodes with one of `roles`; `facts` hold its machines' disks.

    `judge_marks` judges the rules "ROLE used-percent N"; `relevant` says which folders on Windows matter to a role:
    else it is the system drive.
    """

    def judge(view: NodeView) -> Outcome:
        return _judge(view, judge_marks, relevant or _system)

    return replace(_CHECK, products=(product,), roles=roles, optional_facts=facts, references=references, judge=judge)


def _judge(view: NodeView, judge_marks: JudgeMarks | None, relevant: Relevant) -> Outcome:
    """Judge the disks by each rule of the node's roles."""
    windows = view.cluster.definition.platform == "windows"
    found: Disks | LinuxDisks | Outcome = fact_of_host(view, Disks) if windows else fact_of_host(view, LinuxDisks)
    if isinstance(found, Outcome):
        return found
    rules = [rule for rule in view.cluster.rules.of(ID) if rule.requires.partition(" ")[0] in view.roles]
    marks = [rule for rule in rules if judge_marks and _MARK.fullmatch(rule.requires)]
    outcomes = [_judged(rule, found, view, relevant) for rule in rules if rule not in marks]
    if judge_marks and isinstance(found, LinuxDisks) and marks:
        outcomes.append(judge_marks(view, marks, found))
    return combine(outcomes) if outcomes else not_applicable("no known requirement for this role")


def _judged(rule: Rule, disks: Disks | LinuxDisks, view: NodeView, relevant: Relevant) -> Outcome:
    role, measure, number = [*rule.requires.split(" "), "", ""][:3]
    if measure == "local" and isinstance(disks, LinuxDisks):
        return _local(rule, disks)
    if measure not in ("total-gb", "free-gb", "free-mb") or not number.isdecimal():
        ways = "'ROLE total-gb N', 'ROLE free-gb N', 'ROLE free-mb N' or 'ROLE used-percent N'"
        return undetermined(f"rule {rule.id}: requires = {rule.requires!r} is none of {ways}")
    wanted = int(number) * (MB if measure == "free-mb" else GB)
    if measure == "total-gb":
        return _total(rule, disks, wanted)
    if isinstance(disks, LinuxDisks):
        return _folders(rule, disks, wanted)
    return _drives(rule, disks, wanted, relevant(disks, role, view))


def _total(rule: Rule, disks: Disks | LinuxDisks, wanted: int) -> Outcome:
    drives = disks.drives
    total = sum(drive.total_bytes for drive in drives)
    listed = ", ".join(f"{drive.name} {_size(drive.total_bytes)}" for drive in drives)
    observed = f"{_size(total)} of local disk in all ({listed})"
    if total >= wanted:
        return passed(observed, expected=rule.text, observed=observed, total_bytes=total)
    if isinstance(disks, Disks) and any(drive.quota for drive in drives):
        message = f"{observed}; a disk quota of the scanner's account hides how large {_quotas(drives)} is"
        return undetermined(message, expected=rule.text, observed=observed, total_bytes=total)
    if total >= wanted * _SLACK:
        message = f"{observed}, and {rule.text} is asked for; the disk itself may be larger than its file systems"
        return warned(message, expected=rule.text, observed=observed, total_bytes=total)
    return _breach(rule, observed)


def _system(disks: Disks, _role: str, _view: NodeView) -> list[str]:
    return [disks.system]


def _drives(rule: Rule, disks: Disks, wanted: int, folders: list[str]) -> Outcome:
    outcomes: dict[str, Outcome] = {}
    for folder in folders:
        drive = next((drive for drive in disks.drives if folder[:2].upper() == drive.name), None)
        if drive is None:
            message = f"{folder} lies on none of the drives that were seen, so its free space is not known"
            outcomes[folder] = warned(message, expected=rule.text, observed=folder, remediation=UNSEEN)
        else:
            outcomes[drive.name] = _free(rule, drive, wanted)
    return combine(list(outcomes.values()))


def _folders(rule: Rule, disks: LinuxDisks, wanted: int) -> Outcome:
    outcomes = [
        _free(rule, Drive(path, volume.total_bytes, volume.free_bytes), wanted)
        if volume
        else undetermined(f"{path} does not exist", expected=rule.text)
        for path, volume in disks.folders
    ]
    return combine(outcomes)


def _quotas(drives: Sequence[Drive]) -> str:
    return " and ".join(drive.name for drive in drives if drive.quota)


def _free(rule: Rule, drive: Drive, wanted: int) -> Outcome:
    quota = f" (a disk quota gives the scanner's account {_size(drive.total_bytes)} of it)" if drive.quota else ""
    observed = f"{_size(drive.free_bytes)} free on {drive.name}{quota}"
    if drive.free_bytes >= wanted:
        return passed(observed, expected=rule.text, observed=observed)
    return _breach(rule, observed)


def _local(rule: Rule, disks: LinuxDisks) -> Outcome:
    remote = [f"{path} lies on {volume.kind}" for path, volume in disks.folders if volume and _is_remote(volume.kind)]
    if remote:
        return _breach(rule, ", ".join(remote))
    kinds = ", ".join(dict.fromkeys(volume.kind for _, volume in disks.folders if volume))
    return passed(f"file systems: {kinds or 'none'}", expected=rule.text, observed=kinds)


def _is_remote(kind: str) -> bool:
    return kind.lower().startswith(NETWORK)


def _breach(rule: Rule, observed: str) -> Outcome:
    return breach(rule, f"{observed}, and {rule.text} is asked for", observed=observed, **cited(rule))


def _size(size_bytes: int) -> str:
    return f"{size_bytes / GB:.1f} GB" if size_bytes >= GB else f"{size_bytes / MB:.0f} MB"


_CHECK = NodeCheck(
    id=ID,
    title="There is enough disk space",
    severity=Severity.HIGH,
    doc=__doc__,
    remediation=Remediation(
        "Enlarge the disk that is named, or clear old backups and logs from it, before the window."
    ),
    judge=lambda view: _judge(view, None, _system),
)
