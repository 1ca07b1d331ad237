"""From recorded answers of each Windows generation to facts, the broken ones included."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from checks.secret_server.facts.folder import EncryptionConfig
from checks.secret_server.facts.node import (
    AppFiles,
    AppPool,
    AppPools,
    DotnetFramework,
    FileVersion,
    IisApplication,
    IisConfiguration,
    PoolSetting,
    SqlInstance,
    SqlInstances,
    SqlPrelogin,
    WebRoot,
    WindowsVersion,
)
from scanner.probes.probe import Answer, UnreadableError
from tests.secret_server_probes import PROBES

RECORDINGS = Path(__file__).parents[3] / "recordings" / "secret_server"
ROOT = "C:\\inetpub\\wwwroot\\SecretServer"


def answer(recording: str, probe_id: str) -> Answer:
    entry = json.loads((RECORDINGS / f"{recording}.json").read_text(encoding="utf-8"))[probe_id]
    return Answer(entry["error"], 1) if "error" in entry else Answer(json.dumps(entry["value"]), 0)


def read(kind: type, given: Answer) -> Any:
    (reader,) = {reader for probe in PROBES for fact, reader in probe.readers if fact is kind}
    return reader(given)


def recorded(recording: str, kind: type) -> Any:
    (probe_id,) = [probe.id for probe in PROBES if probe.language != "tds" for fact in probe.facts if fact is kind]
    return read(kind, answer(recording, probe_id))


def refusal(kind: type, given: Answer) -> str:
    with pytest.raises(UnreadableError) as caught:
        read(kind, given)
    message = str(caught.value)
    assert "\n" not in message
    assert message.isprintable()
    return message


def value(body: object) -> Answer:
    return Answer(json.dumps(body), 0)


@pytest.mark.parametrize(
    ("recording", "version"),
    [
        (
            "windows-2008-r2",
            WindowsVersion(
                name="Windows Server 2008 R2 Standard",
                major=6,
                minor=1,
                build=7601,
                product_type=3,
                service_pack="Service Pack 1",
            ),
        ),
        (
            "windows-2012-r2",
            WindowsVersion(name="Windows Server 2012 R2 Standard", major=6, minor=3, build=9600, product_type=3),
        ),
        (
            "windows-2016",
            WindowsVersion(name="Windows Server 2016 Datacenter", major=10, minor=0, build=14393, product_type=3),
        ),
        (
            "windows-2019",
            WindowsVersion(name="Windows Server 2019 Standard", major=10, minor=0, build=17763, product_type=3),
        ),
        (
            "windows-2022",
            WindowsVersion(
                name="Windows Server 2022 Datacenter: Azure Edition", major=10, minor=0, build=20348, product_type=3
            ),
        ),
        (
            "no-iis-no-application",
            WindowsVersion(name="Windows 10 Pro", major=10, minor=0, build=19045, product_type=1),
        ),
    ],
)
def test_windows(recording: str, version: WindowsVersion) -> None:
    assert recorded(recording, WindowsVersion) == version


@pytest.mark.parametrize(
    ("recording", "release"), [("windows-2008-r2", None), ("windows-2012-r2", 378675), ("windows-2019", 528049)]
)
def test_dotnet(recording: str, release: int | None) -> None:
    assert recorded(recording, DotnetFramework) == DotnetFramework(release)


def test_sql_instances() -> None:
    assert recorded("windows-2008-r2", SqlInstances) == SqlInstances(
        (
            SqlInstance(
                name="MSSQLSERVER",
                instance_id="MSSQL10_50.MSSQLSERVER",
                version="10.50.1600.1",
                patch_level="10.53.6000.34",
                edition="Standard Edition",
            ),
            SqlInstance(
                name="EXPRESS",
                instance_id="MSSQL.1",
                version="9.00.1399.06",
                patch_level="9.4.5000",
                edition="Express Edition",
            ),
        )
    )
    assert recorded("windows-2016", SqlInstances) == SqlInstances(())


def test_an_instance_whose_version_is_denied_does_not_hide_the_others() -> None:
    good, closed = recorded("windows-2019", SqlInstances).instances
    assert good.version == "15.0.2000.5"
    assert (closed.name, closed.version) == ("OLD", "")
    assert closed.problem.startswith("access to HKLM\\SOFTWARE\\Microsoft\\Microsoft SQL Server\\")


def test_iis_modes_by_name_by_number_and_by_default() -> None:
    pools = {
        (recording, pool.name): (pool.pipeline_mode, pool.mode_source)
        for recording in ("windows-2008-r2", "windows-2012-r2", "windows-2016", "windows-2022")
        for pool in recorded(recording, IisConfiguration).pools
    }
    assert pools == {
        ("windows-2008-r2", "DefaultAppPool"): ("Integrated", "default"),
        ("windows-2008-r2", "Classic .NET AppPool"): ("Classic", "pool"),
        ("windows-2008-r2", "SecretServerAppPool"): ("Classic", "pool"),
        ("windows-2012-r2", "DefaultAppPool"): ("Classic", "applicationPoolDefaults"),
        ("windows-2012-r2", "SecretServer"): ("Integrated", "pool"),
        ("windows-2016", "SecretServer"): ("Classic", "pool"),
        ("windows-2022", "SecretServer"): ("Integrated", "default"),
    }


def test_a_shared_configuration_says_where_it_lies() -> None:
    assert recorded("windows-2016", IisConfiguration) == IisConfiguration(
        path="\\\\files.corp.example\\iis\\applicationHost.config",
        shared=True,
        pools=(AppPool("SecretServer", "Classic", "pool", "v4.0"),),
        applications=(IisApplication(site="vault", path="/", physical_path="D:\\Vault\\", pool="SecretServer"),),
    )


def test_a_mode_that_nobody_knows_stays_as_read() -> None:
    pools = [{"name": "x", "mode": "Quantum", "mode_source": "pool"}]
    found = read(IisConfiguration, value({"path": "p", "shared": False, "pools": pools, "applications": []}))
    assert found.pools[0].pipeline_mode == "Quantum"


@pytest.mark.parametrize("source", ["pool", "applicationPoolDefaults"])
def test_a_mode_that_is_set_and_not_told_is_not_integrated(source: str) -> None:
    """As "Classic" read as nothing would be."""
    pools = [{"name": "x", "mode": "", "mode_source": source}]
    body = value({"path": "p", "shared": False, "pools": pools, "applications": []})
    assert "a pool's mode is set and not told" in refusal(IisConfiguration, body)


@pytest.mark.parametrize("part", ["isapi", "site_auto_start", "enable_32_bit", "auto_start"])
@pytest.mark.parametrize("how", ["gone", "null"])
def test_a_switch_that_an_answer_lost_is_not_taken_for_the_default(part: str, how: str) -> None:
    body = switches()
    holder = {"isapi": body, "site_auto_start": body["applications"][0]}.get(part, body["pools"][0]["settings"])
    holder.pop(part) if how == "gone" else holder.update({part: None})
    kind = AppPools if part in ("enable_32_bit", "auto_start") else IisConfiguration
    assert part in refusal(kind, value(body))


def test_evidence_of_before_the_switches_is_read_and_says_that_they_were_not_asked() -> None:
    body = switches()
    del body["isapi"], body["applications"][0]["site_auto_start"]
    del body["pools"][0]["settings"]["enable_32_bit"], body["pools"][0]["settings"]["auto_start"]
    assert read(IisConfiguration, value(body)).applications[0].pool == "x"
    assert read(AppPools, value(body)).pools[0].enable_32_bit == PoolSetting("", "")


def switches() -> dict[str, Any]:
    keys = ("runtime", "load_user_profile", "max_processes", "identity_type", "enable_32_bit", "auto_start")
    settings = {key: {"value": "", "source": "default"} for key in keys}
    pool = {"name": "x", "mode": "", "mode_source": "default", "settings": settings}
    site = {"site": "s", "path": "/", "physical_path": "C:\\App", "pool": "x", "site_auto_start": ""}
    return {"path": "p", "shared": False, "pools": [pool], "applications": [site], "isapi": []}


def test_the_folder_and_its_libraries() -> None:
    root = recorded("windows-2016", WebRoot)
    assert (root.path, root.sources) == ("D:\\Vault", ("iis",))
    assert recorded("windows-2016", AppFiles) == AppFiles(
        "D:\\Vault",
        (
            FileVersion("Thycotic.ihawu.Business.dll", "10.9.5.0"),
            FileVersion("Thycotic.AppCore.dll", "10.9.5.0"),
            FileVersion("Thycotic.Odd.dll", ""),
        ),
    )


def test_a_backup_of_a_library_is_none() -> None:
    names = ("Thycotic.Core.DLL", "Thycotic.Core.dll_old", "Thycotic.Core.dll.bak")
    row = folder("C:\\App", "iis") | {"libraries": [{"name": name, "version": "10.9.5.0"} for name in names]}
    found = read(AppFiles, value({"folders": [row], "notes": []}))
    assert [file.name for file in found.files] == ["Thycotic.Core.DLL"]


@pytest.mark.parametrize(
    ("recording", "state", "efs", "size"),
    [
        ("windows-2012-r2", "hashed", False, 1322),
        ("windows-2016", "denied", True, 1322),
        ("windows-2019", "locked", False, 1322),
        ("windows-2022", "missing", False, None),
    ],
)
def test_encryption_config(recording: str, state: str, efs: bool, size: int | None) -> None:
    config = recorded(recording, EncryptionConfig)
    assert (config.state, config.efs, config.size_bytes) == (state, efs, size)
    assert len(config.sha256) == (64 if state == "hashed" else 0)
    assert bool(config.detail) == (state in ("denied", "locked"))
    assert config.path.endswith("\\encryption.config")


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (WindowsVersion, "give the scanner's account read access to this registry key"),
        (DotnetFramework, "access to HKLM\\SOFTWARE\\Microsoft\\NET Framework Setup\\NDP\\v4\\Full is denied"),
        (SqlInstances, "Instance Names\\SQL is denied"),
        (IisConfiguration, "redirection.config is denied: give the scanner's account read access to this file"),
        (WebRoot, "registry: access to HKLM\\SOFTWARE\\Thycotic\\Secret Server is denied"),
        (AppFiles, "set `web_root`"),
        (EncryptionConfig, "found no folder that holds the application; set `web_root` for this node"),
    ],
)
def test_a_denial_says_what_and_which_right_is_missing(kind: type, said: str) -> None:
    (probe_id,) = [probe.id for probe in PROBES for fact in probe.facts if fact is kind]
    assert said in refusal(kind, answer("no-rights", probe_id))


def test_a_host_without_iis_says_so() -> None:
    message = refusal(IisConfiguration, answer("no-iis-no-application", "iis-configuration"))
    assert message == "IIS is not installed: there is no C:\\Windows\\System32\\inetsrv\\config\\applicationHost.config"


def test_a_share_that_the_logon_does_not_reach_says_why() -> None:
    message = refusal(
        IisConfiguration, Answer("denied: \\\\fs\\iis\\applicationHost.config: Access to the path is denied.", 1)
    )
    assert "NTLM does not reach on to a file share" in message


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (WindowsVersion, "CurrentVersion is no version: six"),
        (DotnetFramework, "Release is no number: 528040"),
        (SqlInstances, "instances holds something that is no object: MSSQLSERVER"),
        (IisConfiguration, "is no str"),
        (WebRoot, "root is no dict"),
        (EncryptionConfig, "does not go with this hash: 'deadbeef'"),
    ],
)
def test_a_garbled_answer_shows_the_offending_part(kind: type, said: str) -> None:
    (probe_id,) = [probe.id for probe in PROBES for fact in probe.facts if fact is kind]
    assert said in refusal(kind, answer("garbled", probe_id))


@pytest.mark.parametrize("change", [{"major": True}, {"minor": "0"}, {"major": [10]}, {"minor": 0.5}])
def test_a_number_of_windows_that_is_none_is_not_made_up_from_elsewhere(change: dict[str, object]) -> None:
    said = {"current_version": "6.3", "major": 10, "minor": 0, "build": "17763", "product_type": "ServerNT"}
    assert read(WindowsVersion, value(said)).major == 10
    assert "is no int" in refusal(WindowsVersion, value({**said, **change}))


def test_an_isapi_restriction_that_says_neither_is_refused() -> None:
    row = {"path": "C:\\Windows\\Microsoft.NET\\Framework64\\v4.0.30319\\aspnet_isapi.dll", "description": ""}
    said = {"path": "p", "shared": False, "pools": [], "applications": []}
    assert read(IisConfiguration, value({**said, "isapi": [{**row, "allowed": "False"}]})).isapi[0].allowed == "False"
    told = refusal(IisConfiguration, value({**said, "isapi": [{**row, "allowed": "Fa1se"}]}))
    assert "neither true nor false: Fa1se" in told


@pytest.mark.parametrize("numbers", ["11.6.3.O", "11.6..0", "11.6.3", "Qzxvw", "11.6.3.0 beta"])
def test_the_version_of_a_library_is_four_numbers_or_nothing(numbers: str) -> None:
    libraries = [{"name": "Thycotic.AppCore.dll", "numbers": numbers, "text": "11.6.3.0", "error": ""}]
    row = {**folder("C:\\a", "iis"), "libraries": libraries, "libraries_error": ""}
    assert "the version of 'Thycotic.AppCore.dll' is none" in refusal(AppFiles, value({"folders": [row], "notes": []}))


@pytest.mark.parametrize("kind", [fact for probe in PROBES for fact in probe.facts])
@pytest.mark.parametrize(
    "given",
    [
        Answer("", 0),
        Answer("Hello\x1b[31m", 0),
        Answer("[]", 0),
        Answer("null", 0),
        Answer("{}", 0),
        Answer("[" * 100_000, 0),
        Answer('{"folders": 4, "notes": null}', 0),
        Answer('{"release": true}', 0),
        Answer('{"release": NaN}', 0),
        Answer('{"value', 0, truncated=True),
        Answer("", 1),
        Answer("Exception\r\n\x1b[31mcalling", 1),
    ],
)
def test_no_nonsense_becomes_a_fact(kind: type, given: Answer) -> None:
    assert refusal(kind, given)


def folder(path: str, *sources: str, **state: object) -> dict[str, object]:
    root = {"exists": True, "has_encryption_config": True, "has_bin": True, "error": "", **state}
    config = {"path": f"{path}\\encryption.config", "state": "missing", "sha256": "", "efs": False}
    return {"root": {"path": path, "sources": list(sources), **root}, "libraries": [], "config": config}


def chosen(*folders: dict[str, object]) -> WebRoot:
    root = read(WebRoot, value({"folders": folders, "notes": []}))
    assert isinstance(root, WebRoot)
    assert read(EncryptionConfig, value({"folders": folders, "notes": []})).path == f"{root.path}\\encryption.config"
    return root


def refused(*folders: dict[str, object]) -> str:
    return refusal(WebRoot, value({"folders": folders, "notes": []}))


def test_two_spellings_of_a_path_are_one_folder() -> None:
    root = chosen(folder("C:\\App", "registry"), folder("c:/app/", "iis"), folder("C:\\\\App\\", "iis"))
    assert (root.path, root.sources) == ("C:\\App", ("registry", "iis"))


def test_two_folders_are_not_guessed_between() -> None:
    message = refused(folder("C:\\App", "registry"), folder("D:\\App", "iis", has_bin=False))
    assert message == (
        "several folders may hold the application: C:\\App (from registry; with encryption.config, with bin); "
        "D:\\App (from iis; with encryption.config, without bin); set `web_root` for this node"
    )


def test_the_inventory_settles_it_and_the_sources_say_so() -> None:
    root = chosen(folder("D:\\App", "inventory", "iis"), folder("C:\\App", "registry"))
    assert (root.path, root.sources) == ("D:\\App", ("inventory", "iis"))
    assert [candidate.path for candidate in root.candidates] == ["D:\\App", "C:\\App"]


def test_the_inventory_s_folder_counts_even_without_encryption_config() -> None:
    named = folder("D:\\App", "inventory", has_encryption_config=False, has_bin=False)
    assert chosen(named, folder("C:\\App", "registry")).path == "D:\\App"


def test_a_folder_of_the_inventory_that_does_not_exist_is_an_error() -> None:
    named = folder("D:\\App", "inventory", exists=False, has_encryption_config=False, has_bin=False)
    message = refused(named, folder("C:\\App", "registry"))
    assert "`web_root` names a folder that does not exist: D:\\App" in message
    assert "C:\\App" in message


def test_an_empty_leftover_does_not_compete() -> None:
    leftover = folder("C:\\Old", "registry", has_encryption_config=False, has_bin=False)
    gone = folder("E:\\Gone", "registry", exists=False, has_encryption_config=False, has_bin=False)
    assert chosen(leftover, gone, folder("D:\\App", "iis")).path == "D:\\App"
    assert "found no folder that holds the application: C:\\Old" in refused(leftover, gone)


def test_a_folder_that_cannot_be_looked_at_competes() -> None:
    closed = folder("C:\\App", "registry", exists=False, has_encryption_config=False, has_bin=False, error="denied: C:")
    assert "several folders" in refused(closed, folder("D:\\App", "iis"))
    assert "cannot look at the application's folder: C:\\App (from registry; denied: C:)" in refused(closed)


def test_prelogin() -> None:
    body = {"port": 1433, "major": 11, "minor": 0, "build": 7001, "sub_build": 0}
    assert read(SqlPrelogin, value(body)) == SqlPrelogin(port=1433, major=11, minor=0, build=7001, sub_build=0)
