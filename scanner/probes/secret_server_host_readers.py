"""From what a host says of itself and its pools to facts. Pure: each gives its fact or raises UnreadableError."""

from __future__ import annotations

from collections.abc import Mapping

from checks.secret_server.facts import AppPools, PoolSetting, PoolSettings
from scanner.probes.probe import Answer, UnreadableError
from scanner.probes.secret_server_readers import iis_configuration, need, rows_of, value_of

_SOURCES = ("pool", "applicationPoolDefaults", "default")


def app_pools(answer: Answer) -> AppPools:
    """From iis-configuration: what each pool runs with."""
    iis_configuration(answer)  # it knows what to say of a host without IIS, and of garbage
    return AppPools(
        tuple(
            PoolSettings(
                need(row, "name", str),
                *(
                    _setting(need(row, "settings", dict), key)
                    for key in ("runtime", "load_user_profile", "max_processes", "identity_type")
                ),
            )
            for row in rows_of(value_of(answer), "pools")
        )
    )


def _setting(settings: Mapping[str, object], key: str) -> PoolSetting:
    found = need(settings, key, dict)
    source = need(found, "source", str)
    if source not in _SOURCES:
        raise UnreadableError(f"the source of {key} is none of {', '.join(_SOURCES)}: {source[:80]!r}")
    return PoolSetting(" ".join(need(found, "value", str).split()), source)
