"""Which applications serve Secret Server, and what a machine that has none looks like."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from checks.check import ClusterView, NodeView
from checks.facts import Unknown
from checks.outcome import Outcome, Status
from checks.secret_server.facts.folder import EncryptionConfig
from checks.secret_server.facts.host import PoolStates
from checks.secret_server.facts.node import (
    AppPools,
    IisApplication,
    IisConfiguration,
    PoolSetting,
    PoolSettings,
    WebRoot,
)
from checks.secret_server.iis import (
    app_pool_settings,
    app_pool_state,
    authentication,
    iwa_folders,
    pool_identity_match,
)
from checks.secret_server.iis.places import IisAuthentication
from checks.secret_server.iis.serving import NO_APPLICATION, is_bare, serving, serving_pools
from tests.test_checks.secret_server.databases import Clusters, Nodes

APP = IisApplication(site="Vault", path="/", physical_path="C:\\App", pool="SS")
ROOT = WebRoot("C:\\App", (), ())


def iis(*applications: IisApplication) -> IisConfiguration:
    return IisConfiguration(path="c", shared=False, pools=(), applications=applications)


@pytest.mark.parametrize(
    ("reason", "bare"),
    [
        (f"{NO_APPLICATION}: none in C:\\inetpub\\wwwroot\\SecretServer", True),
        (f"{NO_APPLICATION}: C:\\App is gone (from the registry)", False),
        (f"{NO_APPLICATION}: access to D:\\App is denied", False),
        (f"{NO_APPLICATION}: applicationHost.config cannot be read", False),
        (f"{NO_APPLICATION}: applicationHost.config is locked", False),
        (f"{NO_APPLICATION}: cannot look into D:\\", False),
        ("unreadable answer, ValueError: x", False),
    ],
)
def test_a_machine_is_bare_if_nothing_on_it_is_named_or_closed(
    cluster: Clusters, node: Nodes, reason: str, bare: bool
) -> None:
    assert is_bare(node(cluster(), (WebRoot, reason))) is bare


def test_a_machine_that_has_it_or_did_not_answer_is_not_bare(cluster: Clusters, node: Nodes) -> None:
    assert not is_bare(node(cluster(), ROOT))
    silent = replace(node(cluster()), facts={WebRoot: Unknown(NO_APPLICATION, unanswered=True)})
    assert not is_bare(silent)


def test_a_machine_whose_other_answer_comes_out_of_the_folder_is_not_bare(cluster: Clusters, node: Nodes) -> None:
    lost = (WebRoot, NO_APPLICATION)
    config = EncryptionConfig(path="C:\\App\\encryption.config", state="missing", sha256="", efs=False, size_bytes=None)
    assert not is_bare(node(cluster(), lost, config))
    assert is_bare(node(cluster(), lost, (EncryptionConfig, NO_APPLICATION)))


@pytest.mark.parametrize(
    ("folder", "serves"),
    [
        ("C:\\App", True),
        ("c:/app/", True),
        ('"C:\\\\App\\"', True),
        ("\\\\?\\C:\\App", True),
        ("C:\\App2", False),
        ("D:\\App", False),
        ("\\\\C:\\App", False),
    ],
)
def test_applications_are_found_by_their_folder(cluster: Clusters, node: Nodes, folder: str, serves: bool) -> None:
    found = serving(node(cluster(), ROOT, iis(replace(APP, physical_path=folder))))
    assert isinstance(found, tuple) is serves


def test_a_share_is_another_place_than_a_folder_of_its_name(cluster: Clusters, node: Nodes) -> None:
    view = node(cluster(), WebRoot("\\\\files\\App", (), ()), iis(replace(APP, physical_path="\\files\\App")))
    assert isinstance(serving(view), Outcome)
    view = node(cluster(), WebRoot("\\\\files\\App", (), ()), iis(replace(APP, physical_path="//FILES//app")))
    assert serving_pools(view) == ("SS",)


def test_an_application_without_a_pool_is_undetermined(cluster: Clusters, node: Nodes) -> None:
    found = serving_pools(node(cluster(), ROOT, iis(APP, replace(APP, path="/ss", pool=""))))
    assert isinstance(found, Outcome)
    assert (found.status, found.message.startswith("Vault/ss names no application pool")) == (Status.ERROR, True)


def test_a_pool_is_named_once(cluster: Clusters, node: Nodes) -> None:
    assert serving_pools(node(cluster(), ROOT, iis(APP, replace(APP, path="/ss", pool="ss")))) == ("ss",)


@pytest.mark.parametrize("judge", [authentication.judge, iwa_folders.judge, app_pool_settings.judge])
def test_where_no_application_serves_it_no_check_of_a_node_can_tell(
    cluster: Clusters, node: Nodes, judge: Callable[[NodeView], Outcome]
) -> None:
    info = cluster(integrated_windows_auth=True)
    outcome = judge(node(info, ROOT, iis(replace(APP, physical_path="D:\\b")), IisAuthentication((), ()), AppPools(())))
    assert outcome.status is Status.ERROR
    assert outcome.message == (
        "no IIS application has the web root C:\\App as its folder; applications found: Vault/ in D:\\b"
    )


@pytest.mark.parametrize("judge", [app_pool_state.judge, pool_identity_match.judge])
def test_where_no_application_serves_it_no_check_of_a_cluster_can_tell(
    cluster: Clusters, node: Nodes, judge: Callable[[ClusterView], Outcome]
) -> None:
    info = cluster()
    pool = PoolSetting("3", "pool")
    settings = PoolSettings(
        name="SS",
        runtime=pool,
        load_user_profile=pool,
        max_processes=pool,
        identity_type=pool,
        enable_32_bit=pool,
        auto_start=pool,
    )
    facts = (ROOT, AppPools((settings,)), PoolStates((("SS", 1),)))
    nodes = (
        node(info, *facts, iis(APP), name="web1"),
        node(info, *facts, iis(replace(APP, physical_path="D:\\b")), name="web2"),
    )
    outcome = judge(ClusterView(info, nodes))
    assert outcome.status is Status.ERROR
    assert "web2: no IIS application has the web root C:\\App as its folder" in outcome.message
