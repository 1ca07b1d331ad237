from __future__ import annotations

from collections.abc import Callable

import pytest

from checks.check import ClusterInfo, NodeView
from checks.facts import UnknownFactError
from checks.outcome import Outcome, Status
from checks.secret_server.app_pool_settings import judge
from checks.secret_server.facts import (
    AppFiles,
    AppPools,
    FileVersion,
    IisApplication,
    IisConfiguration,
    PoolSetting,
    PoolSettings,
    WebRoot,
)

Clusters = Callable[..., ClusterInfo]
Nodes = Callable[..., NodeView]

ROOT = WebRoot("D:\\SS", ("registry",), ())
IIS = IisConfiguration(
    "C:\\a.config", shared=False, pools=(), applications=(IisApplication("s", "/", "d:\\ss\\", "P"),)
)
UNSET = PoolSetting("", "default")


def setting(value: str, source: str = "pool") -> PoolSetting:
    return PoolSetting(value, source)


def pools(
    runtime: PoolSetting = setting("v4.0", "applicationPoolDefaults"),  # noqa: B008
    profile: PoolSetting = setting("true"),  # noqa: B008
    processes: PoolSetting = UNSET,
    identity: PoolSetting = setting("3"),  # noqa: B008
) -> AppPools:
    return AppPools((PoolSettings("p", runtime, profile, processes, identity),))


def files(version: str) -> AppFiles:
    return AppFiles("D:\\SS", (FileVersion("Thycotic.ihawu.Business.dll", version),))


@pytest.fixture
def judged(cluster: Clusters, node: Nodes) -> Callable[..., Outcome]:
    def make(found: AppPools, *more: object, target: str | None = "11.7.000049") -> Outcome:
        return judge(node(cluster(target), ROOT, IIS, found, *more))

    return make


def test_a_pool_as_it_should_be_passes_and_its_identity_is_named(judged: Callable[..., Outcome]) -> None:
    outcome = judged(pools())
    assert outcome.status is Status.PASS
    assert "v4.0 (from applicationPoolDefaults), and runs as SpecificUser" in outcome.message
    assert "maxProcesses 1 (IIS's default)" in outcome.message


@pytest.mark.parametrize("runtime", [setting("v2.0"), setting(""), UNSET])
def test_another_runtime_fails(judged: Callable[..., Outcome], runtime: PoolSetting) -> None:
    outcome = judged(pools(runtime=runtime), files("9.1.1.0"))
    assert outcome.status is Status.FAIL
    assert "needs the .NET CLR version v4.0" in outcome.message


def test_set_to_nothing_is_no_managed_code(judged: Callable[..., Outcome]) -> None:
    assert "version No Managed Code (set on the pool)" in judged(pools(runtime=setting(""))).message


def test_before_8_5_the_runtime_is_changed_on_the_way(judged: Callable[..., Outcome]) -> None:
    outcome = judged(pools(runtime=setting("v2.0")), files("8.3.4.0"))
    assert outcome.status is Status.WARN
    assert "it is changed by hand while 9.1.000001 is installed, which is downtime" in outcome.message
    assert judged(pools(runtime=setting("v2.0")), files("8.3.4.0"), target="8.4.000004").status is Status.PASS


def test_without_the_profile_it_fails_from_10_2_on(judged: Callable[..., Outcome]) -> None:
    outcome = judged(pools(profile=setting("false")))
    assert outcome.status is Status.FAIL
    assert outcome.message.startswith("pool p has Load User Profile false (set on the pool), but 11.7.000049 needs")
    assert judged(pools(profile=setting("false")), target="10.1.000000").status is Status.PASS


def test_a_profile_that_nobody_set_is_not_loaded(judged: Callable[..., Outcome]) -> None:
    outcome = judged(pools(profile=UNSET))
    assert outcome.status is Status.FAIL
    assert "Load User Profile false (IIS's default)" in outcome.message


@pytest.mark.parametrize(("processes", "status"), [("1", "pass"), ("01", "pass"), ("4", "fail"), ("0", "warn")])
def test_one_worker_process(judged: Callable[..., Outcome], processes: str, status: str) -> None:
    assert judged(pools(processes=setting(processes))).status == status


@pytest.mark.parametrize("odd", [pools(profile=setting("maybe")), pools(processes=setting("")), AppPools(())])
def test_what_is_not_understood_is_an_error(judged: Callable[..., Outcome], odd: AppPools) -> None:
    assert judged(odd).status is Status.ERROR


def test_all_rules_off_is_not_applicable(cluster: Clusters, node: Nodes) -> None:
    off = {"off": True, "reason": "x"}
    rules = ("pool-runtime-v4", "pool-load-user-profile", "pool-one-worker-process")
    assert judge(node(cluster(overrides=dict.fromkeys(rules, off)), ROOT, IIS, pools())).status is Status.SKIP


def test_no_application_in_the_root_is_an_error(cluster: Clusters, node: Nodes) -> None:
    elsewhere = WebRoot("E:\\", (), ())
    outcome = judge(node(cluster(), elsewhere, IIS, pools()))
    assert outcome.status is Status.ERROR
    assert "applications found: s/ in d:\\ss\\" in outcome.message


def test_unknown_pools_are_not_judged(cluster: Clusters, node: Nodes) -> None:
    with pytest.raises(UnknownFactError, match="denied"):
        judge(node(cluster(), ROOT, IIS, (AppPools, "denied")))
