from __future__ import annotations

from collections.abc import Callable

import pytest

from checks.check import ClusterInfo, NodeView
from checks.facts import UnknownFactError
from checks.outcome import Outcome, Status
from checks.secret_server.facts.node import AppFiles, FileVersion, IisApplication, IisConfiguration, WebRoot
from checks.secret_server.iis.authentication import judge
from checks.secret_server.iis.places import AuthenticationPlace, IisAuthentication

Judged = Callable[..., Outcome]

ROOT = WebRoot("D:\\SS", ("registry",), ())
APPLICATION = IisApplication(site="Site", path="/SS", physical_path="D:\\SS", pool="Vault")
IIS = IisConfiguration(path="C:\\a.config", shared=False, pools=(), applications=(APPLICATION,))


def found(*places: AuthenticationPlace, mode: str = "", error: str = "", **own: str) -> IisAuthentication:
    return IisAuthentication(
        places, (AuthenticationPlace(path="d:\\ss", enabled=tuple(own.items()), mode=mode, error=error),)
    )


def place(path: str, **enabled: str) -> AuthenticationPlace:
    return AuthenticationPlace(path=path, enabled=tuple(enabled.items()))


WINDOWS = found(place("", anonymous="true"), place("site/ss", windows="true", anonymous="false"), mode="Windows")
FORMS = found(place("Other", windows="true"), mode="Forms")
MIX = found(place("Site", windows="true"), mode="Forms")


@pytest.fixture
def judged(cluster: Callable[..., ClusterInfo], node: Callable[..., NodeView]) -> Judged:
    def make(fact: object, *more: object, target: str = "11.7.000049", **options: object) -> Outcome:
        return judge(node(cluster(target, **options), ROOT, IIS, fact, *more))

    return make


@pytest.mark.parametrize(("declared", "fact"), [(True, WINDOWS), (False, FORMS)])
def test_what_is_declared_passes(judged: Judged, declared: bool, fact: IisAuthentication) -> None:
    assert judged(fact, integrated_windows_auth=declared).status is Status.PASS


@pytest.mark.parametrize(("declared", "fact"), [(True, FORMS), (False, WINDOWS), (True, MIX), (False, MIX)])
def test_anything_else_fails(judged: Judged, declared: bool, fact: IisAuthentication) -> None:
    outcome = judged(fact, integrated_windows_auth=declared)
    assert outcome.status is Status.FAIL
    assert f"integrated_windows_auth = {str(declared).lower()} means" in outcome.message


def test_the_web_config_of_the_application_has_the_last_word(judged: Judged) -> None:
    last = found(place("Site/SS", windows="true"), mode="Forms", windows="false")
    assert judged(last, integrated_windows_auth=False).status is Status.PASS


def test_from_before_ten_the_settings_change_with_the_upgrade(judged: Judged) -> None:
    files = AppFiles("D:\\SS", (FileVersion("Thycotic.ihawu.Business.dll", "9.1.1.0"),))
    outcome = judged(MIX, files, integrated_windows_auth=True)
    assert outcome.status is Status.WARN
    assert "these settings change with the upgrade to 10.9.000005" in outcome.message
    assert judged(MIX, integrated_windows_auth=True, target="9.1.000001").status is Status.SKIP


def test_undeclared_only_a_mix_is_told(judged: Judged) -> None:
    assert judged(MIX).status is Status.WARN
    outcome = judged(FORMS)
    assert outcome.status is Status.SKIP
    assert "is not declared; Site/SS has Forms and Anonymous authentication" in outcome.message


@pytest.mark.parametrize("fact", [found(error="denied: D:\\SS\\web.config"), IisAuthentication((), ())])
def test_a_web_config_that_cannot_be_read_is_an_error(judged: Judged, fact: IisAuthentication) -> None:
    assert judged(fact, integrated_windows_auth=True).status is Status.ERROR


def test_a_web_config_that_cannot_be_read_matters_only_where_something_is_declared(judged: Judged) -> None:
    assert judged(found(error="unreadable: not well-formed XML")).status is Status.SKIP


def test_an_unknown_configuration_is_not_judged(judged: Judged) -> None:
    with pytest.raises(UnknownFactError, match="denied"):
        judged((IisAuthentication, "denied"))
