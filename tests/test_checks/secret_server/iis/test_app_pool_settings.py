from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from checks.check import ClusterInfo, NodeView
from checks.facts import UnknownFactError
from checks.outcome import Outcome, Status
from checks.secret_server.facts.node import (
    AppFiles,
    AppPools,
    FileVersion,
    IisApplication,
    IisConfiguration,
    IsapiRestriction,
    PoolSetting,
    PoolSettings,
    WebRoot,
)
from checks.secret_server.iis.app_pool_settings import judge

Clusters = Callable[..., ClusterInfo]
Nodes = Callable[..., NodeView]

ROOT = WebRoot("D:\\SS", ("registry",), ())
IIS = IisConfiguration(
    path="C:\\a.config",
    shared=False,
    pools=(),
    applications=(IisApplication(site="s", path="/", physical_path="d:\\ss\\", pool="P"),),
)
UNSET = PoolSetting("", "default")


def setting(value: str, source: str = "pool") -> PoolSetting:
    return PoolSetting(value, source)


def pools(
    runtime: PoolSetting = setting("v4.0", "applicationPoolDefaults"),  # noqa: B008
    profile: PoolSetting = setting("true"),  # noqa: B008
    processes: PoolSetting = UNSET,
    identity: PoolSetting = setting("3"),  # noqa: B008
    bits_32: PoolSetting = UNSET,
    start: PoolSetting = UNSET,
) -> AppPools:
    return AppPools(
        (
            PoolSettings(
                name="p",
                runtime=runtime,
                load_user_profile=profile,
                max_processes=processes,
                identity_type=identity,
                enable_32_bit=bits_32,
                auto_start=start,
            ),
        )
    )


UNTOLD = PoolSetting("", "")


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


def test_a_pool_of_64_bits_that_starts_by_itself_is_said_to_be_one(judged: Callable[..., Outcome]) -> None:
    message = judged(pools(bits_32=setting("false"), start=setting("true"))).message
    assert "pool p runs with 64 bits" in message
    assert "pool p starts by itself" in message


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (pools(bits_32=setting("true")), "pool p runs with 32 bits, but 11.7.000049 asks for a pool of 64 bits"),
        (pools(start=setting("0")), "pool p does not start by itself, but 11.7.000049 asks for"),
        (pools(bits_32=setting("perhaps")), "enable32BitAppOnWin64 is 'perhaps', not true or false"),
        (pools(bits_32=UNTOLD), "whether pool p runs with 32 or 64 bits is not known"),
        (pools(start=UNTOLD), "whether pool p and its site start by themselves is not known"),
        (pools(start=UNTOLD), "whether IIS lets ASP.NET 4 run is not known"),
    ],
)
def test_what_was_not_asked_is_no_better_than_what_is_wrong(
    judged: Callable[..., Outcome], found: AppPools, says: str
) -> None:
    outcome = judged(found)
    assert outcome.status is Status.WARN
    assert says in outcome.message
    assert "64 bits (" not in outcome.message


@pytest.mark.parametrize("found", [pools(bits_32=UNTOLD), pools(start=UNTOLD)])
def test_where_the_site_made_a_rule_of_it_what_was_not_asked_is_undetermined(
    cluster: Clusters, node: Nodes, found: AppPools
) -> None:
    hard = {"effect": "fail", "reason": "house rule"}
    view = node(cluster(overrides={"pool-64-bit": hard, "pool-auto-start": hard}), ROOT, IIS, found)
    assert judge(view).status is Status.ERROR


def test_in_the_window_a_pool_need_not_start_by_itself(cluster: Clusters, node: Nodes) -> None:
    view = node(replace(cluster(), phase="window"), ROOT, IIS, pools(start=setting("false")))
    assert judge(view).status is Status.PASS


def test_a_setting_that_is_set_and_not_told_is_undetermined(judged: Callable[..., Outcome]) -> None:
    assert judged(pools(bits_32=setting(""))).status is Status.ERROR


@pytest.mark.parametrize(
    ("path", "allowed", "status"),
    [
        ("%windir%\\Microsoft.NET\\Framework64\\v4.0.30319\\aspnet_isapi.dll", "false", Status.WARN),
        ("%windir%\\Microsoft.NET\\Framework64\\v4.0.30319\\aspnet_isapi.dll", "", Status.WARN),
        ("%windir%\\Microsoft.NET\\Framework64\\v4.0.30319\\aspnet_isapi.dll", "true", Status.PASS),
        ("%windir%\\Microsoft.NET\\Framework64\\v2.0.50727\\aspnet_isapi.dll", "false", Status.PASS),
        ("%windir%\\Microsoft.NET\\Framework\\v4.0.30319\\aspnet_isapi.dll", "false", Status.PASS),
    ],
)
def test_iis_has_to_let_asp_net_4_of_64_bits_run(
    cluster: Clusters, node: Nodes, path: str, allowed: str, status: Status
) -> None:
    iis = replace(IIS, isapi=(IsapiRestriction(path, allowed, "ASP.NET"),))
    assert judge(node(cluster(), ROOT, iis, pools())).status is status


def test_the_site_has_to_start_by_itself_too(cluster: Clusters, node: Nodes) -> None:
    iis = replace(IIS, applications=(replace(IIS.applications[0], site_auto_start="false"),))
    outcome = judge(node(cluster(), ROOT, iis, pools()))
    assert outcome.status is Status.WARN
    assert "site s does not start by itself" in outcome.message
    window = replace(cluster(), phase="window")
    assert judge(node(window, ROOT, iis, pools())).status is Status.PASS


@pytest.mark.parametrize("odd", [pools(profile=setting("maybe")), pools(processes=setting("")), AppPools(())])
def test_what_is_not_understood_is_an_error(judged: Callable[..., Outcome], odd: AppPools) -> None:
    assert judged(odd).status is Status.ERROR


def test_all_rules_off_is_not_applicable(cluster: Clusters, node: Nodes) -> None:
    off = {"off": True, "reason": "x"}
    rules = (
        *("pool-runtime-v4", "pool-load-user-profile", "pool-one-worker-process"),
        *("pool-64-bit", "pool-auto-start", "asp-net-allowed"),
    )
    assert judge(node(cluster(overrides=dict.fromkeys(rules, off)), ROOT, IIS, pools())).status is Status.SKIP


def test_no_application_in_the_root_is_an_error(cluster: Clusters, node: Nodes) -> None:
    elsewhere = WebRoot("E:\\", (), ())
    outcome = judge(node(cluster(), elsewhere, IIS, pools()))
    assert outcome.status is Status.ERROR
    assert "applications found: s/ in d:\\ss\\" in outcome.message


def test_unknown_pools_are_not_judged(cluster: Clusters, node: Nodes) -> None:
    with pytest.raises(UnknownFactError, match="denied"):
        judge(node(cluster(), ROOT, IIS, (AppPools, "denied")))


@pytest.mark.parametrize(
    ("found", "requires", "status", "command"),
    [
        (pools(bits_32=setting("true")), "bits=64", Status.WARN, "/enable32BitAppOnWin64:false"),
        (pools(bits_32=setting("false")), "bits=32", Status.WARN, "/enable32BitAppOnWin64:true"),
        (pools(bits_32=setting("true")), "bits=32", Status.PASS, ""),
        (pools(bits_32=setting("perhaps")), "bits=64", Status.WARN, "/enable32BitAppOnWin64:false"),
        (pools(bits_32=setting("perhaps")), "bits=32", Status.WARN, "/enable32BitAppOnWin64:true"),
        (pools(start=setting("false")), "", Status.WARN, "/autoStart:true"),
        (pools(start=setting("perhaps")), "", Status.WARN, "/autoStart:true"),
        (pools(runtime=setting("v2.0")), "", Status.FAIL, "/managedRuntimeVersion:v4.0"),
        (pools(bits_32=setting("false")), "bits=", Status.ERROR, ""),
        (pools(bits_32=setting("false")), "width=64", Status.ERROR, ""),
    ],
)
def test_the_command_sets_what_the_rule_asks_for(
    cluster: Clusters, node: Nodes, found: AppPools, requires: str, status: Status, command: str
) -> None:
    info = cluster(current="11.6.000003")
    rules = tuple(
        replace(rule, requires=requires) if requires and rule.id == "pool-64-bit" else rule for rule in info.rules.rules
    )
    outcome = judge(node(replace(info, rules=replace(info.rules, rules=rules)), ROOT, IIS, found))
    assert outcome.status is status, outcome.message
    if command:
        assert outcome.remediation is not None
        assert command in outcome.remediation.command
        assert "apppool" in outcome.remediation.command.lower()
    elif status is Status.ERROR:
        assert f"requires = {requires!r} is none of runtime=VALUE" in outcome.message


def test_an_isapi_restriction_is_named_as_people_see_it_else_by_its_file(cluster: Clusters, node: Nodes) -> None:
    path = "%windir%\\Microsoft.NET\\Framework64\\v4.0.30319\\aspnet_isapi.dll"
    for description, name in (("ASP.NET", "ASP.NET"), ("", path)):
        iis = replace(IIS, isapi=(IsapiRestriction(path, "false", description),))
        outcome = judge(node(cluster(), ROOT, iis, pools()))
        assert f"the ISAPI restriction {name} is not allowed" in outcome.message


def test_the_command_lets_the_site_start_by_itself(cluster: Clusters, node: Nodes) -> None:
    iis = replace(IIS, applications=(replace(IIS.applications[0], site_auto_start="false"),))
    remedy = judge(node(cluster(), ROOT, iis, pools())).remediation
    assert remedy is not None
    assert remedy.command.endswith('set site /site.name:"s" /serverAutoStart:true')
