"""The words for a scheduler with which no conversation comes about: what is the matter, and what to do."""

from __future__ import annotations

import ssl
from urllib.parse import urlsplit

from scanner.errors import NodeError, chain
from scanner.run.engines.engine import EngineChoice
from scanner.transports.network.dialling import dial
from scanner.transports.tls.trust import EXPIRED, NOT_YET_VALID, UNKNOWN_ISSUER, distrust_of

_ONCE_MORE_S = 2.0
"""How long it is tried, after all that it was given to answer, to learn why."""
_AT_ONCE = 0.5
"""Of the time that it had: before it was up, and so somebody ended it."""
_NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH", "UNEXPECTED_MESSAGE")
_NOTHING_IN_COMMON = ("UNSUPPORTED_PROTOCOL", "PROTOCOL_VERSION", "HANDSHAKE_FAILURE", "NO_SHARED_CIPHER")
_ALERTS = {
    "CERTIFICATE_EXPIRED": "has expired, by its clock",
    "UNKNOWN_CA": "comes from no authority that it trusts",
    "CERTIFICATE_REVOKED": "was revoked",
    "CERTIFICATE_REQUIRED": "did not come with the call",
}
"""What a peer sends that does not take our certificate, and what that says of it."""


def unreachable(address: str, error: BaseException, choice: EngineChoice, *, took_s: float, had_s: float) -> list[str]:
    """The cause and the cure, each on one line, for an `error` that came after `took_s` of the `had_s` there were."""
    tls = next((each for each in chain(error) if isinstance(each, ssl.SSLError)), None)
    if tls:
        return _of_tls(address, tls, choice)
    why = _why(address)
    if why == _SILENT and took_s < _AT_ONCE * had_s:
        if choice.speaks_tls:
            return _not_taken(address, "", choice)
        return [
            f"{address} takes connections, and ends them before anything is said",
            "is that the scheduler's port? One that speaks TLS is written tls://, one that does not tcp://",
        ]
    return [
        f"{address} cannot be reached within {had_s:g} s" + (f": {why}" if why else ""),
        "is the scheduler running, and does a firewall let this machine through?",
    ]


_SILENT = "it takes connections, and does not answer"


def _why(address: str) -> str:
    """The system's own word: the library tries until its time is up, and says no more than that."""
    where = urlsplit(address)
    if not where.hostname or not where.port:  # the one of this machine
        return ""
    try:
        dial(where.hostname, where.port, _ONCE_MORE_S).close()
    except (OSError, NodeError) as error:
        return getattr(error, "strerror", None) or str(error)
    return _SILENT


def _of_tls(address: str, error: ssl.SSLError, choice: EngineChoice) -> list[str]:
    reason = f"{getattr(error, 'reason', None) or ''} {error}".upper()
    if isinstance(error, ssl.SSLCertVerificationError):
        distrust = distrust_of(error)
        why = distrust.said if distrust else f"is not trusted: {error.verify_message}"
        if distrust is EXPIRED or distrust is NOT_YET_VALID:
            why = f"or that of its authority {distrust.said}"
        cure = distrust.hint if distrust else "look at it with `openssl x509 -text`, and issue it anew"
        if distrust is UNKNOWN_ISSUER:
            cure = f"run.ca_file ({choice.ca_file}) must hold the authority that signed the scheduler's certificate"
        return [f"{_distrusted(address)}: the scheduler's certificate {why}", cure]
    if any(word in reason for word in _NO_TLS):
        return [
            f"{address} does not speak TLS",
            "is that the scheduler's port? It says its address when it starts, which `--protocol tls` makes tls://",
        ]
    if any(word in reason for word in _NOTHING_IN_COMMON):
        return [
            f"{address} and this machine have no TLS version or cipher in common",
            "start the scheduler with a Python and an OpenSSL that speak TLS 1.2 or later",
        ]
    said = next((told for alert, told in _ALERTS.items() if alert in reason), "")
    return _not_taken(address, said, choice)


def _not_taken(address: str, said: str, choice: EngineChoice) -> list[str]:
    # Who ends the conversation instead of saying why does so for the certificate as well: nothing else was shown.
    why = f"this machine's certificate {said}" if said else "it does not take this machine's certificate"
    return [
        f"{_distrusted(address)}: {why}",
        f"run.cert_file ({choice.cert_file}) must be valid, and signed by what the scheduler has as its --tls-ca-file",
    ]


def _distrusted(address: str) -> str:
    return f"{address} and this machine do not trust each other"
