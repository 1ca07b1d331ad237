"""Why a SQL Server does not let us in, told by the numbers of its errors: their texts come in its own language."""

from __future__ import annotations

import ssl

from checks.secret_server.database.access import REFUSES_LOGIN
from scanner.errors import (
    AuthenticationError,
    ConnectionLostError,
    NodeError,
    ProtocolError,
    RefusedError,
    UntrustedPeerError,
    shortened,
)
from scanner.probes.secret_server.database.sql_errors import DATABASE_CLOSED, READ_INTENT_ONLY
from scanner.transports.tds.door import Reply
from scanner.transports.tls.trust import NAME, UNKNOWN_ISSUER, distrust_of

DATABASE_NOT_OPEN = "the database is not open to the login"
_ACCOUNT = "check `sql_user` and its password; SQL Server's error log says the reason beside the number's state"
_LOGINS: tuple[tuple[frozenset[int], str, str], ...] = (
    (
        frozenset((18450, 18451, 18452)),
        f"{REFUSES_LOGIN}: it takes none of this kind",
        "a SQL login needs mixed mode authentication there; a Windows login needs a domain that the server trusts",
    ),
    (frozenset((18470,)), f"{REFUSES_LOGIN}: it is disabled", "ALTER LOGIN ... ENABLE, or take another"),
    (
        frozenset((18486,)),
        f"{REFUSES_LOGIN}: it is locked out",
        "unlock it, and mend the password before the next scan",
    ),
    (
        frozenset((18487, 18488)),
        f"{REFUSES_LOGIN}: its password has expired",
        "change it; set CHECK_EXPIRATION for service logins",
    ),
    (frozenset((18456, 18457, 18458, 18459, 18461)), REFUSES_LOGIN, _ACCOUNT),
    (
        frozenset((40531, 40532)),
        f"{REFUSES_LOGIN}: Azure SQL knows no such server",
        "log in as user@server, and check `host`",
    ),
)
_REFUSALS: tuple[tuple[frozenset[int], str, str], ...] = (
    (
        frozenset((40615, 40914)),
        "Azure SQL's firewall keeps this machine out",
        "allow its address, or its network, in the server's firewall rules",
    ),
    (frozenset((47073,)), "Azure SQL takes no connection from public networks", "scan from inside, over its endpoint"),
    (frozenset((17892,)), "a logon trigger ends the login", "let the login through in the trigger"),
    (
        frozenset((17809, 17810, 17830, 10928, 10929, 40501, 49918, 49919, 49920)),
        "SQL Server takes no more connections now",
        "try again, and look at its load",
    ),
    (
        frozenset((40613,)),
        "the database is not available just now",
        "an Azure database that slept needs a minute: again",
    ),
    (
        frozenset((17142, 6005, 18401)),
        "SQL Server is paused, starting, upgrading or shutting down",
        "wait until it is up",
    ),
)


def numbers_of(reply: Reply) -> frozenset[int]:
    """The numbers of all errors; in which order they come differs."""
    return frozenset(error.number for error in reply.errors)


def refused(reply: Reply, where: str) -> NodeError:
    """The answer to a login that was none, as an error of the tree."""
    numbers = numbers_of(reply)
    if numbers & DATABASE_CLOSED or READ_INTENT_ONLY in numbers:
        cause = _told(reply, numbers & (DATABASE_CLOSED | {READ_INTENT_ONLY}))
        return RefusedError(
            f"{where}: {DATABASE_NOT_OPEN} {cause}",
            hint="check `sql_database`, the database's state, and that the login has a user in it",
        )
    for known, words, hint in _REFUSALS:
        if numbers & known:
            return RefusedError(f"{where}: {words} {_told(reply, numbers & known)}", hint=hint)
    for known, words, hint in _LOGINS:
        if numbers & known:
            return AuthenticationError(f"{where}: {words} {_told(reply, numbers & known)}", hint=hint)
    return RefusedError(f"{where}: SQL Server ends the login {_told(reply, numbers)}")


def _told(reply: Reply, numbers: frozenset[int]) -> str:
    error = next(error for error in reply.errors if error.number in numbers)
    return f"({error.number}: {shortened(error.text, 300)})"


# Where SQL Server's remedy is not every server's.
_REMEDIES = {
    NAME.fault: "write that name in `host`, or set `certificate_name` to one that stands in the certificate",
    UNKNOWN_ISSUER.fault: (
        "set `ca_file` to the authority that issued it, or to the certificate itself; where SQL Server has none it "
        "makes one at each start: then only `verify = false`, which is reported, is left"
    ),
}


def untrusted(error: ssl.SSLError, where: str, name: str) -> NodeError:
    """What TLS failed by, as an error of the tree."""
    reason = error.reason or "no reason told"
    distrust = distrust_of(error)
    if distrust:
        told = getattr(error, "verify_message", "") or reason
        return UntrustedPeerError(
            f"the certificate of {where} {distrust.said} ({name}): {told}",
            hint=_REMEDIES.get(distrust.fault, distrust.hint),
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        return UntrustedPeerError(f"the certificate of {where} is not trusted: {error.verify_message}")
    if reason in ("UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "WRONG_VERSION_NUMBER"):
        return ProtocolError(
            f"{where} and this machine have no TLS version in common ({reason})",
            hint="SQL Server 2014 and earlier need an update for TLS 1.2: install it, or ask on the host over WinRM",
        )
    return ConnectionLostError(
        f"TLS with {where} fails: {reason}", hint="look at SQL Server's error log, and at Schannel's"
    )
