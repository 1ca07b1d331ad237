from __future__ import annotations

from collections.abc import Callable

import pytest

from checks.check import ClusterInfo, NodeView
from checks.facts import UnknownFactError
from checks.outcome import Status
from checks.secret_server.facts.node import AppPool, IisApplication, IisConfiguration, WebRoot
from checks.secret_server.iis.integrated_pipeline import judge

Clusters = Callable[..., ClusterInfo]
Nodes = Callable[..., NodeView]

ROOT = WebRoot(r"C:\inetpub\wwwroot\SecretServer", ("registry",), ())
CONFIG = r"C:\Windows\System32\inetsrv\config\applicationHost.config"
INTEGRATED = AppPool("SecretServer", "Integrated", "default")
CLASSIC = AppPool("SecretServer", "Classic", "pool")


def application(
    pool: str = "SecretServer", folder: str = ROOT.path, path: str = "/SecretServer", site: str = "Default Web Site"
) -> IisApplication:
    return IisApplication(site=site, path=path, physical_path=folder, pool=pool)


def iis(*parts: AppPool | IisApplication) -> IisConfiguration:
    pools = tuple(part for part in parts if isinstance(part, AppPool))
    applications = tuple(part for part in parts if isinstance(part, IisApplication))
    return IisConfiguration(path=CONFIG, shared=False, pools=pools, applications=applications)


def test_an_integrated_pool_passes(cluster: Clusters, node: Nodes) -> None:
    outcome = judge(node(cluster(), ROOT, iis(INTEGRATED, application())))
    assert outcome.status is Status.PASS
    assert outcome.message == "pool SecretServer of Default Web Site/SecretServer is Integrated (IIS's default)"


def test_a_classic_pool_fails(cluster: Clusters, node: Nodes) -> None:
    outcome = judge(node(cluster(), ROOT, iis(CLASSIC, application())))
    assert outcome.status is Status.FAIL
    assert "is Classic (set on the pool), but 11.7.000049 needs the Integrated pipeline mode" in outcome.message


def test_the_defaults_for_pools_are_named_as_the_cause(cluster: Clusters, node: Nodes) -> None:
    pool = AppPool("SecretServer", "Classic", "applicationPoolDefaults")
    outcome = judge(node(cluster(), ROOT, iis(pool, application())))
    assert outcome.status is Status.FAIL
    assert "(from applicationPoolDefaults)" in outcome.message


@pytest.mark.parametrize("mode", ["1", "CLASSIC", "classic"])
def test_a_mode_counts_however_it_is_spelt(cluster: Clusters, node: Nodes, mode: str) -> None:
    pool = AppPool("SecretServer", mode, "pool")
    assert judge(node(cluster(), ROOT, iis(pool, application()))).status is Status.FAIL


def test_a_mode_that_is_not_known_is_an_error(cluster: Clusters, node: Nodes) -> None:
    outcome = judge(node(cluster(), ROOT, iis(AppPool("SecretServer", "Turbo", "pool"), application())))
    assert outcome.status is Status.ERROR
    assert "'Turbo'" in outcome.message


@pytest.mark.parametrize(
    "folder",
    [
        r"c:\INETPUB\wwwroot\secretserver",
        "C:\\inetpub\\wwwroot\\SecretServer\\",
        "C:/inetpub/wwwroot/SecretServer",
        r"C:\inetpub\\wwwroot\SecretServer",
        "\\\\?\\C:\\inetpub\\wwwroot\\SecretServer",
    ],
)
def test_the_application_is_found_by_its_folder(cluster: Clusters, node: Nodes, folder: str) -> None:
    other = application("Other", r"C:\inetpub\wwwroot\SecretServerOld", "/SecretServer", "Old")
    assert judge(node(cluster(), ROOT, iis(INTEGRATED, other, application(folder=folder)))).status is Status.PASS


def test_a_share_is_a_folder_of_its_own(cluster: Clusters, node: Nodes) -> None:
    root = WebRoot(r"\\files\web\SecretServer", ("iis",), ())
    found = iis(INTEGRATED, application(folder=r"\\FILES\web\SecretServer"))
    assert judge(node(cluster(), root, found)).status is Status.PASS


def test_one_of_several_applications_in_the_root_fails(cluster: Clusters, node: Nodes) -> None:
    second = application("Legacy", path="/", site="Vault")
    outcome = judge(node(cluster(), ROOT, iis(INTEGRATED, AppPool("Legacy", "Classic", "pool"), application(), second)))
    assert outcome.status is Status.FAIL
    assert "pool Legacy of Vault/ is Classic" in outcome.message
    assert "pool SecretServer" not in outcome.message


def test_no_application_there_is_an_error_with_what_was_found(cluster: Clusters, node: Nodes) -> None:
    outcome = judge(node(cluster(), ROOT, iis(INTEGRATED, application(folder=r"D:\vault"))))
    assert outcome.status is Status.ERROR
    assert r"Default Web Site/SecretServer in D:\vault" in outcome.message


def test_an_empty_configuration_is_an_error(cluster: Clusters, node: Nodes) -> None:
    outcome = judge(node(cluster(), ROOT, iis()))
    assert outcome.status is Status.ERROR
    assert outcome.message.endswith("applications found: none")


def test_a_pool_that_is_named_but_not_defined_is_an_error(cluster: Clusters, node: Nodes) -> None:
    outcome = judge(node(cluster(), ROOT, iis(AppPool("DefaultAppPool", "Integrated", "default"), application())))
    assert outcome.status is Status.ERROR
    assert "pool SecretServer, which is not defined; pools found: DefaultAppPool" in outcome.message


def test_no_pool_at_all_is_an_error(cluster: Clusters, node: Nodes) -> None:
    assert judge(node(cluster(), ROOT, iis(INTEGRATED, application("")))).status is Status.ERROR


def test_pool_names_know_no_case(cluster: Clusters, node: Nodes) -> None:
    assert judge(node(cluster(), ROOT, iis(INTEGRATED, application("SECRETSERVER")))).status is Status.PASS


def test_before_ten_the_mode_does_not_matter(cluster: Clusters, node: Nodes) -> None:
    assert judge(node(cluster("9.1.000001"), ROOT, iis(CLASSIC, application()))).status is Status.SKIP


@pytest.mark.parametrize("facts", [(ROOT, (IisConfiguration, "denied")), ((WebRoot, "denied"), iis())])
def test_unknown_facts_are_not_judged(cluster: Clusters, node: Nodes, facts: tuple[object, ...]) -> None:
    with pytest.raises(UnknownFactError, match="denied"):
        judge(node(cluster(), *facts))


def test_what_no_rule_asks_for_need_not_be_read(cluster: Clusters, node: Nodes) -> None:
    unread = (IisConfiguration, "the share cannot be read")
    assert judge(node(cluster("9.1.000001"), ROOT, unread)).status is Status.SKIP
