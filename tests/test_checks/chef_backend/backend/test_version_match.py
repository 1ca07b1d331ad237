"""Package, manifest and running services of all backends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from checks.check import ClusterInfo, ClusterView
from checks.chef_backend.backend.version_match import CHECK, judge
from checks.chef_backend.facts.cluster import ServiceState, ServiceStatus
from checks.chef_backend.facts.machine import InstalledPackage
from checks.chef_backend.installed import package_version
from checks.engine.evaluation import GatheredCluster, evaluate
from checks.outcome import Result, Status
from checks.versions import VersionError

DAY_S = 86_400
Chefs = Callable[..., ClusterView]


def package(version: str = "2.2.5", **changes: Any) -> InstalledPackage:
    plain = InstalledPackage(
        manager="rpm",
        version=f"{version}-1.el7",
        state="installed",
        installed_s=1_000_000,
        now_s=1_000_000 + 30 * DAY_S,
        manifest=version,
    )
    return replace(plain, **changes)


def services(uptime_s: int | None = 29 * DAY_S) -> ServiceStatus:
    return ServiceStatus(
        (ServiceState(name="etcd", running=True, pid=1, uptime_s=uptime_s, distributed="health: green", line="etcd"),),
        (),
    )


def three(chefs: Chefs, *packages: object, **changes: object) -> ClusterView:
    return chefs(*([one, services()] for one in packages), **changes)


def engine(view: ClusterView) -> Result:
    info: ClusterInfo = view.cluster
    names = frozenset(node.name for node in view.nodes)
    return evaluate([CHECK], [GatheredCluster(info, view.nodes, names)])[0]


def test_one_version_everywhere_passes(chefs: Chefs) -> None:
    outcome = judge(three(chefs, package(), package(), package(manager="deb", version="2.2.5-1")))
    assert (outcome.status, outcome.message) == (Status.PASS, "2.2.5 on all backends")


def test_the_outlier_is_named(chefs: Chefs) -> None:
    outcome = judge(three(chefs, package(), package("2.2.4"), package()))
    assert outcome.status is Status.FAIL
    assert "backend-2 differs from backend-1 and backend-3" in outcome.message


def test_a_manifest_of_another_version_fails(chefs: Chefs) -> None:
    outcome = judge(three(chefs, package(), package(), package(manifest="2.3.16")))
    assert outcome.status is Status.FAIL
    assert "backend-3: the package is 2.2.5-1.el7, its manifest says 2.3.16" in outcome.message
    assert judge(three(chefs, package(manifest=""), package())).status is Status.FAIL


def test_a_service_older_than_the_package_warns_and_says_that_it_is_inferred(chefs: Chefs) -> None:
    old = [package(), services(31 * DAY_S)]
    outcome = judge(chefs([package(), services()], old))
    assert outcome.status is Status.WARN
    assert "backend-2: etcd started before the package was installed" in outcome.message
    assert "inferred" in outcome.message


@pytest.mark.parametrize("name", ["leaderl", "epmd", "etcd", "postgresql", "elasticsearch"])
def test_after_the_window_a_service_older_than_the_package_fails(chefs: Chefs, name: str) -> None:
    rows = ("leaderl", "epmd", "etcd", "postgresql", "elasticsearch")
    status = ServiceStatus(
        tuple(replace(services().services[0], name=row, uptime_s=(31 if row == name else 29) * DAY_S) for row in rows),
        (),
    )
    done = package("2.3.16")
    view = chefs([done, services()], [done, status], phase="after")
    outcome = judge(view)
    assert outcome.status is Status.FAIL
    assert f"backend-2: {name} started before the package was installed" in outcome.message
    assert outcome.remediation is not None
    assert "upgrade" in outcome.remediation.command
    assert judge(chefs([done, services()], [done, status], phase="window")).status is Status.WARN


@pytest.mark.parametrize("phase", ["before", "window", "after"])
def test_a_running_service_that_does_not_say_since_when_is_no_pass(chefs: Chefs, phase: str) -> None:
    done = package("2.3.16")
    outcome = judge(chefs([done, services()], [done, services(None)], phase=phase))
    assert outcome.status is Status.ERROR
    assert "backend-2: when etcd started is not told" in outcome.message


def test_a_package_from_the_future_tells_nothing(chefs: Chefs) -> None:
    outcome = judge(three(chefs, package(installed_s=1_000_000 + 31 * DAY_S), package()))
    assert outcome.status is Status.ERROR
    assert "installed 86400 s from now" in outcome.message


def test_an_unknown_install_time_warns_and_is_no_pass_after_the_window(chefs: Chefs) -> None:
    assert judge(three(chefs, package(installed_s=None), package())).status is Status.WARN
    done = package("2.3.16", installed_s=None)
    assert judge(three(chefs, done, package("2.3.16"), phase="after")).status is Status.ERROR


def test_dpkg_that_has_not_finished_fails(chefs: Chefs) -> None:
    outcome = judge(three(chefs, package(), package(manager="deb", state="half-configured")))
    assert outcome.status is Status.FAIL
    assert "half-configured" in outcome.message


def test_in_the_window_two_versions_are_the_upgrade_under_way_and_three_are_not(chefs: Chefs) -> None:
    assert judge(three(chefs, package("2.3.16"), package(), package(), phase="window")).status is Status.WARN
    assert judge(three(chefs, package("2.3.16"), package(), package("2.1.0"), phase="window")).status is Status.FAIL
    assert judge(three(chefs, package(), package(), phase="window")).status is Status.PASS


def test_after_the_window_all_are_at_the_target(chefs: Chefs) -> None:
    assert judge(three(chefs, package("2.3.16"), package("2.3.16"), phase="after")).status is Status.PASS
    outcome = judge(three(chefs, package("2.3.16"), package(), phase="after"))
    assert outcome.status is Status.FAIL
    assert "not at the target 2.3.16: backend-2" in outcome.message
    assert judge(three(chefs, package(), phase="after", target=None)).status is Status.ERROR


def test_no_package_at_all_cannot_be_judged(chefs: Chefs) -> None:
    none = InstalledPackage(manager="", version="", state="", installed_s=None, now_s=1, manifest="")
    assert judge(three(chefs, package(), none)).status is Status.ERROR
    assert judge(chefs()).status is Status.ERROR


def test_unknown_services_are_no_pass(chefs: Chefs) -> None:
    outcome = judge(chefs([package(), (ServiceStatus, "garbled line")], [package(), services()]))
    assert outcome.status is Status.ERROR
    assert "garbled line" in outcome.message


def test_a_node_that_is_down_is_a_gap_and_does_not_hide_an_outlier(chefs: Chefs) -> None:
    assert engine(chefs([package(), services()], None)).status is Status.ERROR
    assert engine(chefs([package(), services()], [package("2.2.4"), services()], None)).status is Status.FAIL


def test_a_package_that_is_no_version_is_garbled(chefs: Chefs) -> None:
    with pytest.raises(VersionError):
        package_version("latest-1")
    assert str(package_version("1:2.0.30+20180629083321-1")) == "2.0.30"
    assert judge(three(chefs, package("new"), package("new"))).status is not Status.PASS


@pytest.mark.parametrize(
    ("age_s", "uptime_s", "status"),
    [
        (0, 5, Status.WARN),
        (0, 0, Status.PASS),
        (60, 59, Status.PASS),
        (60, 60, Status.PASS),
        (60, 61, Status.WARN),
        (-1, 5, Status.ERROR),
    ],
)
def test_a_service_is_older_by_a_second(chefs: Chefs, age_s: int, uptime_s: int, status: Status) -> None:
    new = package(installed_s=1_000_000, now_s=1_000_000 + age_s)
    assert judge(chefs([package(), services()], [new, services(uptime_s)])).status is status


@pytest.mark.parametrize(("version", "manifest"), [("2.2.5-1.el7", "no version"), ("no version", "2.2.5")])
def test_what_is_no_version_is_no_agreement(chefs: Chefs, version: str, manifest: str) -> None:
    outcome = judge(three(chefs, package(), replace(package(), version=version, manifest=manifest)))
    assert outcome.status is Status.FAIL
    assert f"backend-2: the package is {version}, its manifest says {manifest}" in outcome.message
