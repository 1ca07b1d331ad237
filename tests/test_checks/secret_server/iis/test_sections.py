"""IIS's configuration as it really is: locked sections, files of their own, encodings, and what reaches an application.

From the file on a node of the lab through the probe's answer and its reader to the verdict.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from checks.check import ClusterInfo, NodeView
from checks.outcome import Outcome
from checks.secret_server.facts.node import AppPools, IisConfiguration, WebRoot
from checks.secret_server.iis import app_pool_settings
from checks.secret_server.iis import authentication as iis_authentication
from checks.secret_server.iis.places import IisAuthentication
from scanner.lab.machines.windows.script import run_script
from scanner.lab.machines.windows.table import read_windows
from scanner.probes.batch.powershell import compose, parse
from scanner.probes.probe import Answer
from tests.secret_server_probes import PROBES

FIELD = Path(__file__).parents[3] / "field" / "powershell"
ROOT = "C:\\ss"
NONCE = "0123456789abcdef"
IDS = ("iis-configuration", "iis-authentication", "secret-server-files")
AUTHENTICATION = "system.webServer/security/authentication"

Judge = Callable[..., Outcome]


def sample(name: str) -> str:
    return (FIELD / name).read_text(encoding="utf-8")


def host(inside: str = "", sections: str = "", application: str = "/SecretServer") -> str:
    """applicationHost.config with one application beside the site's own, and `inside` in it."""
    return (
        f"<configuration>{sections}<system.applicationHost><applicationPools><add name='P'/></applicationPools><sites>"
        "<site name='Default Web Site' id='1'><application path='/' applicationPool='P'><virtualDirectory path='/' "
        f"physicalPath='C:\\inetpub\\wwwroot'/></application><application path='{application}' applicationPool='P'>"
        f"<virtualDirectory path='/' physicalPath='{ROOT}'/></application></site></sites></system.applicationHost>"
        f"{inside}</configuration>"
    )


def authentication(inner: str) -> str:
    return f"<system.webServer><security><authentication>{inner}</authentication></security></system.webServer>"


DENY = (
    "<configSections><sectionGroup name='system.webServer'><sectionGroup name='security'><sectionGroup "
    "name='authentication'><section name='windowsAuthentication' overrideModeDefault='Deny'/></sectionGroup>"
    "<section name='requestFiltering' overrideModeDefault='Deny'/></sectionGroup>"
    "<section name='httpErrors'/></sectionGroup></configSections>"
)
SETS = "<configuration>{}</configuration>".format(authentication("<windowsAuthentication enabled='true'/>"))


@pytest.fixture
def judged(cluster: Callable[..., ClusterInfo], node: Callable[..., NodeView]) -> Judge:
    def make(applied: str, web: str, check: object = iis_authentication, /, **more: object) -> Outcome:
        files = {f"{ROOT}\\web.config": web, f"{ROOT}\\encryption.config": "key", f"{ROOT}\\bin\\Thycotic.A.dll": "x"}
        files |= {f"{ROOT}\\{name}": text for name, text in more.pop("files", {}).items()}  # type: ignore[attr-defined]
        machine = read_windows(
            {
                "app_version": "11.7.000049",
                "web_root": ROOT,
                "application_host_config": applied,
                "files": files,
            }
        )
        probes = tuple(probe for probe in PROBES if probe.id in IDS)
        script = compose(probes, nonce=NONCE, budget_s=30, options={}, probe_bytes=100_000)
        said = parse(run_script(script, machine, PROBES).stdout, nonce=NONCE, probe_ids=IDS)
        facts = []
        for probe in probes:
            answer = said[probe.id]
            assert isinstance(answer, Answer), answer
            facts += [reader(answer) for kind, reader in probe.readers if kind in _KINDS]
        return check.judge(node(cluster("11.7.000049", **more), *facts))  # type: ignore[attr-defined, no-any-return]

    return make


_KINDS = (IisConfiguration, AppPools, IisAuthentication, WebRoot)


def test_the_fields_locked_section_fails(judged: Judge) -> None:
    applied = sample("04-locked-section.applicationHost.config").replace(
        'physicalPath="C:\\ss"', f'physicalPath="{ROOT}"'
    )
    outcome = judged(applied, sample("04-locked-section.web.config"), integrated_windows_auth=True)
    assert outcome.status == "fail"
    assert "500.19" in outcome.message
    assert "windowsAuthentication (locked by overrideModeDefault" in outcome.message
    assert "anonymousAuthentication" in outcome.message


def test_the_fields_location_does_not_reach_child_applications(judged: Judge) -> None:
    applied = sample("06-inherit-false.applicationHost.config")
    forms = "<configuration><system.web><authentication mode='Forms'/></system.web></configuration>"
    assert judged(applied, forms, integrated_windows_auth=False).status == "pass"
    reaching = applied.replace(' inheritInChildApplications="false"', "")
    assert judged(reaching, forms, integrated_windows_auth=False).status == "fail"


def test_a_location_that_is_not_inherited_still_holds_for_its_own_application(judged: Judge) -> None:
    inner = authentication("<windowsAuthentication enabled='true'/><anonymousAuthentication enabled='false'/>")
    own = f"<location path='Default Web Site/SecretServer' inheritInChildApplications='false'>{inner}</location>"
    assert judged(host(own), "<configuration/>", integrated_windows_auth=True).status == "pass"


def test_the_fields_pool_without_a_profile_fails(judged: Judge) -> None:
    text = sample("02-load-user-profile.config")
    applied = text.replace("%SystemDrive%\\inetpub\\wwwroot", ROOT)
    outcome = judged(applied, "<configuration/>", app_pool_settings)
    assert outcome.status == "fail"
    assert "Load User Profile false (IIS's default)" in outcome.message
    given = applied.replace('identityType="ApplicationPoolIdentity"', 'loadUserProfile="true"')
    assert judged(given, "<configuration/>", app_pool_settings).status == "pass"


@pytest.mark.parametrize(
    ("inside", "broken"),
    [
        ("", True),
        ("<location path='Default Web Site' overrideMode='Allow'>{}</location>", False),
        ("<location path='Default Web Site/SecretServer' allowOverride='true'>{}</location>", False),
        ("<location path='' overrideMode='Allow'>{}</location>", False),
        ("<location path='Other' overrideMode='Allow'>{}</location>", True),
        ("<location path='Default Web Site' overrideMode='Inherit'>{}</location>", True),
        (
            "<location path='Default Web Site' overrideMode='Allow' inheritInChildApplications='false'>{}</location>",
            True,
        ),
        (
            (
                "<location path='Default Web Site' overrideMode='Allow'>{0}</location>"
                "<location path='Default Web Site/SecretServer' allowOverride='false'>{0}</location>"
            ),
            True,
        ),
    ],
)
def test_a_denied_section_is_unlocked_where_a_location_says_so(judged: Judge, inside: str, broken: bool) -> None:
    applied = host(inside.format(authentication("<windowsAuthentication/>")), DENY)
    outcome = judged(applied, SETS)
    assert (outcome.status == "fail") == broken, outcome.message


@pytest.mark.parametrize(
    ("locks", "sets", "broken"),
    [
        ("lockAttributes='enabled'", "enabled='true'", True),
        ("lockAttributes='useKernelMode, enabled'", "enabled='true'", True),
        ("lockAttributes='*'", "enabled='true'", True),
        ("lockAttributes='useKernelMode'", "enabled='true'", False),
        ("lockAllAttributesExcept='enabled'", "enabled='true'", False),
        ("lockAllAttributesExcept='useKernelMode'", "enabled='true'", True),
        ("lockItem='true'", "enabled='true'", True),
        ("lockItem='false'", "enabled='true'", False),
        ("lockElements='providers'", "enabled='true'", False),
        ("lockElements='providers'", "><providers><clear/></providers", True),
        ("lockAllElementsExcept='providers'", "><providers/", False),
    ],
)
def test_locks_of_single_settings(judged: Judge, locks: str, sets: str, broken: bool) -> None:
    applied = host(authentication(f"<windowsAuthentication {locks}/>"))
    inner = (
        f"<windowsAuthentication {sets}/>"
        if not sets.startswith(">")
        else f"<windowsAuthentication{sets}></windowsAuthentication>"
    )
    outcome = judged(applied, f"<configuration>{authentication(inner)}</configuration>")
    assert (outcome.status == "fail") == broken, outcome.message


def test_any_section_that_is_locked_breaks_the_site(judged: Judge) -> None:
    web = "<configuration><system.webServer><security><requestFiltering/></security></system.webServer></configuration>"
    assert "security/requestFiltering" in judged(host("", DENY), web).message
    allowed = "<configuration><system.webServer><httpErrors errorMode='Detailed'/></system.webServer></configuration>"
    assert judged(host("", DENY), allowed).status != "fail"


def test_a_section_in_a_location_without_a_path_is_one_of_the_web_config(judged: Judge) -> None:
    inner = authentication("<windowsAuthentication enabled='true'/>")
    web = f"<configuration><location path='.' inheritInChildApplications='false'>{inner}</location></configuration>"
    assert judged(host("", DENY), web).status == "fail"


SOURCE = "<configuration><system.web><authentication configSource='web-auth.config'/></system.web></configuration>"


def test_a_section_in_a_file_of_its_own_is_read_there(judged: Judge) -> None:
    own = {"web-auth.config": "<authentication mode='Forms'><forms loginUrl='Login.aspx'/></authentication>"}
    assert judged(host(), SOURCE, files=own, integrated_windows_auth=False).status == "pass"
    other = {"web-auth.config": "<authentication mode='Windows'/>"}
    assert judged(host(), SOURCE, files=other, integrated_windows_auth=False).status == "fail"


def test_iis_s_own_sections_may_stand_in_a_file_as_well(judged: Judge) -> None:
    apart = authentication("<windowsAuthentication configSource='config/w.config'/>")
    web = f"<configuration>{apart}</configuration>"
    own = {"config\\w.config": "<windowsAuthentication enabled='true'/>"}
    assert judged(host("", DENY), web, files=own).status == "fail"
    assert (
        judged(host(authentication("<windowsAuthentication lockAttributes='enabled'/>")), web, files=own).status
        == "fail"
    )
    assert judged(host(), web, files=own).status == "warn"  # a mix with Anonymous, which is on


@pytest.mark.parametrize(
    ("files", "source", "why"),
    [
        ({}, "web-auth.config", "does not exist"),
        ({"web-auth.config": "<authentication"}, "web-auth.config", "not well-formed XML"),
        ({"web-auth.config": "<membership/>"}, "web-auth.config", "it holds no section authentication"),
        ({"web-auth.config": "<authentication configProtectionProvider='X'/>"}, "web-auth.config", "is encrypted"),
        ({}, "..\\web-auth.config", "outside the folder"),
        ({}, "C:\\web-auth.config", "outside the folder"),
        ({}, "\\\\fs\\web-auth.config", "outside the folder"),
    ],
)
def test_a_file_that_cannot_be_followed_is_told(judged: Judge, files: dict[str, str], source: str, why: str) -> None:
    web = SOURCE.replace("web-auth.config", source)
    outcome = judged(host(), web, files=files, integrated_windows_auth=False)
    assert outcome.status == "error"
    assert why in outcome.message


def test_pools_and_sites_may_stand_in_files_beside_applicationhost_config(judged: Judge) -> None:
    text = sample("02-load-user-profile.config").replace("%SystemDrive%\\inetpub\\wwwroot", ROOT)
    pools = text[text.index("<applicationPools>") : text.index("</applicationPools>")] + "</applicationPools>"
    apart = text.replace(pools, "<applicationPools configSource='pools.config'/>")
    machine = read_windows(
        {
            "application_host_config": apart,
            "files": {"C:\\Windows\\System32\\inetsrv\\config\\pools.config": pools},
        }
    )
    (probe,) = [probe for probe in PROBES if probe.id == "iis-configuration"]
    script = compose([probe], nonce=NONCE, budget_s=30, options={}, probe_bytes=100_000)
    answer = parse(run_script(script, machine, PROBES).stdout, nonce=NONCE, probe_ids=[probe.id])[probe.id]
    assert isinstance(answer, Answer)
    found = next(reader for kind, reader in probe.readers if kind is IisConfiguration)(answer)
    assert isinstance(found, IisConfiguration)
    assert [pool.name for pool in found.pools] == ["DefaultAppPool"]


def test_a_section_that_is_locked_as_such_can_be_unlocked_and_a_single_lock_cannot(judged: Judge) -> None:
    remedy = judged(host("", DENY), SETS).remediation
    assert remedy is not None
    place = '"Default Web Site/SecretServer"'
    section = "-section:system.webServer/security/authentication/windowsAuthentication"
    assert f"unlock config {place} {section} -commit:apphost" in remedy.command
    assert remedy.language == "cmd"
    assert "unlock the section for Default Web Site/SecretServer" in remedy.summary
    single = judged(host(authentication("<windowsAuthentication lockItem='true'/>")), SETS).remediation
    assert single is not None
    assert (single.command, single.language) == ("", "")
    assert single.summary == "Take out of web.config what is locked, and set it for the application in IIS Manager."
