"""Who leads a Chef Backend cluster, and what each of its machines installs with, by what the nodes say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from checks.check import NodeView
from checks.chef_backend.facts.cluster import ClusterStatus, Member
from checks.chef_backend.facts.machine import ConfigDigest, FrontendApi, FrontendPackage, InstalledPackage
from checks.chef_backend.runbook.index import has_maintenance, made_by
from checks.chef_backend.runbook.site import Machine, find_leader, read_machine
from scanner.testing import node_view


def backend(name: str, *rows: Member, host: str = "", why: str = "") -> NodeView:
    unknown: dict[type, str] = {ClusterStatus: why} if why else {}
    facts = () if why else (ClusterStatus(rows),)
    return replace(node_view("chef-backend", *facts, name=name, roles=("backend",), unknown=unknown), host=host or name)


def row(name: str, role: str, ip: str = "") -> Member:
    return Member(name=name, ip=ip, guid=name, role=role, postgresql=role, elasticsearch="")


LEADER, FOLLOWER = row("b-1", "leader", "10.0.0.1"), row("b-2", "follower", "10.0.0.2")
TWO = (LEADER, FOLLOWER)


@pytest.mark.parametrize(
    ("backends", "found"),
    [
        ((backend("b-1", *TWO), backend("b-2", *TWO)), ("b-1", "b-1")),
        ((backend("b-2", *TWO), backend("b-1", *TWO)), ("b-1", "b-1")),
        # The inventory has names of its own, the cluster is met by the address; whole names and short ones meet.
        ((backend("one", *TWO, host="10.0.0.1"), backend("two", *TWO, host="10.0.0.2")), ("one", "b-1")),
        ((backend("b-1.corp.example", *TWO), backend("b-2.corp.example", *TWO)), ("b-1.corp.example", "b-1")),
        # One has the very name, the other one that begins alike: the first is meant.
        ((backend("b-1.x", LEADER, row("b-1.x", "follower")), backend("b-1", LEADER, row("b-1.x", "follower"))), "b-1"),
        ((backend("b-1", *TWO), backend("b-2", why="sudo is denied")), "who leads is unknown: b-2: sudo is denied"),
        (
            (backend("b-1", *TWO), backend("b-2", LEADER, row("b-2", "deposed"))),
            "the backends do not see the same cluster, so who leads is unknown",
        ),
        (
            tuple(backend(f"b-{n}", LEADER, row("b-2", "leader")) for n in (1, 2)),
            "cluster-status shows 2 leaders instead of one",
        ),
        ((backend("b-1", FOLLOWER), backend("b-2", FOLLOWER)), "cluster-status shows 0 leaders instead of one"),
        ((backend("b-1", *TWO),), "cluster-status shows b-2 (10.0.0.2), which is not one backend of the inventory"),
        # A row that may be either of two nodes is neither.
        (
            (backend("b-1.a", LEADER), backend("b-1.b", LEADER)),
            "cluster-status shows b-1 (10.0.0.1), which is not one backend of the inventory",
        ),
        (
            tuple(backend(name, *TWO) for name in ("b-1", "b-2", "b-3")),
            "cluster-status does not show b-3, which the inventory names",
        ),
    ],
)
def test_the_leader_is_the_node_that_every_backend_names(
    backends: tuple[NodeView, ...], found: str | tuple[str, str]
) -> None:
    told = find_leader(backends)
    if isinstance(told, str):
        assert isinstance(found, str)
        assert told.startswith(found)
    else:
        assert (told[0].name, told[1]) == (found if isinstance(found, tuple) else (found, "b-1"))


def machine(
    *facts: object, role: str = "backend", unknown: dict[type, str] | None = None, **options: object
) -> Machine:
    return read_machine(
        node_view("chef-backend", *facts, name="m", roles=(role,), unknown=unknown or {}, options=options)
    )


PACKAGE = InstalledPackage(
    manager="deb", version="2.3.16-1", state="installed", installed_s=None, now_s=0, manifest="2.3.16"
)


def config(*names: str, unclear: tuple[str, ...] = (), **more: Any) -> ConfigDigest:
    return ConfigDigest(
        **{"state": "read", **more},
        named=tuple((name, "0" * 16) for name in names),
        unclear=tuple((name, "0" * 16) for name in unclear),
    )


@pytest.mark.parametrize(
    ("found", "port", "why"),
    [
        (config("fqdn"), "9200", ""),
        (config("elasticsearch.port"), "", "chef-backend.rb sets it"),
        (config(unclear=("elasticsearch.port",)), "", "chef-backend.rb sets it"),
        # What was not read as a whole may set it further down.
        (config("fqdn", cut=True), "", "chef-backend.rb could not be read as a whole"),
        (config("fqdn", unclear=("-",)), "", "chef-backend.rb could not be read as a whole"),
        (config(state="missing"), "", "chef-backend.rb could not be read as a whole"),
    ],
)
def test_the_port_of_elasticsearch_is_the_usual_one_only_where_nothing_sets_it(
    found: ConfigDigest, port: str, why: str
) -> None:
    read = machine(PACKAGE, found)
    assert (read.search_port, read.search_unread) == (port, why)


def test_a_backend_installs_with_its_own_package_manager_and_tells_what_is_left_over() -> None:
    read = machine(PACKAGE, config("postgresql.shmall", unclear=("postgresql.shmmax",)), package="/srv/p.deb")
    assert (read.manager, read.package, read.unread) == ("deb", "/srv/p.deb", "")
    assert read.leftovers == ("postgresql.shmmax", "postgresql.shmall")
    unread = machine(unknown={InstalledPackage: "dpkg is locked", ConfigDigest: "denied"})
    assert (unread.manager, unread.unread, unread.search_unread) == ("", "dpkg is locked", "denied")
    assert unread.leftovers == ()


FRONT = FrontendPackage(version="14.6.32-1.el7", migration_level="1.30", addons=("chef-manage",))


def test_a_frontend_tells_its_version_its_manager_and_its_add_ons() -> None:
    read = machine(FRONT, role="frontend", package="/srv/backend.rpm")
    # An answer that names no manager has a release that does, and the inventory's package is one for backends.
    assert (read.version, read.manager, read.addons, read.package) == ("14.6.32-1.el7", "rpm", ("chef-manage",), "")
    assert machine(replace(FRONT, version="14.6.32-1"), role="frontend").manager == ""
    assert machine(replace(FRONT, version="14.6.32-1", manager="deb"), role="frontend").manager == "deb"
    silent = machine(role="frontend", unknown={FrontendPackage: "not answered"})
    assert (silent.version, silent.unread, silent.addons) == ("", "not answered", None)


@pytest.mark.parametrize(
    ("code", "asked", "address"),
    [
        (200, ("https://127.0.0.1:443/_status", "https://127.0.0.1:8443/_status"), "https://127.0.0.1:8443"),
        (299, ("https://127.0.0.1:443/_status",), "https://127.0.0.1:443"),
        (301, ("https://127.0.0.1:443/_status",), ""),
        (500, ("https://127.0.0.1:443/_status",), ""),
        (0, ("https://127.0.0.1:443/_status",), ""),
        (None, ("https://127.0.0.1:443/_status",), ""),
        (200, (), ""),
    ],
)
def test_a_frontend_is_asked_where_it_answered_itself(code: int | None, asked: tuple[str, ...], address: str) -> None:
    assert machine(FRONT, FrontendApi(code=code, asked=asked), role="frontend").api == address


@pytest.mark.parametrize(
    ("version", "can"),
    [
        ("14.6.32-1.el7", True),
        ("14.6.31-1.el7", False),
        ("1:15.1.2-1", True),
        ("14.6.32+20200701-1", True),
        ("nightly", False),
        ("", False),
    ],
)
def test_only_a_frontend_that_has_maintenance_is_put_into_it(version: str, *, can: bool) -> None:
    assert has_maintenance(Machine(name="f", manager="rpm", package="", version=version)) is can


@pytest.mark.parametrize(
    ("backend_version", "engine"),
    [
        ("1.4.40", ""),
        ("2.0.0", "5.4.1"),
        ("2.0.45", "5.4.1"),
        ("2.1.0", "5.6.16"),
        ("2.3.16", "5.6.16"),
        ("3.0.0", "6.8.23"),
        ("3.1.1", "6.8.23"),
    ],
)
def test_an_index_is_made_by_the_elasticsearch_that_comes_with_the_version(backend_version: str, engine: str) -> None:
    assert made_by(backend_version) == engine
