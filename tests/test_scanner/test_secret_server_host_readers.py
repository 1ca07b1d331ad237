"""From recorded answers of Windows hosts about themselves and their pools to facts, the broken ones included."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from checks.secret_server.facts import AppPools, PoolSetting
from scanner.probes.probe import Answer, UnreadableError
from scanner.probes.secret_server import PROBES

RECORDINGS = Path(__file__).parent.parent / "recordings" / "secret_server"


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
