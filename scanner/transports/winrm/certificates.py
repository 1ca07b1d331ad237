"""The words for a node whose TLS we do not come to terms with: its certificate, or the versions that it speaks."""

from __future__ import annotations

import datetime as dt
import ssl

from scanner.clock import now_s
from scanner.errors import AuthenticationError, NodeError, ProtocolError, UntrustedPeerError
from scanner.transports.tls.inspection import Seen
from scanner.transports.tls.trust import BROKEN, EXPIRED, NAME, NOT_YET_VALID, PURPOSE, UNKNOWN_ISSUER, WEAK, Distrust
from scanner.transports.winrm.error_text import innermost
from scanner.transports.winrm.situation import Situation

_GIVE_ONE = 'set `auth = "certificate"` with `cert_file` and `key_file`, or name a listener that demands none'
_RENEW = "give the listener a certificate that is in order; `winrm enumerate winrm/config/listener` shows which it has"


def untrusted_certificate(error: ssl.SSLError, distrust: Distrust | None, at: Situation) -> NodeError:
    """The certificate is not believed: which one, why, and what to do."""
    seen = at.seen()
    reason = (getattr(error, "verify_message", "") or innermost(error)).rstrip(".")
    if distrust is NAME:
        names = f", but to {seen.names}" if seen and seen.names else f": {reason}"
        return UntrustedPeerError(
            f"the node's certificate is not made out to {at.host}{names}",
            hint="set `host` to a name that is in the certificate, or give the listener a certificate with this name",
        )
    if distrust is EXPIRED or distrust is NOT_YET_VALID:
        return _out_of_time(distrust, seen)
    if distrust is WEAK:
        strength = f" ({seen.strength})" if seen and seen.strength else ""
        return UntrustedPeerError(
            f"the node's certificate has a key or a signature that is too weak{strength}: {reason}",
            hint=f"RSA 2048 or more and SHA-256; {_RENEW}",
        )
    if distrust is PURPOSE:
        purposes = f" (it is for: {seen.purposes})" if seen and seen.purposes else ""
        return UntrustedPeerError(
            f"the node's certificate is not made for servers{purposes}",
            hint=f"it needs the extended key usage Server Authentication (1.3.6.1.5.5.7.3.1); {_RENEW}",
        )
    if distrust is UNKNOWN_ISSUER:
        return _unknown_issuer(reason, seen, at)
    if distrust is not None:
        return UntrustedPeerError(f"the node's certificate {distrust.said}: {reason}", hint=distrust.hint)
    return UntrustedPeerError(f"the node's certificate is not trusted: {reason}", hint=BROKEN.hint)


def _out_of_time(distrust: Distrust, seen: Seen | None) -> NodeError:
    now = dt.datetime.fromtimestamp(now_s(), tz=dt.UTC)
    clock = f"this machine's clock says {now:%Y-%m-%d %H:%M} UTC"
    if distrust is EXPIRED:
        ended = seen.ends if seen else None
        if ended and ended > now:
            # The node's own is in order.
            said = "a certificate between the node's and its authority has expired"
            return UntrustedPeerError(
                f"{said}; {clock}", hint="renew the issuing authority's, and let the node send it"
            )
        when = f" on {ended:%Y-%m-%d}" if ended else ""
        return UntrustedPeerError(f"the node's certificate has expired{when}; {clock}", hint=_RENEW)
    begins = seen.begins if seen else None
    when = f" before {begins:%Y-%m-%d %H:%M} UTC" if begins and begins > now else ""
    return UntrustedPeerError(
        f"the node's certificate is not valid yet{when}; {clock}",
        hint=f"check this machine's clock first; then {_RENEW}",
    )


def _unknown_issuer(reason: str, seen: Seen | None, at: Situation) -> NodeError:
    ca_file = at.settings.ca_file
    if seen and seen.self_signed:
        return UntrustedPeerError(
            f"the node's certificate is not trusted: {reason} (for {seen.names})",
            hint="the node signed it itself: set `ca_file` to that very certificate, exported from the node "
            "(Export-Certificate), or give the listener one of your authority's",
        )
    issuer = f" (issued by {seen.issuer})" if seen and seen.issuer else ""
    hint = "set `ca_file` to the certificate of the authority that issued it, root or issuing (PEM or DER)"
    if ca_file:
        hint = (
            f"`ca_file` ({ca_file}) holds neither that authority nor one that it leads to: where the node does not "
            "send the certificates in between, put the issuing authority's into it, too"
        )
    return UntrustedPeerError(f"the node's certificate is not trusted: {reason}{issuer}", hint=hint)


def no_tls_in_common(at: Situation) -> NodeError:
    """TLS of two ages."""
    seen = at.seen()
    best = f": the node speaks {seen.version} at best, and TLS 1.2 is the least here" if seen and seen.version else ""
    return ProtocolError(
        f"the node and this machine have no TLS version or cipher in common{best}",
        hint="enable TLS 1.2 on the node (Schannel; Windows Server 2008 R2 has it switched off by default); ntlm and "
        'kerberos encrypt over `scheme = "http"` (5985), too',
    )


def handshake_refused(at: Situation) -> NodeError:
    """The alert that says no more than that: of TLS 1.2 and earlier also where a client certificate is demanded."""
    seen = at.seen()
    if at.settings.cert_file or (seen and seen.version):
        return no_tls_in_common(at)
    return ProtocolError(
        "the node refuses TLS without a reason: it demands a client certificate, or there is no cipher in common",
        hint=f"{_GIVE_ONE}; or look at Schannel's events on the node",
    )


def certificate_demanded(at: Situation) -> NodeError:
    """Nobody is let in without one."""
    if at.settings.cert_file:
        return AuthenticationError(
            "the node demands another client certificate", hint="check `cert_file`, and that the node trusts its issuer"
        )
    return AuthenticationError("the node demands a client certificate, and none is set", hint=_GIVE_ONE)
