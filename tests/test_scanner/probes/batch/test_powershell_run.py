"""The delivered script run by a real PowerShell, with just the accessors answering from a recorded machine.

It must say what the lab's emulation says. Any `pwsh` on the PATH will do; without one there is nothing to run.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import tree_sitter_powershell
from tree_sitter import Language, Parser

from checks.facts import Unknown
from scanner.lab.machines.windows.script import Machine, run_script
from scanner.lab.machines.windows.table import read_windows
from scanner.lab.scenario import load_scenario, scenario_names
from scanner.probes.batch.powershell import compose, literal, parse
from scanner.probes.probe import Answer, Probe
from scanner.probes.secret_server.parts import IIS
from tests.test_scanner.probes.batch.engine import (
    NONCE,
    POWERSHELL,
    PWSH,
    begun_with,
    composed,
    engine,
    run,
    whole,
    with_recorded,
)
from tests.test_scanner.probes.secret_server.crafted import CRAFTED, RECORDED, script_of

needs_pwsh = pytest.mark.skipif(PWSH is None, reason="no pwsh on the PATH")
ROOT = "C:\\inetpub\\wwwroot\\SecretServer"
INETSRV = "C:\\Windows\\System32\\inetsrv\\config"
LOCKING_HOST = f"""<configuration><configSections><sectionGroup name='system.webServer'>
  <section name='httpErrors' overrideModeDefault='Allow'/><sectionGroup name='security'>
  <section name='requestFiltering' overrideModeDefault='Deny'/><sectionGroup name='authentication'>
  <section name='windowsAuthentication' overrideModeDefault='Deny'/></sectionGroup></sectionGroup></sectionGroup>
</configSections><system.applicationHost><applicationPools configSource='pools.config'/><sites><site name='S' id='1'>
  <application path='/v' applicationPool='P'><virtualDirectory path='/' physicalPath='{ROOT}'/></application>
</site></sites></system.applicationHost><system.webServer><httpErrors lockAttributes='errorMode'/>
  <security><authentication><anonymousAuthentication enabled='false' lockItem='true'/></authentication></security>
</system.webServer><location path='S/v' allowOverride='TRUE' inheritInChildApplications='false'><system.webServer>
  <security><authentication><windowsAuthentication enabled='true'/></authentication></security>
</system.webServer></location><location path='S' allowOverride='perhaps'><system.webServer><security>
  <authentication><basicAuthentication enabled='true'/></authentication></security></system.webServer></location>
</configuration>"""
LOCKED_WEB = """<configuration><system.web><authentication configSource='web-auth.config'/></system.web>
<system.webServer><httpErrors errorMode='Custom' configSource='config\\errors.config'/><security><requestFiltering>
  <verbs/><verbs/></requestFiltering></security></system.webServer><location path='.'><system.webServer><security>
  <authentication><digestAuthentication enabled='true'/></authentication></security></system.webServer></location>
</configuration>"""

MACHINES: dict[str, dict[str, Any]] = {
    "bare": {},
    "2008 R2": {
        "windows": "2008 R2",
        "dotnet": "none",
        "app_version": ["8.8.000000", "8.8.000001"],
        "sql": [{"version": "10.50.1600.1"}, {"name": "OLD", "version": "9.00.1399.06", "wow64": True}],
        "iis": {"defaults_mode": "Classic"},
    },
    "stopped, full and about to reboot": {
        "app_version": "11.7.000049",
        "pool_states": {"SecretServerAppPool": 3},
        "drives": {"C": [40, 1], "D": [500, 20]},
        "sql": [{"version": "15.0.2000.5"}],
        "registry": {
            "HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\WindowsUpdate\\Auto Update\\RebootRequired": {},
            "HKLM\\SYSTEM\\CurrentControlSet\\Control\\Session Manager": {
                "PendingFileRenameOperations": ["\\??\\C:\\a.dll", "", "\\??\\C:\\b.dll", "!\\??\\C:\\c.dll"],
                "PendingFileRenameOperations2": ["\\??\\C:\\d.dll", ""],
            },
            "HKLM\\SYSTEM\\CurrentControlSet\\Services\\System Center Management APM": {"Start": 2},
            "HKLM\\SOFTWARE\\Microsoft\\Microsoft SQL Server\\MSSQL15.MSSQLSERVER\\Setup": {"SQLDataRoot": "D:\\x"},
        },
    },
    "backups in folders": {
        "files": {
            "D:\\Backup\\app\\old.zip": {"zip": {"SecretServer/web.config": 10}, "age_hours": 50},
            "D:\\Backup\\app\\new.zip": {
                "zip": {"a/web.config": 10, "a/Encryption.config": 1322, "a/my-encryption.config": 5},
                "age_hours": 5,
            },
            "D:\\Backup\\app\\copy\\web.config": {"age_hours": 90, "made_hours": 20},
            "D:\\Backup\\database\\a.bak": {"size": 1000, "age_hours": 3.5},
            "D:\\Backup\\database\\b.bak_old": {"size": 1000},
        },
    },
    "backups in capitals": {
        "files": {
            "D:\\BACKUP\\APP\\FULL.ZIP": {"zip": {"A/ENCRYPTION.CONFIG": 9, "A/WEB.CONFIG": 1}, "age_hours": 5},
            "D:\\BACKUP\\DATABASE\\I.BAK": {"size": 5_000_000_000},
        },
    },
    "odd folders": {
        "app_version": "11.7.000049",
        "files": {
            f"{ROOT}\\{name}": file
            for name, file in {
                "Images\\Icon.GIF": "i",
                "Images\\large.iso": {"size": 268_435_457},
                "Images\\small\\B.gif": "b",
                "Images\\small\\a.gif": {"state": "locked"},
                "BIN\\SAPNCO_UTILS.DLL": "left to the administrator",
                "Log\\today.log": "never the same",
                "pages\\Log\\x.aspx": "x",
                "link": {"attributes": 0x410},
                "closed": {"attributes": 0x10, "hidden": True},
                "data\\1": {"size": 200_000_000},
            }.items()
        },
    },
    "authentication in a location": {
        "app_version": "11.7.000049",
        "files": {
            f"{ROOT}\\web.config": "<configuration><location path='.' inheritInChildApplications='false'><system.web>"
            "<authentication mode='Forms'/></system.web><system.webServer><security><authentication>"
            "<anonymousAuthentication enabled='true'/></authentication></security></system.webServer></location>"
            "<location path='api'><system.web><authentication mode='None'/></system.web></location></configuration>",
        },
    },
    "authentication under a default namespace": {
        "app_version": "11.7.000049",
        "files": {
            f"{ROOT}\\web.config": '<configuration xmlns="http://schemas.microsoft.com/.NetConfiguration/v2.0">'
            "<system.web><authentication mode='Windows'/></system.web></configuration>",
        },
    },
    "a copied folder": {
        "files": {
            "D:\\Backup\\app\\web.config": {"age_hours": 900},
            "D:\\Backup\\app\\encryption.config": {"text": "key", "age_hours": 900, "attributes": 0x4020},
        },
        "folders": ["D:\\Backup\\database"],
    },
    "a broken zip": {"files": {"D:\\Backup\\app\\x.zip": "PK but no end", "D:\\Backup\\database": {"hidden": True}}},
    "an empty zip": {"files": {"D:\\Backup\\app\\x.zip": {"zip": {}}, "D:\\Backup\\database": {"size": 0}}},
    "connected": {"connections": ["10.0.0.31:1433", "[2001:db8::7]:443"]},
    "behind a proxy": {
        "outbound": {"updates.thycotic.net:443": "refused", "tmsnuget.thycotic.com:443": "unresolved"},
        "registry": {
            "HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Internet Settings": {"ProxyEnable": 1},
            "HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Internet Settings\\Connections": {
                "WinHttpSettings": "180000000000000003000000"
            },
        },
    },
    "several databases": {
        "sql": [
            {
                "version": "15.0.2000.5",
                "databases": [
                    {"mirroring": 4, "sessions": ["WEB1"]},
                    {"name": "Vault", "version": "", "replicas": [{"server": "SQL1", "own": True}]},
                ],
            },
            {"name": "B", "version": "10.50.1600.1", "refuses": {"backups": 229}},
            {"name": "C", "version": "11.0.2100.60", "refuses": {"server": 18456}},
            {"name": "D", "version": "11.0.2100.60", "stopped": True},
        ],
        "registry": {
            "HKLM\\SOFTWARE\\Microsoft\\Microsoft SQL Server\\MSSQL11.D\\MSSQLServer\\SuperSocketNetLib\\Tcp\\IPAll": {
                "TcpPort": "14330"
            }
        },
    },
    "failover cluster": {
        "computer_name": "SQLA",
        "sql": [
            {"version": "15.0.2000.5", "cluster": "SQLVS1"},
            {"name": "VAULT", "version": "15.0.2000.5", "cluster": "SQLVS2", "stopped": True},
            {"name": "PAYROLL", "version": "15.0.2000.5", "cluster": "SQLVS3"},
        ],
    },
    "web.config and what it names": {
        "app_version": "11.7.000049",
        "files": {
            f"{ROOT}\\web.config": "<configuration><system.web><authentication configSource='web-auth.config'/>"
            "<httpCookies configSource='web-cookie.config'/><pages configSource='pages/x.config'/></system.web>"
            "</configuration>",
            f"{ROOT}\\web-auth.config": "<authentication mode='Forms'/>",
            f"{ROOT}\\web-cookie.config": "<httpCookies>",
        },
    },
    "web.config is no XML": {"app_version": "11.7.000049", "files": {f"{ROOT}\\web.config": "<configuration>"}},
    "web.config is empty": {"app_version": "11.7.000049", "files": {f"{ROOT}\\web.config": "  "}},
    "web.config is another document": {"app_version": "11.7.000049", "files": {f"{ROOT}\\web.config": "<html/>"}},
    "web.config is gone": {"app_version": "11.7.000049", "files": {f"{ROOT}\\web.config": False}},
    "web.config is locked": {
        "app_version": "11.7.000049",
        "files": {f"{ROOT}\\web.config": {"text": "<configuration/>", "state": "locked"}},
    },
    "a pool of 32 bits": {
        "application_host_config": "<configuration><system.applicationHost><applicationPools>"
        "<add name='A' enable32BitAppOnWin64='true' autoStart='false'/><add name='B'/><applicationPoolDefaults "
        "enable32BitAppOnWin64='true'/></applicationPools><sites><site name='S' serverAutoStart='false'><application "
        "path='/' applicationPool='A'><virtualDirectory path='/' physicalPath='C:\\x'/></application></site></sites>"
        "</system.applicationHost><system.webServer><security><isapiCgiRestriction notListedIsapisAllowed='false'>"
        "<add path='%windir%\\Microsoft.NET\\Framework64\\v4.0.30319\\ASPNET_isapi.dll' allowed='false' "
        "description='ASP.NET v4.0.30319'/><add path='C:\\php\\php-cgi.exe' allowed='true'/></isapiCgiRestriction>"
        "</security></system.webServer></configuration>",
    },
    "no WMI for IIS": {"app_version": "11.7.000049", "pool_states": "missing"},
    "shared IIS": {"app_version": "10.9.000005", "iis": {"shared": "\\\\fs\\iis", "mode": "1", "named": False}},
    "IIS denied": {
        "app_version": "10.9.000005",
        "files": {"C:\\Windows\\System32\\inetsrv\\config\\redirection.config": {"hidden": True}},
    },
    "IIS broken": {"app_version": "10.9.000005", "application_host_config": "<configuration>"},
    "IIS encrypted": {
        "application_host_config": "<configuration><system.applicationHost><applicationPools configSource='x'/>"
        "<sites/></system.applicationHost></configuration>"
    },
    "several sites": {
        "app_version": "11.7.000049",
        "iis": {"site_pool": "Own", "named": False, "sites": [{"name": "b", "physical": "D:\\b"}]},
        "files": {"D:\\b\\encryption.config": "other"},
    },
    "libraries that tell no version": {
        "app_version": "11.7.000049",
        "files": {
            f"{ROOT}\\bin\\Thycotic.AppCore.dll": {"state": "locked"},
            f"{ROOT}\\bin\\Thycotic.Foundation.dll": {"state": "denied"},
            f"{ROOT}\\bin\\Thycotic.Foreign.dll": {"numbers": "11.7.49.0"},
            f"{ROOT}\\bin\\Thycotic.Large.dll": {"version": "8.9.300000.0"},
            f"{ROOT}\\bin\\Thycotic.Bare.dll": "no resources",
        },
    },
    "a quota and a full disk": {"drives": {"C": [10, 40], "D": [500, 0]}},
    "configuration in UTF-16": {
        "app_version": "11.7.000049",
        "files": {
            f"{ROOT}\\web.config": {
                "text": "<?xml version='1.0' encoding='utf-16'?><configuration><system.web>"
                "<authentication mode='Forms'/></system.web></configuration>",
                "encoding": "utf-16",
            },
        },
    },
    "configuration in a code page": {
        "app_version": "11.7.000049",
        "files": {
            f"{ROOT}\\web.config": {
                "text": "<?xml version='1.0' encoding='iso-8859-1'?><configuration><!-- Prüfung --><system.web>"
                "<authentication mode='Forms'/></system.web></configuration>",
                "encoding": "iso-8859-1",
            },
        },
    },
    "configuration in an encoding that it does not declare": {
        "app_version": "11.7.000049",
        "files": {
            f"{ROOT}\\web.config": {
                "text": "<configuration><!-- Prüfung --></configuration>",
                "encoding": "iso-8859-1",
            },
        },
    },
    "locked sections and files of their own": {
        "app_version": "11.7.000049",
        "application_host_config": LOCKING_HOST,
        "files": {
            f"{INETSRV}\\pools.config": "<applicationPools><add name='P'/></applicationPools>",
            f"{ROOT}\\web.config": LOCKED_WEB,
            f"{ROOT}\\web-auth.config": "<authentication mode='Forms'/>",
            f"{ROOT}\\config\\errors.config": "<httpErrors errorMode='Detailed'><error/></httpErrors>",
        },
    },
    "a file of its own that is not there": {
        "app_version": "11.7.000049",
        "files": {
            f"{ROOT}\\web.config": (
                "<configuration><system.web><authentication configSource='..\\web-auth.config'/>"
                "</system.web></configuration>"
            ),
        },
    },
    "an empty configuration": {"app_version": "11.7.000049", "files": {f"{ROOT}\\web.config": ""}},
    "locked": {"app_version": "11.7.000049", "encryption_config": {"state": "locked", "size": 1322}},
    "denied by EFS": {"app_version": "11.7.000049", "encryption_config": {"state": "denied", "efs": True}},
    "attributes denied": {"app_version": "11.7.000049", "encryption_config": {"hidden": True}},
    "missing": {"app_version": "11.7.000049", "encryption_config": {"state": "missing"}},
    "only the default": {"app_version": "11.7.000049", "web_dir": "", "iis": False},
    "registry denied": {"registry": {"HKLM\\SOFTWARE": "denied"}},
    "odd texts": {
        "app_version": "11.7.000049",
        "web_root": "D:\\J\u00fcrgen's \u201capp\u201d \U0001f600",
        "registry": {"HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion": {"ProductName": 'Win"\\\t\u0000\u2028x'}},
    },
}


@needs_pwsh
@pytest.mark.parametrize("strict", [False, True], ids=["", "strict mode"])
@pytest.mark.parametrize("name", MACHINES)
def test_the_real_script_says_what_the_emulation_says(name: str, strict: bool) -> None:
    def script_with(one: str) -> str:
        script = with_recorded(composed(), read_windows(MACHINES[one]))
        return begun_with("Set-StrictMode -Version 2.0", script) if strict else script

    real = engine(name, list(MACHINES), script_with)
    emulated = whole(run_script(composed(), read_windows(MACHINES[name]), POWERSHELL).stdout)
    assert real["probes"] == emulated["probes"]
    assert real["mode"] == "FullLanguage"


@needs_pwsh
@pytest.mark.parametrize("name", CRAFTED)
def test_the_engine_still_says_what_it_was_recorded_with(name: str) -> None:
    said = engine(name, list(CRAFTED), script_of)["probes"]
    assert said == {CRAFTED[name].probe_id: {"value": RECORDED[name]}}


def recorded_in_scenarios() -> dict[str, tuple[Machine, dict[str, object]]]:
    """Each machine of the lab's scenarios, once, with the options that its inventory sets; none that misbehaves."""
    found: dict[str, tuple[Machine, dict[str, object]]] = {}
    seen: set[str] = set()
    for name in scenario_names():
        for cluster in load_scenario(name).clusters:
            for node in cluster.nodes:
                machine = node.machine
                if machine is None or machine.language_mode != "FullLanguage" or node.transport == "tds":
                    continue
                odd = (machine.slow, machine.hangs, machine.canned, machine.errors, machine.noise, machine.frame)
                if any(odd):
                    continue
                backup: Any = cluster.inventory.get("backup", {})
                said = {**cluster.inventory, **node.inventory, **{f"backup_{key}": backup[key] for key in backup}}
                # With a login, the recorded SQL Server would want a password of a real process.
                options = {key: said[key] for key in sorted(_PARAMETERS & said.keys()) if key != "sql_user"}
                if repr((machine, options)) not in seen:
                    seen.add(repr((machine, options)))
                    found[f"{name}-{node.name}"] = (machine, options)
    return found


_PARAMETERS = {name for probe in POWERSHELL for name in probe.parameters}
SCENARIOS = recorded_in_scenarios()


def scenario_script(name: str) -> str:
    return compose(POWERSHELL, nonce=NONCE, budget_s=30, options=SCENARIOS[name][1], probe_bytes=500_000)


@needs_pwsh
@pytest.mark.parametrize("name", SCENARIOS)
def test_on_every_machine_of_a_scenario_it_says_what_the_emulation_says(name: str) -> None:
    real = engine(name, list(SCENARIOS), lambda one: with_recorded(scenario_script(one), SCENARIOS[one][0]))
    emulated = whole(run_script(scenario_script(name), SCENARIOS[name][0], POWERSHELL).stdout)
    assert real["probes"] == emulated["probes"]


def test_every_scenario_s_machine_can_be_recorded() -> None:
    assert {"outbound-closed-web1", "backup-old-web1", "database-mirrored-sql2"} <= SCENARIOS.keys()
    parser = Parser(Language(tree_sitter_powershell.language()))
    for name, (machine, options) in SCENARIOS.items():
        script = compose(POWERSHELL, nonce=NONCE, budget_s=30, options=options, probe_bytes=500_000)
        real = with_recorded(script, machine)
        assert real.isascii(), name
        assert not parser.parse(real.encode()).root_node.has_error, name
        assert whole(run_script(script, machine, POWERSHELL).stdout)["probes"], name


CULTURED = ("backups in capitals", "odd folders", "2008 R2", "behind a proxy")


@needs_pwsh
@pytest.mark.parametrize("culture", ["tr-TR", "de-DE", "fa-IR"])
@pytest.mark.parametrize("name", CULTURED)
def test_the_culture_of_windows_makes_no_difference(name: str, culture: str) -> None:
    # Turkish lowers I to a dotless one, which hits comparisons that go by the culture.
    def script_of(one: str) -> str:
        first = f"[System.Threading.Thread]::CurrentThread.CurrentCulture = '{culture}'"
        return begun_with(first, with_recorded(composed(), read_windows(MACHINES[one])))

    emulated = whole(run_script(composed(), read_windows(MACHINES[name]), POWERSHELL).stdout)
    assert engine(name, list(CULTURED), script_of)["probes"] == emulated["probes"]


@needs_pwsh
def test_plain_delivery_late_probes_caps_and_failing_probes() -> None:
    bodies = {
        "nothing": "",
        "several": "1\n'two'\n$null",
        "nested": "return @{ a = @(); b = @(1); c = @(@(1), @{ d = 2.5 }); e = $null; f = $true }",
        "throws": "throw 'it is\n broken'",
        "cmdlet-error": "Get-NoSuchThing",
        "not-terminating": "Write-Error 'stop here'",
        "large": "return 'x' * 5000",
        "big-number": "return 9007199254740993",
        "nan": "return [double]::NaN",
    }
    probes = tuple(
        Probe(id=name, language="powershell", purpose="", script=body, readers=()) for name, body in bodies.items()
    )
    script = with_recorded(composed(probes, probe_bytes=4000), read_windows({}))
    found = whole(run(script, mode="stdin").stdout)["probes"]
    assert found["nothing"] == {"value": None}
    assert found["several"] == {"value": [1, "two", None]}
    assert found["nested"] == {"value": {"a": [], "b": [1], "c": [[1], {"d": 2.5}], "e": None, "f": True}}
    assert found["throws"] == {"error": "it is broken"}
    assert "Get-NoSuchThing" in found["cmdlet-error"]["error"]
    assert "stop here" in found["not-terminating"]["error"]
    assert found["large"] == {"cut": '"' + "x" * 999}
    assert found["big-number"] == {"value": 9007199254740993}
    assert "JSON cannot express" in found["nan"]["error"]
    late = run(with_recorded(composed(probes, budget_s=0), read_windows({}))).stdout
    assert set(map(str, whole(late)["probes"].values())) == {"{'late': ''}"}
    assert len(parse(late, nonce=NONCE, probe_ids=list(bodies))) == len(bodies)


@needs_pwsh
def test_the_accessors_for_files_on_real_files(tmp_path: Path) -> None:
    (tmp_path / "Thycotic.A.dll").write_bytes(b"no resources")
    (tmp_path / "other.txt").write_bytes(b"")
    (tmp_path / "text.xml").write_bytes("\ufeff<a>\u00fc</a>".encode())
    folder, missing = literal(str(tmp_path)), literal(str(tmp_path / "missing"))
    library, text = literal(str(tmp_path / "Thycotic.A.dll")), literal(str(tmp_path / "text.xml"))
    bodies = {
        "names": f"return @{{ n = @(Get-PfFileNames ({folder}) 'Thycotic*.dll') }}",
        "hash": f"return Get-PfFileHash ({library})",
        "size": f"return Get-PfFileSize ({library})",
        "text": f"return (Read-PfXml ({text})).DocumentElement.InnerText",
        "folder": f"return ((Get-PfFileAttributes ({folder})) -band 0x10)",
        "no-attributes": f"return Get-PfFileAttributes ({missing})",
        "no-hash": f"return Get-PfFileHash ({missing})",
        "no-size": f"return Get-PfFileSize ({missing})",
        "no-names": f"return Get-PfFileNames ({missing}) '*.dll'",
        "version": f"return Get-PfFileVersion ({library})",
        "environment": "return Expand-PfEnvironment '%NO_SUCH_VARIABLE%\\x'",
    }
    probes = tuple(
        Probe(id=name, language="powershell", purpose="", script=body, readers=(), parts=IIS)
        for name, body in bodies.items()
    )
    found = whole(run(composed(probes)).stdout)["probes"]
    assert found["names"] == {"value": {"n": ["Thycotic.A.dll"]}}
    assert found["hash"] == {"value": hashlib.sha256(b"no resources").hexdigest()}
    assert found["size"] == {"value": 12}
    assert found["text"] == {"value": "\u00fc"}
    assert found["folder"] == {"value": 16}
    assert found["no-attributes"] == {"value": None}
    assert found["version"] == {"value": {"numbers": "", "text": ""}}
    assert found["environment"] == {"value": "%NO_SUCH_VARIABLE%\\x"}
    for name in ("no-hash", "no-size", "no-names"):
        assert found[name]["error"].startswith(f"missing: {tmp_path}/missing: ")


@pytest.mark.parametrize("name", MACHINES)
def test_the_recorded_accessors_parse_and_stand_in_for_all_that_is_called(name: str) -> None:
    script = with_recorded(composed(), read_windows(MACHINES[name]))
    tree = Parser(Language(tree_sitter_powershell.language())).parse(script.encode())
    assert not tree.root_node.has_error
    assert script.isascii()
    called = set(re.findall(r"\b\w+-Pf\w+", script))
    assert called == set(re.findall(r"^function (\w+-Pf\w+)", script, re.MULTILINE))


@pytest.fixture
def fifo(tmp_path: Path) -> str:
    """A file whose opening never returns: to a thread, what a dead share is."""
    if not hasattr(os, "mkfifo"):
        pytest.skip("there are no named pipes here")
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return str(path)


def asked(budget_s: float, **bodies: str) -> tuple[dict[str, Answer | Unknown], bytes]:
    """The answers to probes with these bodies, and all that came; the names' underscores are hyphens."""
    scripts = {name.replace("_", "-"): body for name, body in bodies.items()}
    probes = tuple(
        Probe(id=name, language="powershell", purpose="", script=body, readers=()) for name, body in scripts.items()
    )
    script = compose(probes, nonce=NONCE, budget_s=budget_s, options={}, probe_bytes=100_000)
    told = run(script)
    assert (told.returncode, told.stderr) == (0, b"")
    return parse(told.stdout, nonce=NONCE, probe_ids=list(scripts)), told.stdout


def values(answers: dict[str, Answer | Unknown]) -> dict[str, str]:
    return {name: said.output if isinstance(said, Answer) else said.reason for name, said in answers.items()}


@needs_pwsh
def test_a_probe_that_leaves_the_script_costs_only_itself() -> None:
    answers, output = asked(
        60,
        before="return 1",
        exits="exit 3",
        breaks="break",
        breaks_far="break somewhere",
        continues="continue",
        throws="throw 'boom'",
        returns="return",
        loops="foreach ($i in 1, 2, 3) { if ($i -eq 2) { continue }; $i }",
        after="return 2",
    )
    said = values(answers)
    assert (said["before"], said["after"], said["loops"], said["returns"]) == ("1", "2", "[1, 3]", "null")
    assert "exit" in said["exits"]
    assert "break" in said["breaks"]
    assert "break" in said["breaks-far"]
    assert "continue" in said["continues"]
    assert said["throws"] == "boom"
    # Nothing blocked, so all of it is one write.
    assert output.count(b":gzip:") == 1


@needs_pwsh
def test_a_call_that_blocks_is_refused_and_its_probe_asked_again(fifo: str) -> None:
    path = literal(fifo)
    answers, output = asked(
        15,
        before="return 1",
        hashes=f"return Get-PfFileHash ({path})",
        both=f"try {{ Get-PfFileBytes ({path}) }} catch {{ @{{ other = 5; problem = (Get-PfErrorText $_) }} }}",
        after="return 2",
    )
    said = values(answers)
    assert (said["before"], said["after"]) == ("1", "2")
    assert re.fullmatch(rf"blocked: {re.escape(fifo)}: no answer within \d\.?\d* s", said["hashes"])
    assert json.loads(said["both"])["other"] == 5
    assert output.count(b":gzip:") == 2


@needs_pwsh
def test_a_probe_that_never_ends_leaves_time_for_others_and_nothing_on_the_node(tmp_path: Path) -> None:
    mark = str(5_000_000 + os.getpid())
    answers, _ = asked(
        20, before="return 1", native=f"& sleep {mark}", started=f"Start-Process sleep {mark} -Wait", after="return 2"
    )
    said = values(answers)
    assert (said["before"], said["after"]) == ("1", "2")
    assert said["native"].startswith("timed out: it did not end within")
    assert said["started"].startswith("timed out: it did not end within")
    processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert f"sleep {mark}" not in processes


@needs_pwsh
def test_the_script_ends_by_its_budget_and_names_what_kept_it(fifo: str) -> None:
    path = literal(fifo)
    answers, _ = asked(
        2, before="return 1", stuck=f"[IO.File]::ReadAllText({path})", loop="while ($true) { }", last="3"
    )
    said = values(answers)
    assert said["before"] == "1"
    assert said["stuck"].startswith("timed out: it did not end within")
    assert all(text == "3" or text.startswith("timed out") for text in (said["loop"], said["last"]))


@needs_pwsh
def test_string_of_nothing_is_as_the_field_says() -> None:
    sample = Path(__file__).parents[3] / "field" / "powershell" / "string-of-nothing.ps1"
    assert PWSH is not None
    told = subprocess.run([PWSH, "-NoProfile", "-File", str(sample)], capture_output=True, text=True, check=True).stdout
    lines = dict(line.split(": ", 1) for line in told.splitlines() if ": " in line)
    assert lines["nothing"] == lines["subexpr"] == lines["var"] == "null=True ne-empty=True"
    assert lines["direct"] == "True"
    # What replaces it gives a text whatever there is.
    answers, _ = asked(
        30, text="function Get-PfRegistryValue { return }\nreturn (Get-PfRegistryText 'HKLM\\x' 'y') -eq ''"
    )
    assert values(answers) == {"text": "true"}
