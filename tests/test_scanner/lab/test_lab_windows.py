"""A recorded Windows answers the delivered batch as a real one would, and nothing else."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest

from checks.facts import Unknown
from checks.secret_server.facts.folder import AppTree, EncryptionConfig
from checks.secret_server.facts.node import (
    AppFiles,
    DotnetFramework,
    IisConfiguration,
    SqlInstances,
    WebRoot,
    WindowsVersion,
)
from checks.secret_server.iis.places import IisAuthentication
from scanner.lab.machines.windows.script import Machine, run_script
from scanner.lab.machines.windows.table import read_windows
from scanner.lab.tables import ScenarioError
from scanner.probes.batch.powershell import compose, parse
from scanner.probes.probe import Answer, Probe, UnreadableError
from tests.secret_server_probes import PROBES
from tests.test_scanner.probes.secret_server.crafted import RECORDED

NONCE = "0123456789abcdef"
POWERSHELL = tuple(probe for probe in PROBES if probe.language == "powershell")
IDS = tuple(probe.id for probe in POWERSHELL)


def batch(
    probes: tuple[Probe, ...] = POWERSHELL, *, probe_bytes: int = 100_000, options: dict[str, str] | None = None
) -> str:
    options = options or {}
    return compose(probes, nonce=NONCE, budget_s=10, options=options, probe_bytes=probe_bytes)


def answers(machine: Machine, script: str | None = None, probes: tuple[Probe, ...] = POWERSHELL) -> dict[str, Any]:
    output = run_script(script or batch(probes), machine, probes, sleep=lambda _: None)
    assert (output.stderr, output.exit_code) == (b"", 0)
    return dict(parse(output.stdout, nonce=NONCE, probe_ids=[probe.id for probe in probes]))


def machine(toml: str) -> Machine:
    return read_windows(tomllib.loads(toml))


def fact(kind: type, toml: str, **options: str) -> Any:
    found = answers(machine(toml), batch(options=options))
    ((probe_id, reader),) = [
        (probe.id, reader) for probe in POWERSHELL for known, reader in probe.readers if known is kind
    ]
    return reader(found[probe_id])


def refusal(kind: type, toml: str, **options: str) -> str:
    with pytest.raises(UnreadableError) as caught:
        fact(kind, toml, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        ("2008", (6, 0, 6002, 3)),
        ("2008 R2", (6, 1, 7601, 3)),
        ("2012", (6, 2, 9200, 3)),
        ("2012 R2", (6, 3, 9600, 3)),
        ("2016", (10, 0, 14393, 3)),
        ("2019", (10, 0, 17763, 3)),
        ("2022", (10, 0, 20348, 3)),
        ("2025", (10, 0, 26100, 3)),
        ("client", (10, 0, 19045, 1)),
    ],
)
def test_windows_in_words(words: str, numbers: tuple[int, ...]) -> None:
    found: WindowsVersion = fact(WindowsVersion, f'windows = "{words}"')
    assert (found.major, found.minor, found.build, found.product_type) == numbers
    assert "Windows" in found.name


@pytest.mark.parametrize(("words", "release"), [('"4.5.1"', 378675), ('"4.8"', 528040), ('"none"', None), ("9", 9)])
def test_dotnet_in_words(words: str, release: int | None) -> None:
    assert fact(DotnetFramework, f"dotnet = {words}") == DotnetFramework(release)


def test_sql_instances_of_both_views() -> None:
    found: SqlInstances = fact(
        SqlInstances,
        """
        sql = [{version = "10.50.1600.1"}, {name = "NEW", version = "15.0.2000.5"},
               {name = "OLD32", version = "9.00.1399.06", wow64 = true}]
        [registry.'HKLM\\SOFTWARE\\Wow6432Node\\Microsoft\\Microsoft SQL Server\\Instance Names\\SQL']
        NEW = "MSSQL15.NEW"
        """,
    )
    assert [(row.name, row.instance_id, row.version) for row in found.instances] == [
        ("MSSQLSERVER", "MSSQL10_50.MSSQLSERVER", "10.50.1600.1"),
        ("NEW", "MSSQL15.NEW", "15.0.2000.5"),
        ("OLD32", "MSSQL.OLD32", "9.00.1399.06"),
    ]


def mode(toml: str) -> tuple[str, str]:
    iis: IisConfiguration = fact(IisConfiguration, toml)
    (application,) = [row for row in iis.applications if row.path == "/SecretServer"]
    (pool,) = [row for row in iis.pools if row.name == application.pool]
    return pool.pipeline_mode, pool.mode_source


def test_pipeline_modes() -> None:
    app = 'app_version = "10.9.000005"\n'
    assert mode(app) == ("Integrated", "default")
    assert mode(app + 'iis = {mode = "Classic"}') == ("Classic", "pool")
    assert mode(app + 'iis = {mode = "1"}') == ("Classic", "pool")
    assert mode(app + 'iis = {defaults_mode = "Classic"}') == ("Classic", "applicationPoolDefaults")
    assert mode(app + 'iis = {defaults_mode = "Classic", mode = "Integrated"}') == ("Integrated", "pool")
    assert mode(app + "iis = {shared = '\\\\fs\\iis', mode = \"Classic\"}") == ("Classic", "pool")


def test_an_application_without_a_pool_takes_its_site_s_default_then_the_common_one() -> None:
    def pool(settings: str) -> str:
        iis: IisConfiguration = fact(
            IisConfiguration, f'app_version = "11.7.000049"\niis = {{named = false{settings}}}'
        )
        return next(row.pool for row in iis.applications if row.path == "/SecretServer")

    assert pool("") == "DefaultAppPool"
    assert pool(', defaults_pool = "Common"') == "Common"
    assert pool(', defaults_pool = "Common", site_pool = "Own"') == "Own"


def test_accounts_and_passwords_of_iis_do_not_leave_the_machine() -> None:
    output = run_script(batch(), machine("app_version = \"10.9.000005\"\niis = {shared = 'C:\\shared'}"), PROBES)
    parsed = parse(output.stdout, nonce=NONCE, probe_ids=IDS)
    said = " ".join(answer.output for answer in parsed.values() if isinstance(answer, Answer))
    assert "SecretServerAppPool" in said
    assert "svc-ss" not in said
    assert "[enc:" not in said


def test_a_section_that_is_encrypted_is_unreadable() -> None:
    toml = """
    application_host_config = '''<configuration><system.applicationHost>
    <applicationPools configProtectionProvider="X"><EncryptedData/></applicationPools><sites/>
    </system.applicationHost></configuration>'''
    """
    assert "the section applicationPools is encrypted" in refusal(IisConfiguration, toml)
    assert "not well-formed XML" in refusal(IisConfiguration, "application_host_config = '<configuration>'")
    assert "IIS is not installed" in refusal(IisConfiguration, "")


def test_the_application_is_found_by_registry_by_iis_and_as_the_default() -> None:
    app = 'app_version = "10.9.000005"\n'
    assert fact(WebRoot, app).sources == ("registry", "iis")
    assert fact(WebRoot, app + 'web_dir = ""').sources == ("iis",)
    assert fact(WebRoot, app + "iis = false").sources == ("registry",)
    assert fact(WebRoot, app + 'iis = false\nweb_dir = ""').sources == ("default",)
    assert fact(WebRoot, app + "web_root = 'D:\\Vault'").path == "D:\\Vault"
    assert fact(WebRoot, app, web_root="c:/inetpub/wwwroot/secretserver/").sources == ("inventory", "registry", "iis")
    assert "set `web_root`" in refusal(WebRoot, "")
    two = app + "web_dir = 'D:\\Other'\n[files]\n'D:\\Other\\encryption.config' = 'other'\n"
    assert "several folders" in refusal(WebRoot, two)
    assert fact(WebRoot, two, web_root="D:\\Other").path == "D:\\Other"


def test_versions_of_libraries() -> None:
    found: AppFiles = fact(AppFiles, 'app_version = ["10.9.000005", "10.9.000064"]')
    assert [row.version for row in found.files] == ["10.9.64.0", "10.9.5.0"]


def test_states_of_encryption_config() -> None:
    def config(words: str) -> EncryptionConfig:
        found: EncryptionConfig = fact(EncryptionConfig, f'app_version = "10.9.000005"\nencryption_config = {words}')
        return found

    assert config('"a"').sha256 == config('"a"').sha256 != config('"b"').sha256
    for state in ("missing", "locked", "denied", "unreadable"):
        found = config(f'{{state = "{state}"}}')
        assert (found.state, found.sha256) == (state, "")
    efs = config('{efs = true, state = "denied"}')
    assert (efs.efs, efs.state) == (True, "denied")
    assert config("{efs = true}").state == "hashed"
    assert config("{hidden = true}").state == "denied"


def test_a_closed_registry_key_is_told_as_denied() -> None:
    toml = "[registry]\n'HKLM\\SOFTWARE\\Microsoft' = 'denied'"
    assert "read access to this registry key" in refusal(WindowsVersion, toml)
    assert "is denied" in refusal(SqlInstances, toml)


def test_a_foreign_script_is_refused() -> None:
    script = batch()
    assert run_script(script, Machine(), PROBES).exit_code == 0
    for foreign in (
        "",
        "Get-Process",
        script + " ",
        script.replace("Close()", "Closf()", 1),
        script.replace("\n", "\r\n"),
    ):
        output = run_script(foreign, Machine(), PROBES)
        assert (output.stdout, output.exit_code) == (b"", 1)
        assert b"nothing but the scanner's own script" in output.stderr
    assert run_script(script, Machine(), PROBES[:2]).exit_code == 1


def unanswered(toml: str) -> tuple[dict[str, str], list[float]]:
    """The reasons of probes without an answer, and what was waited for."""
    slept: list[float] = []
    output = run_script(batch(), machine(toml), PROBES, sleep=slept.append)
    found = parse(output.stdout, nonce=NONCE, probe_ids=IDS)
    return {key: said.reason for key, said in found.items() if isinstance(said, Unknown)}, slept


def test_a_probe_that_does_not_end_costs_its_patience_and_nothing_else() -> None:
    reasons, slept = unanswered('slow = {"dotnet-framework" = 20}')
    assert reasons == {"dotnet-framework": "timed out: it did not end within 6.0 s"}
    assert slept == [pytest.approx(6.0, abs=0.1)]


def test_a_probe_that_takes_its_time_is_waited_for() -> None:
    assert unanswered('slow = {"dotnet-framework" = 5}') == ({}, [5])


def test_probes_that_do_not_end_may_leave_no_time_for_others() -> None:
    reasons, _ = unanswered(f"slow = {{{', '.join(f'{key} = 99' for key in IDS[:-2])}}}")
    assert set(reasons) >= set(IDS[:3])
    assert all(reason.startswith("timed out") for reason in reasons.values())


def test_what_hangs_is_waited_for_once_and_then_refused() -> None:
    reasons, slept = unanswered(
        "app_version = '11.7.000049'\nhangs = ['C:\\inetpub\\wwwroot\\SecretServer\\web.config']"
    )
    assert reasons == {}
    assert len(slept) == 1
    toml = "app_version = '11.7.000049'\nhangs = ['C:\\inetpub\\wwwroot\\SecretServer\\encryption.config']"
    hanging = machine(toml)
    output = run_script(batch(), hanging, PROBES, sleep=slept.append)
    found = parse(output.stdout, nonce=NONCE, probe_ids=IDS)
    told = found["encryption-config"]
    assert isinstance(told, Answer)
    assert "blocked: C:" in told.output
    assert output.stdout.count(NONCE.encode()) == 2 * len(["before", "after"])


def test_plugins_are_answered_from_the_can_and_never_by_chance() -> None:
    plugin = Probe(id="uptime", language="powershell", purpose="uptime", script="return 5", readers=())
    probes = (*POWERSHELL, plugin)
    assert answers(machine("canned = {uptime = {days = 3}}"), probes=probes)["uptime"] == Answer('{"days": 3}', 0)
    assert answers(machine('errors = {uptime = "boom"}'), probes=probes)["uptime"] == Answer("boom", 1)
    assert "no answer to uptime" in answers(Machine(), probes=probes)["uptime"].output


def test_an_answer_larger_than_the_cap_is_cut() -> None:
    found = answers(machine('canned = {"sql-instances" = "xxxxxxxxxxxxxxxxxxxx"}'), batch(probe_bytes=10))
    assert found["sql-instances"] == Answer('"xxxxxxxxx', 0, truncated=True)


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ('frame = "truncated"', "cut off"),
        ('frame = "garbage"', "no answer in the"),
        ('frame = "empty"', "printed nothing"),
        ('language_mode = "ConstrainedLanguage"', "ConstrainedLanguage mode"),
    ],
)
def test_misbehaviour_leaves_every_probe_unknown(toml: str, said: str) -> None:
    for answer in answers(machine(toml)).values():
        assert isinstance(answer, Unknown)
        assert said in answer.reason


def test_noise_and_a_plain_frame_are_taken() -> None:
    for toml in ('noise = "Unauthorised use is prohibited\\r\\n"', 'frame = "plain"'):
        assert all(isinstance(answer, Answer) for answer in answers(machine(toml)).values())


@pytest.mark.parametrize(
    ("toml", "place"),
    [
        ("windos = 1", "windos"),
        ('windows = "3.11"', "windows"),
        ('dotnet = "5"', "dotnet"),
        ("product_type = 9", "product_type"),
        ("sql = [{name = 'x'}]", "sql[0]"),
        ("sql = 4", "sql"),
        ("iis = {colour = 1}", "iis.colour"),
        ("app_version = '1'\nencryption_config = {colour = 1}", "encryption_config.colour"),
        ("frame = 'bent'", "frame"),
        ("registry = 4", "registry"),
        ("registry = {'HKLM\\X' = 4}", "registry.HKLM\\X"),
        ("files = {'C:\\x' = 4}", "files.C:\\x"),
        ("files = {'C:\\x' = {colour = 4}}", "files.C:\\x.colour"),
    ],
)
def test_a_table_that_says_nonsense_names_the_place(toml: str, place: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        machine(toml)
    assert str(caught.value).startswith(f"{place}:")


WALKED = r"""
app_version = "11.7.000049"
[files]
'C:\inetpub\wwwroot\SecretServer\images\b\2.gif' = "2"
'C:\inetpub\wwwroot\SecretServer\images\1.gif' = "1"
'C:\inetpub\wwwroot\SecretServer\link' = {attributes = 0x410}
'C:\inetpub\wwwroot\SecretServer\closed' = {attributes = 0x10, hidden = true}
'C:\inetpub\wwwroot\SecretServer\pages\large.iso' = {size = 268_435_457}
'C:\inetpub\wwwroot\SecretServer\Log\today.log' = "never compared"
"""


def test_the_walk_through_the_application_names_what_it_leaves_out() -> None:
    tree = fact(AppTree, WALKED)
    assert [folder.path for folder in tree.folders] == ["", "\\bin", "\\images", "\\pages", "\\images\\b"]
    left_out = dict(tree.left_out)
    assert left_out.pop("\\closed\\").startswith(r"access to C:\inetpub\wwwroot\SecretServer\closed is denied")
    assert left_out == {"\\link\\": "a link to elsewhere", "\\pages\\large.iso": "larger than 256 MB"}
    assert tree.stopped == ""


def test_the_walk_through_the_application_stops_at_its_bounds() -> None:
    (reader,) = [reader for probe in POWERSHELL for kind, reader in probe.readers if kind is AppTree]
    tree = reader(Answer(json.dumps(RECORDED["too much to hash"]), 0))
    assert isinstance(tree, AppTree)
    assert (tree.stopped, tree.files) == ("bytes", 9)


def test_a_web_config_may_keep_its_authentication_in_a_location_without_a_path() -> None:
    found = fact(
        IisAuthentication,
        """
        app_version = "11.7.000049"
        [files]
        'C:\\inetpub\\wwwroot\\SecretServer\\web.config' = '''<configuration><location path=".">
        <system.web><authentication mode="Forms"/></system.web></location><location path="api">
        <system.web><authentication mode="None"/></system.web></location></configuration>'''
        """,
    )
    assert [folder.mode for folder in found.folders] == ["Forms"]


def test_a_web_config_may_declare_a_default_namespace() -> None:
    found = fact(
        IisAuthentication,
        """
        app_version = "11.7.000049"
        [files]
        'C:\\inetpub\\wwwroot\\SecretServer\\web.config' = '''<?xml version="1.0"?>
        <configuration xmlns="http://schemas.microsoft.com/.NetConfiguration/v2.0">
        <system.web><authentication mode="Forms"/></system.web></configuration>'''
        """,
    )
    assert [folder.mode for folder in found.folders] == ["Forms"]
