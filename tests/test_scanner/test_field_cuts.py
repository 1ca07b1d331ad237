"""What was not seen is not fine: the field's healthy texts with a piece missing, through readers and checks.

Each text is cut after any character, has one line less, one cell less, one part of a cell less. No check may pass on
it, unless what is missing is nothing that anybody goes by.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

import pytest

from checks.check import Check, ClusterInfo, NodeView
from checks.chef_backend.facts.cluster import ChefBackendVersion
from checks.chef_backend.facts.machine import FrontendApi, InstalledPackage
from checks.common.disk_facts import LinuxDisks
from checks.engine.evaluation import GatheredCluster, evaluate
from checks.facts import Unknown
from checks.outcome import Status
from checks.registry import BUILTIN as CHECKS
from checks.registry import PRODUCTS
from scanner.probes.probe import Answer, UnreadableError
from scanner.rule_data import load_rules
from tests.field.samples import FOLDER, readers

MEMBERS, STATUS = "chef/cluster-status.txt", "chef/status-2x.txt"
OLD = "chef/status-1x.txt"
FRONTEND = "chef/frontend-status-healthy-pg-notice.stdout.txt"
DISKS = "linux/df-ext4-overlay.txt"


def text(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def cuts(whole: str) -> Iterator[str]:
    yield from (whole[:end] for end in range(len(whole)))


def lines_less(whole: str) -> Iterator[str]:
    lines = whole.splitlines(keepends=True)
    yield from ("".join(lines[:at] + lines[at + 1 :]) for at in range(len(lines)))


def cells_less(whole: str) -> Iterator[str]:
    """Each cell of each row gone, with blanks in its place and without."""
    lines = whole.splitlines(keepends=True)
    for at, line in enumerate(lines):
        for cell in re.finditer(r"\S+(?: \S+)*", line):
            for stand_in in ("", " " * len(cell[0])):
                damaged = line[: cell.start()] + stand_in + line[cell.end() :]
                yield "".join([*lines[:at], damaged, *lines[at + 1 :]])


def parts_less(whole: str) -> Iterator[str]:
    """Each `name: value` of each last column gone."""
    for found in re.finditer(r"(?:[\w /-]+: [\w/-]+)(?:; )?", whole):
        yield whole[: found.start()] + whole[found.end() :]


def facts_of(reader: str, said: str) -> dict[type, object]:
    probe, read = readers()[reader]
    kind = next(kind for kind, each in probe.readers if each is read)
    try:
        return {kind: read(Answer(said, 0))}
    except UnreadableError as error:
        return {kind: Unknown(str(error))}


def passes(checks: Sequence[Check], role: str, version: str, *nodes: dict[type, object]) -> bool:
    """Whether every one of `checks` passes on the last node, or on the cluster of all."""
    info = ClusterInfo("chef", "chef-backend", rules=load_rules("chef-backend"), definition=PRODUCTS[1])
    package = InstalledPackage(
        manager="rpm",
        version=f"{version}-1.el7",
        state="installed",
        installed_s=1,
        now_s=400 * 86_400,
        manifest=version,
    )
    told = {ChefBackendVersion: ChefBackendVersion(version), InstalledPackage: package}
    views = tuple(
        NodeView(cluster=info, name=f"node-{at}", host=f"node-{at}", roles=frozenset({role}), facts={**told, **facts})
        for at, facts in enumerate(nodes, 1)
    )
    results = evaluate(checks, [GatheredCluster(info, views, frozenset(view.name for view in views))])
    concerned = [result for result in results if result.node in (None, views[-1].name)]
    assert concerned
    return all(result.status is Status.PASS for result in concerned)


def check_of(check_id: str) -> Check:
    return next(check for check in CHECKS if check.id == check_id)


def damaged(whole: str, *ways: Callable[[str], Iterator[str]]) -> list[str]:
    found = dict.fromkeys(piece for way in ways for piece in way(whole))
    # Blanks mean nothing, and neither does the last line's end where every cell of it is there.
    return [piece for piece in found if piece.split() != whole.split()]


@pytest.mark.parametrize(
    ("reader", "name", "version"),
    [
        ("read_cluster_status", MEMBERS, "2.3.16"),
        ("read_service_status", STATUS, "2.3.16"),
        ("read_service_status", OLD, "1.2.5"),
    ],
)
def test_no_piece_of_a_backend_s_tables_may_be_missing(reader: str, name: str, version: str) -> None:
    status = text(OLD) if version.startswith("1.") else text(STATUS)
    healthy = facts_of("read_cluster_status", text(MEMBERS)) | facts_of("read_service_status", status)
    pieces = damaged(text(name), cuts, lines_less, cells_less, parts_less)
    assert len(pieces) > 200
    # When a service started is the affair of the second.
    checks = (check_of("chef-cluster-status"), check_of("chef-version-match"))
    assert passes(checks, "backend", version, healthy, healthy, healthy)
    assert not [
        piece
        for piece in pieces
        if passes(checks, "backend", version, healthy, healthy, healthy | facts_of(reader, piece))
    ]


def test_no_piece_of_a_frontend_s_services_may_be_missing() -> None:
    api = {
        FrontendApi: FrontendApi(
            code=200, status="pong", upstreams=(("chef_sql", "pong"), ("oc_chef_authz", "pong"), ("chef_solr", "pong"))
        )
    }
    checks = (check_of("chef-frontend-status"),)
    assert passes(checks, "frontend", "2.3.16", facts_of("read_frontend_services", text(FRONTEND)) | api)
    pieces = damaged(text(FRONTEND), cuts, lines_less, cells_less)
    left = [p for p in pieces if passes(checks, "frontend", "2.3.16", facts_of("read_frontend_services", p) | api)]
    # Headings say nothing, and not every version has an opscode-expander.
    whole = {
        line for line in text(FRONTEND).splitlines() if line.startswith("run: ") and "opscode-expander" not in line
    }
    assert not [piece for piece in left if not whole <= set(piece.splitlines())]


def test_no_piece_of_df_s_answer_may_be_missing() -> None:
    checks = (check_of("disk-space"),)
    roomy = text(DISKS).replace("3379260    441204      89%", "1379260   2441204      37%")
    assert passes(checks, "backend", "2.3.16", facts_of("read_linux_disks", roomy))
    # What does not begin so was collected before the index was asked for.
    pieces = [piece for piece in damaged(roomy, cuts, lines_less, cells_less) if piece.startswith("index /var/")]
    left = [p for p in pieces if passes(checks, "backend", "2.3.16", facts_of("read_linux_disks", p))]
    # Headings say nothing, and another disk that is not seen makes none of these any larger.
    whole = facts_of("read_linux_disks", roomy)[LinuxDisks]
    assert isinstance(whole, LinuxDisks)
    for piece in left:
        seen = facts_of("read_linux_disks", piece)[LinuxDisks]
        assert isinstance(seen, LinuxDisks)
        assert set(seen.drives) <= set(whole.drives)
        assert (seen.folders, seen.index_folder, seen.index) == (whole.folders, whole.index_folder, whole.index), piece
