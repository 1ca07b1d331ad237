r"""The application's files are the same on all web nodes.

## What it checks
Every file under the web root, hashed on its node: digests per folder, and where they differ the names of the files.
Left out is what is a node's own by design: `encryption.config`, `database.config`, `web.config` and
`web-appSettings.config` in the root (other `web*.config` there hold a node's own settings, too: that they differ is a
warning, and they are not copied), `log\`, `customresources\`, and the customer's libraries `Oracle.DataAccess.dll` and
`sapnco*.dll`. `saml.config` must be the same. Different contents fail; a file that only some nodes have is a warning,
for a copy over an old folder leaves old files behind (a `saml.config` that a node lacks fails). In the window one node
is upgraded before the others, so there all of it is a warning. The walk is bounded to 20 seconds (or half of the time
that `--timeout` leaves), 2 GB and 20,000 files; whatever it left out is named, and then there is no pass.

## Why it matters
A node whose files differ from the others' does not run with the database's version, or behaves differently from
request to request. A `saml.config` that was not copied breaks single sign-on on that node alone.

## How to fix it
Copy the application folder, without `database.config` and `encryption.config`, from a node that works to the outlier.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from checks.check import ClusterCheck, ClusterView
from checks.engine.consistency import compared
from checks.engine.wording import count
from checks.outcome import Outcome, Remediation, Severity, failed, not_applicable, passed, undetermined, warned
from checks.secret_server.facts.folder import AppTree, FolderDigest
from checks.secret_server.urls import CLUSTERING_URL

EXPECTED = "the same files on all web nodes"
_SAML = "saml.config"
_NODES_OWN = re.compile(r"\\web[^\\]*\.config")
"""Root files that hold a node's own settings: web-auth.config, web-cookie.config, web-log4net.config, ..."""
_MERGE = Remediation(
    "Compare these files line by line and keep what each node needs: they hold a node's own settings (log level, "
    "cookies, authentication) and are never copied over another node's."
)
_SHOWN = 5
_KEPT = 200
Marks = tuple[str, ...]


def judge(view: ClusterView) -> Outcome:
    """Compare the digests, then the files of the folders that differ."""
    known = {node.name: tree for node, tree in view.with_fact(AppTree)}
    gaps = [_gap(name, tree) for name, tree in known.items() if tree.stopped or tree.left_out]
    gaps += [f"{node.name}: {reason}" for node, reason in view.without_fact(AppTree)]
    observed = "; ".join(
        f"{name} {count(tree.files, 'file')}, {tree.bytes / 1e6:.1f} MB" for name, tree in known.items()
    )
    if len(view.nodes) == 1 and known:
        return not_applicable("one web node: nothing to compare", observed=observed)
    changed, scattered = _differences(known)
    own = {name: marks for name, marks in {**changed, **scattered}.items() if _NODES_OWN.fullmatch(name)}
    changed = {name: marks for name, marks in changed.items() if name not in own}
    scattered = {name: marks for name, marks in scattered.items() if name not in own}
    evidence = {
        "different": sorted(changed)[:_KEPT],
        "own": sorted(own)[:_KEPT],
        "not_everywhere": sorted(scattered)[:_KEPT],
        "left_out": {name: [f"{path}: {why}" for path, why in t.left_out[:20]] for name, t in known.items()},
    }
    tail = "".join(f"; {gap}" for gap in gaps)
    window = view.cluster.phase == "window"
    outcome = passed(f"the same files on all {len(known)} web nodes")
    if changed and not (window and gaps):
        differs = warned if window else failed
        outcome = differs(f"{_who(known, changed)} in {_listed(changed)}{tail}")
    elif gaps:
        outcome = undetermined(f"cannot compare everything{tail}")
    elif scattered:
        where = _who(known, scattered)
        outcome = warned(f"{_listed(scattered)} not on all nodes ({where}): left over, or not copied")
    elif own:
        message = f"{_who(known, own)} in {_listed(own)}, which hold a node's own settings"
        outcome = warned(message, remediation=_MERGE)
    return replace(outcome, expected=EXPECTED, observed=observed, evidence=evidence)


def _differences(trees: dict[str, AppTree]) -> tuple[dict[str, Marks], dict[str, Marks]]:
    """Files with different contents, and files that some nodes lack; each with every node's mark in their order."""
    folders = {name: {folder.path: folder for folder in tree.folders} for name, tree in trees.items()}
    changed: dict[str, Marks] = {}
    scattered: dict[str, Marks] = {}
    for path in dict.fromkeys(path for tree in folders.values() for path in tree):
        rows = [tree.get(path) for tree in folders.values()]
        if len({row.digest if row else "" for row in rows}) == 1 and not any(row and row.partial for row in rows):
            continue
        found = list(_files(path, rows, list(trees.values())))
        if len({row.digest for row in rows if row and not row.partial}) > 1 and not any(
            len({mark for mark in marks if mark != "?"}) > 1 for _, marks in found
        ):
            # The digest is over whole hashes, a mark is the head of one: what differs is not told by its name.
            found.append((f"{path}\\", tuple("?" if row is None or row.partial else row.digest for row in rows)))
        for name, marks in found:
            values = set(marks) - {"", "?"}
            if len(values) > 1 or (name == f"\\{_SAML}" and values and "" in marks):
                changed[name] = marks
            elif values and "" in marks:
                scattered[name] = marks
    return changed, scattered


def _files(path: str, rows: list[FolderDigest | None], trees: list[AppTree]) -> Iterator[tuple[str, Marks]]:
    """Each file of a folder with what every node has: 8 digits, "" where it lacks it, "?" where that is not known."""
    if any(row and row.files is None for row in rows):
        if not any(row and row.partial for row in rows):
            marks = (
                _unseen(tree, f"{path}\\") if row is None else row.digest for row, tree in zip(rows, trees, strict=True)
            )
            yield f"{path}\\", tuple(marks)
        return
    lists = [dict(row.files or ()) if row else {} for row in rows]
    for name in dict.fromkeys(name for files in lists for name in files):
        full = f"{path}\\{name}"
        pairs = zip(lists, trees, strict=True)
        yield full, tuple(files.get(name) or _unseen(tree, full) for files, tree in pairs)


def _unseen(tree: AppTree, path: str) -> str:
    """What it means that `path` is not in `tree`."""
    walked = any(path.rpartition("\\")[0] == folder.path for folder in tree.folders)
    left_out = any(path == name or (name.endswith("\\") and path.startswith(name)) for name, _ in tree.left_out)
    return "?" if left_out or (tree.stopped and not walked) else ""


def _who(trees: dict[str, AppTree], files: dict[str, Marks]) -> str:
    """Who differs from whom over all of these files."""
    marks = zip(*files.values(), strict=True)
    return compared(zip(trees, marks, strict=True)).groups.sentence()


def _listed(files: dict[str, Marks]) -> str:
    names = [name.lstrip("\\") for name in sorted(files, key=lambda name: (not name.endswith(_SAML), name))]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _gap(name: str, tree: AppTree) -> str:
    bounds = {"time": "20 s or half of the time left", "bytes": "2 GB", "files": "20,000 files"}
    read = count(tree.files, "file")
    parts = [f"the bound of {bounds[tree.stopped]} was reached after {read}"] if tree.stopped else []
    if tree.left_out:
        path, why = tree.left_out[0]
        more = f" and {len(tree.left_out) - 1} more" if len(tree.left_out) > 1 else ""
        parts.append(f"left out {path.lstrip(chr(92))}{more} ({why})")
    return f"{name}: {', '.join(parts)}"


CHECK = ClusterCheck(
    id="app-files-match",
    title="Application files are the same on all web nodes",
    severity=Severity.HIGH,
    doc=__doc__,
    remediation=Remediation(
        "Copy the application folder from a node that works to the outlier, except database.config and "
        "encryption.config; compare what only some nodes have before deleting it.",
        url=CLUSTERING_URL,
    ),
    products=("secret-server",),
    roles=("web",),
    facts=(AppTree,),
    phases={
        "before": "the same files everywhere",
        "window": "differences are a warning: one node is upgraded before the others",
        "after": "the same files everywhere",
    },
    references=(CLUSTERING_URL,),
    judge=judge,
)
