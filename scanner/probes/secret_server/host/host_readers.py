"""From what a host says of itself and its pools to facts. Pure: each gives its fact or raises UnreadableError."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import replace

from checks.common.computer_facts import ComputerName
from checks.common.connection_facts import Connection, TcpConnections
from checks.common.disk_facts import Disks, Drive
from checks.secret_server.facts.host import Hardware, MonitoringAgent, PendingReboot, PoolStates, PowershellVersion
from checks.secret_server.facts.node import AppPools, PoolSetting, PoolSettings
from checks.secret_server.iis.places import KINDS, AuthenticationPlace, ConfigSection, IisAuthentication
from scanner.probes.probe import Answer, UnreadableError
from scanner.probes.secret_server.readers import (
    SWITCHES,
    asks_for_switches,
    explain,
    iis_configuration,
    named,
    need,
    rows_of,
    text,
    value_of,
)

_LONGEST_NAME = 255
_INVALID_NAMESPACE = 0x8004100E
_NO_PROVIDER = (_INVALID_NAMESPACE, 0x80041010, 0x80041011)
"""WBEM_E_INVALID_NAMESPACE, WBEM_E_INVALID_CLASS, WBEM_E_PROVIDER_NOT_FOUND: IIS has no WMI provider there."""
_SOURCES = ("pool", "applicationPoolDefaults", "default")
_IDENTITIES = {
    "",
    *("0", "1", "2", "3", "4"),
    *("localsystem", "localservice", "networkservice", "specificuser", "applicationpoolidentity"),
}
_FORMS_MODES = ("", "none", "windows", "passport", "forms")


def app_pools(answer: Answer) -> AppPools:
    """From iis-configuration: what each pool runs with."""
    iis_configuration(answer)  # it knows what to say of a host without IIS, and of garbage
    value = value_of(answer)
    keys: tuple[str, ...] = ("runtime", "load_user_profile", "max_processes", "identity_type")
    if asks_for_switches(value):
        keys += SWITCHES
    pools = [(named(row, "name"), need(row, "settings", dict)) for row in rows_of(value, "pools")]
    found = tuple(PoolSettings(name=name, **{key: _setting(settings, key) for key in keys}) for name, settings in pools)
    odd = next((pool for pool in found if pool.identity_type.value.lower() not in _IDENTITIES), None)
    if odd:
        raise UnreadableError(
            f"pool {odd.name[:80]} runs as an identityType that is not known: {ascii(odd.identity_type.value)[:80]}"
        )
    return AppPools(found)


def computer_name(answer: Answer) -> ComputerName:
    """From computer-name."""
    value = value_of(answer)
    name, domain = need(value, "name", str).strip(), text(value, "domain")
    if not name or len(name) > _LONGEST_NAME:
        raise UnreadableError(f"the registry does not tell the computer's name: {ascii(name)[:80]}")
    return ComputerName(name, domain)


def tcp_connections(answer: Answer) -> TcpConnections:
    """From windows-connections."""
    found = []
    for row in rows_of(value_of(answer), "connections"):
        ends = [(need(row, end, str), need(row, f"{end}_port", int)) for end in ("local", "remote")]
        try:
            (local, local_port), (remote, remote_port) = ((_address(text), port) for text, port in ends)
        except ValueError:
            raise UnreadableError(f"this is no connection: {ascii(dict(row))[:200]}") from None
        found.append(Connection(local, local_port, remote, remote_port))
    return TcpConnections(tuple(sorted(found)))


def _address(text: str) -> str:
    """An address without the zone that Windows adds to those of a link; of IPv4 within IPv6, the IPv4 one."""
    address = ipaddress.ip_address(text.partition("%")[0])
    return str(getattr(address, "ipv4_mapped", None) or address)


def hardware(answer: Answer) -> Hardware:
    """From hardware."""
    value = value_of(answer)
    processors, memory = need(value, "processors", int), need(value, "memory_bytes", int)
    if processors < 1 or memory < 1:
        raise UnreadableError(f"this is no hardware: {ascii(dict(value))[:200]}")
    return Hardware(processors, memory)


def powershell_version(answer: Answer) -> PowershellVersion:
    """From the contact probe."""
    if answer.exit_code != 0 or answer.truncated:
        raise UnreadableError(f"PowerShell did not tell its version: {explain(answer.output)[:200]}")
    try:
        told: object = json.loads(answer.output)
    except ValueError:
        told = None
    if not isinstance(told, str) or not re.fullmatch(r"\d{1,3}(\.\d{1,9}){1,3}", told):
        raise UnreadableError(f"$PSVersionTable.PSVersion is no version: {ascii(answer.output)[:200]}")
    return PowershellVersion(told)


def pool_states(answer: Answer) -> PoolStates:
    """From app-pool-state."""
    if answer.exit_code != 0 and _wmi_code(answer.output) in _NO_PROVIDER:
        return PoolStates((), provider_missing=True)
    states = [(named(row, "name"), need(row, "state", int)) for row in rows_of(value_of(answer), "pools")]
    odd = next((f"{name}: {state}" for name, state in states if not 0 <= state <= 4), None)
    if odd:
        raise UnreadableError(f"no such state of an application pool: {odd[:200]}")
    return PoolStates(tuple(states))


def _wmi_code(error: str) -> int | None:
    """The number of an accessor's "wmi 0x8004100E: where: message", which is said in the language of Windows."""
    told = re.match(r"wmi 0x([0-9A-Fa-f]{1,8}): ", error)
    if told:
        return int(told[1], 16)
    # Evidence of version 0.1 holds no numbers.
    return _INVALID_NAMESPACE if "invalid namespace" in error.lower() else None


def pending_reboot(answer: Answer) -> PendingReboot:
    """From pending-reboot."""
    value = value_of(answer)
    now, then = need(value, "active_name", str), need(value, "next_name", str)
    if not now or not then:
        raise UnreadableError("the registry does not tell the computer's name")
    return PendingReboot(
        need(value, "servicing", bool),
        need(value, "windows_update", bool),
        need(value, "file_renames", int),
        then if then.lower() != now.lower() else "",
    )


def monitoring_agent(answer: Answer) -> MonitoringAgent:
    """From monitoring-agent."""
    value = value_of(answer)
    start = None if value.get("apm_start") is None else need(value, "apm_start", int)
    return MonitoringAgent(need(value, "agent", bool), need(value, "apm", bool), start)


def disks(answer: Answer) -> Disks:
    """From disks."""
    value = value_of(answer)
    drives = []
    for row in rows_of(value, "drives"):
        name = named(row, "name").rstrip("\\").upper()
        total, free = need(row, "total_bytes", int), need(row, "free_bytes", int)
        if not re.fullmatch(r"[A-Z]:", name) or free < 0 or total < 0:
            raise UnreadableError(f"this is no drive: {ascii(dict(row))[:200]}")
        # The total is what a quota leaves to the account that asks; the free space is the drive's own.
        drives.append(Drive(name, total, free))
    folders = need(value, "sql_folders", list)
    if not drives or not all(isinstance(folder, str) for folder in folders):
        raise UnreadableError(f"no drives, or folders that are no texts: {ascii(dict(value))[:200]}")
    return Disks(tuple(drives), need(value, "system", str).upper(), tuple(folders))


def iis_authentication(answer: Answer) -> IisAuthentication:
    """From iis-authentication."""
    iis_less = re.match(r"missing: ([^\\]:\\[^:]*applicationHost\.config):", answer.output)
    if answer.exit_code != 0 and iis_less:
        raise UnreadableError(f"IIS is not installed: there is no {iis_less[1]}")
    value = value_of(answer)
    return IisAuthentication(
        tuple(_place(row) for row in rows_of(value, "places")),
        tuple(_folder(row) for row in rows_of(value, "folders")),
        tuple(str(name) for name in need(value, "denied", list)) if "denied" in value else (),
    )


def _folder(row: Mapping[str, object]) -> AuthenticationPlace:
    mode, error = need(row, "mode", str), need(row, "error", str)
    if mode.strip().lower() not in _FORMS_MODES:
        raise UnreadableError(f"authentication's mode is none of Windows, Forms, Passport and None: {ascii(mode)[:80]}")
    return replace(_place(row), mode=mode.strip(), error=explain(error) if error else "")


def _place(row: Mapping[str, object]) -> AuthenticationPlace:
    enabled = tuple((kind, need(row, kind, str).lower()) for kind in KINDS if kind in row)
    odd = next((value for _, value in enabled if value not in ("true", "false")), None)
    if odd is not None:
        raise UnreadableError(f"authentication is neither true nor false: {ascii(odd)[:80]}")
    override = text(row, "override").lower()
    if override not in ("", "allow", "deny", "inherit"):
        raise UnreadableError(f"overrideMode is none of Allow, Deny and Inherit: {ascii(override)[:80]}")
    sections = tuple(_locked_section(one) for one in rows_of(row, "sections")) if "sections" in row else ()
    inherits = need(row, "inherits", bool) if "inherits" in row else True
    return AuthenticationPlace(
        path=need(row, "path", str), enabled=enabled, inherits=inherits, override=override, sections=sections
    )


def _locked_section(row: Mapping[str, object]) -> ConfigSection:
    locks = need(row, "locks", dict)
    return ConfigSection(
        named(row, "name"),
        tuple(str(name) for name in need(row, "attributes", list)),
        tuple(str(name) for name in need(row, "elements", list)),
        tuple(sorted((str(name), str(value)) for name, value in locks.items())),
    )


def _setting(settings: Mapping[str, object], key: str) -> PoolSetting:
    found = need(settings, key, dict)
    source = need(found, "source", str)
    if source not in _SOURCES:
        raise UnreadableError(f"the source of {key} is none of {', '.join(_SOURCES)}: {source[:80]!r}")
    return PoolSetting(" ".join(need(found, "value", str).split()), source)
