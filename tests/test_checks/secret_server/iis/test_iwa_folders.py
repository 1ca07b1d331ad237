from __future__ import annotations

from collections.abc import Callable

import pytest

from checks.check import ClusterInfo, NodeView
from checks.facts import UnknownFactError
from checks.outcome import Outcome, Status
from checks.secret_server.facts.node import IisApplication, IisConfiguration, WebRoot
from checks.secret_server.iis.iwa_folders import judge
from checks.secret_server.iis.places import AuthenticationPlace, IisAuthentication

Clusters = Callable[..., ClusterInfo]
Nodes = Callable[..., NodeView]

IIS = IisConfiguration(
    path="c",
    shared=False,
    pools=(),
    applications=(IisApplication(site="Vault", path="/", physical_path="C:\\App", pool="SS"),),
)
OPEN = (("anonymous", "true"), ("windows", "false"))


def judged(cluster: Clusters, node: Nodes, *places: AuthenticationPlace, iwa: object = True) -> Outcome:
    info = cluster(integrated_windows_auth=iwa)
    return judge(node(info, WebRoot("C:\\App", (), ()), IIS, IisAuthentication(places, ())))


def folder(name: str, enabled: tuple[tuple[str, str], ...] = OPEN) -> AuthenticationPlace:
    return AuthenticationPlace(path=f"Vault/{name}", enabled=enabled)


def test_what_is_not_used_is_not_judged_and_what_nobody_said_is_asked(cluster: Clusters, node: Nodes) -> None:
    for declared, key in ((False, ""), (None, "integrated_windows_auth")):
        outcome = judged(cluster, node, iwa=declared)
        assert (outcome.status, outcome.not_declared) == (Status.SKIP, key)


def test_the_documented_settings_pass(cluster: Clusters, node: Nodes) -> None:
    outcome = judged(cluster, node, folder("Launchers"), folder("webservices"), folder("rdp"))
    assert outcome.status is Status.PASS


def test_a_folder_that_was_forgotten_is_named(cluster: Clusters, node: Nodes) -> None:
    outcome = judged(cluster, node, folder("launchers"), folder("webservices"))
    assert outcome.status is Status.WARN
    assert outcome.message == "not set to Anonymous authentication alone: Vault/rdp"


@pytest.mark.parametrize(
    "enabled",
    [
        (("anonymous", "true"),),
        (("anonymous", "true"), ("windows", "true")),
        (("anonymous", "false"), ("windows", "false")),
        (*OPEN, ("basic", "true")),
    ],
)
def test_another_setting_warns(cluster: Clusters, node: Nodes, enabled: tuple[tuple[str, str], ...]) -> None:
    outcome = judged(cluster, node, folder("launchers", enabled), folder("webservices"), folder("rdp"))
    assert outcome.status is Status.WARN


def test_where_launchers_were_never_set_up_that_is_said(cluster: Clusters, node: Nodes) -> None:
    outcome = judged(cluster, node)
    assert outcome.status is Status.SKIP
    assert "launchers get 401" in outcome.message


@pytest.mark.parametrize("declared", [False, None])
def test_without_integrated_authentication_it_does_not_apply(cluster: Clusters, node: Nodes, declared: object) -> None:
    assert judged(cluster, node, folder("launchers"), iwa=declared).status is Status.SKIP


def test_what_is_unknown_is_unknown(cluster: Clusters, node: Nodes) -> None:
    info = cluster(integrated_windows_auth=True)
    with pytest.raises(UnknownFactError, match="garbled"):
        judge(node(info, WebRoot("C:\\App", (), ()), IIS, (IisAuthentication, "garbled")))
