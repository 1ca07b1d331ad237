"""From recorded answers of Windows hosts about themselves and their pools to facts, the broken ones included."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from checks.common.disk_facts import Disks, Drive
from checks.secret_server.facts.host import MonitoringAgent, PendingReboot, PoolStates, PowershellVersion
from checks.secret_server.facts.node import AppPools, PoolSetting
from checks.secret_server.iis.places import IisAuthentication
from scanner.probes.probe import Answer, UnreadableError
from scanner.probes.secret_server.host.host_readers import powershell_version
from tests.secret_server_probes import PROBES

RECORDINGS = Path(__file__).parents[3] / "recordings" / "secret_server"


def answer(recording: str, probe_id: str) -> Answer:
    entry = json.loads((RECORDINGS / f"{recording}.json").read_text(encoding="utf-8"))[probe_id]
    return Answer(entry["error"], 1) if "error" in entry else Answer(json.dumps(entry["value"]), 0)


def read(kind: type, given: Answer) -> Any:
    (reader,) = [reader for probe in PROBES for fact, reader in probe.readers if fact is kind]
    return reader(given)


def recorded(recording: str, kind: type) -> Any:
    (probe_id,) = [probe.id for probe in PROBES for fact in probe.facts if fact is kind]
    return read(kind, answer(recording, probe_id))


def refusal(kind: type, body: object) -> str:
    with pytest.raises(UnreadableError) as caught:
        read(kind, body if isinstance(body, Answer) else Answer(json.dumps(body), 0))
    message = str(caught.value)
    assert message.isprintable()
    return message


def test_pools_with_their_settings_and_where_these_are_set() -> None:
    (pool,) = recorded("windows-2019", AppPools).pools
    assert (pool.load_user_profile, pool.max_processes) == (PoolSetting("false", "pool"), PoolSetting("4", "pool"))
    assert pool.identity_type == PoolSetting("SpecificUser", "pool")
    old = recorded("windows-2008-r2", AppPools).pools[-1]
    assert old.runtime == PoolSetting("v4.0", "pool")
    assert old.load_user_profile == PoolSetting("", "default")


def test_a_host_without_iis_and_one_that_denies_say_so() -> None:
    assert "IIS is not installed" in refusal(AppPools, answer("no-iis-no-application", "iis-configuration"))
    assert "access to C:\\Windows" in refusal(AppPools, answer("no-rights", "iis-configuration"))


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        (None, "settings is no dict"),
        ({}, "runtime is no dict"),
        ({"runtime": {"value": None, "source": "pool"}}, "value is no str"),
        ({"runtime": {"value": "v4.0", "source": "heaven"}}, "the source of runtime is none of"),
    ],
)
def test_garbled_settings_are_refused(settings: object, why: str) -> None:
    row = {"name": "p", "mode": "", "mode_source": "default", "settings": settings}
    assert why in refusal(AppPools, {"path": "p", "shared": False, "pools": [row], "applications": []})


@pytest.mark.parametrize("kind", ["Qzxvw", "5", "LocalSyst\N{REPLACEMENT CHARACTER}m"])
def test_an_identity_that_iis_has_not_is_refused(kind: str) -> None:
    value = {"value": "", "source": "default"}
    settings = dict.fromkeys(("runtime", "load_user_profile", "max_processes"), value)
    settings["identity_type"] = {"value": kind, "source": "pool"}
    row = {"name": "p", "mode": "", "mode_source": "default", "settings": settings}
    said = refusal(AppPools, {"path": "p", "shared": False, "pools": [row], "applications": []})
    assert "pool p runs as an identityType that is not known" in said


def test_powershell_tells_its_version() -> None:
    assert powershell_version(Answer('"2.0"', 0)) == PowershellVersion("2.0")
    assert powershell_version(Answer('"5.1.17763.5202"', 0)).text == "5.1.17763.5202"


@pytest.mark.parametrize(
    "given", [Answer("5", 0), Answer('"five"', 0), Answer("{", 0), Answer("no", 1), Answer('"', 0)]
)
def test_a_version_that_is_none_is_refused(given: Answer) -> None:
    with pytest.raises(UnreadableError):
        powershell_version(given)


def test_states_of_pools() -> None:
    assert recorded("windows-2019", PoolStates) == PoolStates((("SecretServer", 1),))
    assert recorded("windows-2016", PoolStates) == PoolStates((("SecretServer", 3),))


def test_a_missing_provider_is_a_fact_and_a_refusal_is_none() -> None:
    assert recorded("windows-2008-r2", PoolStates) == PoolStates((), provider_missing=True)
    assert "cannot be read: Access denied" in refusal(PoolStates, answer("no-rights", "app-pool-state"))


@pytest.mark.parametrize(
    "body", [{}, {"pools": [1]}, {"pools": [{"name": "p"}]}, {"pools": [{"name": "p", "state": 5}]}, []]
)
def test_garbled_states_are_refused(body: object) -> None:
    refusal(PoolStates, body)


def test_what_waits_for_a_restart() -> None:
    assert recorded("windows-2019", PendingReboot) == PendingReboot(
        servicing=False, windows_update=True, file_renames=4, rename_to="WEB9"
    )
    quiet = PendingReboot(servicing=False, windows_update=False, file_renames=0, rename_to="")
    assert recorded("windows-2016", PendingReboot) == quiet


@pytest.mark.parametrize("change", [{"active_name": ""}, {"servicing": 1}, {"file_renames": "4"}, {"next_name": None}])
def test_a_garbled_restart_is_refused(change: dict[str, object]) -> None:
    whole = {"servicing": False, "windows_update": False, "file_renames": 0, "active_name": "A", "next_name": "A"}
    refusal(PendingReboot, {**whole, **change})


def test_the_monitoring_agent() -> None:
    assert recorded("windows-2019", MonitoringAgent) == MonitoringAgent(agent=True, apm=True, apm_start=4)
    assert recorded("windows-2016", MonitoringAgent) == MonitoringAgent(agent=False, apm=False, apm_start=None)
    refusal(MonitoringAgent, {"agent": True, "apm": False, "apm_start": "4"})
    refusal(MonitoringAgent, {"agent": 1, "apm": False, "apm_start": None})


def test_drives_and_where_sql_server_keeps_its_data() -> None:
    found = recorded("windows-2019", Disks)
    assert found.drives == (Drive("C:", 64 * 10**9, 20 * 10**9), Drive("E:", 500 * 10**9, 3 * 10**9))
    assert (found.system, found.sql_folders[:2]) == ("C:", ("E:\\Data", "E:\\Log"))


def test_garbled_drives_are_refused() -> None:
    odd = {"name": "C:\\", "total_bytes": -2, "free_bytes": 1}
    assert "this is no drive" in refusal(Disks, {"system": "C:", "drives": [odd], "sql_folders": []})
    assert "this is no drive" in refusal(Disks, {"system": "C:", "drives": [{**odd, "name": "x"}], "sql_folders": []})
    assert "no drives" in refusal(Disks, {"system": "C:", "drives": [], "sql_folders": []})
    refusal(
        Disks, {"system": "C:", "drives": [{"name": "C:\\", "total_bytes": 2, "free_bytes": 1}], "sql_folders": [1]}
    )


def test_a_quota_makes_more_free_than_there_is() -> None:
    rows = [{"name": "C:\\", "total_bytes": 1_000, "free_bytes": 2_000}]
    body = {"system": "C:", "drives": rows, "sql_folders": []}
    (drive,) = read(Disks, Answer(json.dumps(body), 0)).drives
    assert (drive, drive.quota) == (Drive("C:", 1_000, 2_000), True)


@pytest.mark.parametrize(
    ("error", "missing"),
    [
        ("wmi 0x8004100E: root\\WebAdministration: Ung\u00fcltiger Namespace ", True),
        ("wmi 0x80041010: root\\WebAdministration: \u7121\u52b9\u306a\u30af\u30e9\u30b9", True),
        # As version 0.1 told it.
        ("unreadable: WMI root\\WebAdministration: Invalid namespace ", True),
        ("wmi 0x80041003: root\\WebAdministration: Acc\u00e8s refus\u00e9", False),
        ("wmi 0x800706BA: root\\WebAdministration: invalid namespace is what it does not say", False),
    ],
)
def test_wmi_is_understood_by_its_numbers(error: str, missing: bool) -> None:
    said = Answer(error, 1)
    if missing:
        assert read(PoolStates, said).provider_missing
    else:
        assert "WMI root\\WebAdministration" in refusal(PoolStates, said)


def test_ways_of_authentication() -> None:
    found = recorded("windows-2019", IisAuthentication)
    assert [place.path for place in found.places] == ["", "Default Web Site/SecretServer"]
    assert dict(found.places[1].enabled) == {"windows": "true", "anonymous": "false"}
    (folder,) = recorded("windows-2016", IisAuthentication).folders
    assert (folder.mode, folder.enabled) == ("Forms", (("windows", "false"),))


def test_garbled_or_missing_authentication_is_refused() -> None:
    assert "neither true nor false: 'perhaps'" in refusal(IisAuthentication, answer("garbled", "iis-authentication"))
    missing = answer("no-iis-no-application", "iis-authentication")
    assert "IIS is not installed" in refusal(IisAuthentication, missing)
    refusal(IisAuthentication, {"places": [], "folders": [{"path": "p"}]})
    mode = refusal(IisAuthentication, {"places": [], "folders": [{"path": "p", "mode": "F0rms", "error": ""}]})
    assert "none of Windows, Forms, Passport and None: 'F0rms'" in mode
