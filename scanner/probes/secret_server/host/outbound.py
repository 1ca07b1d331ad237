"""The question whether a web node reaches the vendor's update hosts, and the reader of its answer."""

from __future__ import annotations

from checks.secret_server.host.outbound_access import ID, STATES, Attempt, OutboundAccess
from scanner.probes import rights
from scanner.probes.batch.powershell import literal, powershell_source
from scanner.probes.probe import Answer, Probe, UnreadableError
from scanner.probes.secret_server.readers import explain, need, rows_of, text, value_of
from scanner.rule_data import load_rules

TARGETS = tuple(rule.requires for rule in load_rules("secret-server").of(ID))
"""HOST:PORT of each update host, as the vendor's rules name them."""


_STATES_BY_CODE = {
    **dict.fromkeys((11001, 11002, 11003, 11004), "unresolved"),
    10060: "silent",
    **dict.fromkeys((10050, 10051, 10064, 10065), "unreachable"),
    10013: "forbidden",
}
"""Windows' error numbers for sockets that mean something else than being refused (10061)."""


def outbound_access(answer: Answer) -> OutboundAccess:
    """From outbound-access. Raises UnreadableError."""
    value = value_of(answer)
    attempts = []
    for row in rows_of(value, "attempts"):
        state, target = need(row, "state", str), f"{need(row, 'host', str)}:{need(row, 'port', int)}"
        if state not in STATES:
            raise UnreadableError(
                f"how connecting to {ascii(target)[:80]} ended is not understood: {ascii(state)[:80]}"
            )
        code = need(row, "code", int) if "code" in row else 0  # evidence of version 0.1 holds none
        told = f"{code}: {text(row, 'detail')}" if code else text(row, "detail")
        attempts.append(Attempt(target, _STATES_BY_CODE.get(code, state), told))
    proxies = need(value, "proxies", list)
    if not all(name in ("WinHTTP", "WinINET") for name in proxies):
        raise UnreadableError(f"these are no places of a proxy: {ascii(proxies)[:200]}")
    problem = need(value, "proxy_error", str)
    return OutboundAccess(
        need(value, "asked", bool), tuple(attempts), tuple(proxies), explain(problem) if problem else ""
    )


def _script() -> str:
    rows = []
    for target in TARGETS:
        host, _, port = target.rpartition(":")
        rows.append(f"    @{{ host = {literal(host)}; port = {int(port)} }}")
    return "\n".join(["$targets = @(", *rows, ")", powershell_source("secret_server/host/outbound-access.ps1")])


PROBES: tuple[Probe, ...] = (
    Probe(
        id="outbound-access",
        language="powershell",
        purpose="whether TCP connections to the vendor's update hosts open, with nothing sent; only where `online` "
        "is set",
        script=_script(),
        readers=((OutboundAccess, outbound_access),),
        parameters=("online",),
        needs=(rights.ANY,),
        sample='{"asked": false, "attempts": [], "proxies": [], "proxy_error": ""}',
    ),
)
