"""The words for logins that a node refuses, breaks off or never answers.

Importing this loads pyspnego, so it is imported late.
"""

from __future__ import annotations

import ssl
import sys

import spnego.exceptions

from scanner.errors import (
    AuthenticationError,
    ConnectionLostError,
    NodeError,
    ProtocolError,
    RefusedError,
    UntrustedPeerError,
    chain,
)
from scanner.transports.winrm.authentication.access import NOT_A_MEMBER
from scanner.transports.winrm.authentication.login import OldCredsspError, Stage, schemes
from scanner.transports.winrm.authentication.nt_status import LOGON
from scanner.transports.winrm.error_text import brief, innermost
from scanner.transports.winrm.situation import ONE_CONNECTION, SEALED, Situation

_PERHAPS_SEVERAL = (
    "several servers behind one address (a load balancer) refuse every password, too: scan each node by a name of its "
    "own"
)


def missing_kerberos() -> AuthenticationError:
    """Kerberos is the one login that needs a package which is not always installed."""
    hint = 'pip install "preflight-scanner[kerberos]"'
    if sys.platform != "win32":
        hint += "; it is built here, with gcc and libkrb5-dev (krb5-devel), and needs libkrb5"
    return AuthenticationError('auth = "kerberos" needs a package that is not installed here', hint=hint)


def login_refused(at: Situation) -> NodeError:
    """HTTP 401: which of a login's messages it answers decides what it means."""
    auth = at.settings.auth
    wanted = {
        "basic": ("basic",),
        "ntlm": ("negotiate", "ntlm"),
        "kerberos": ("negotiate", "kerberos"),
        "credssp": ("credssp",),
    }.get(auth, ())
    if at.stage is Stage.ACCEPTED or (auth not in SEALED and at.requests > 1):
        return ConnectionLostError(
            "the node forgot in mid-conversation that it had accepted the login (HTTP 401)",
            hint=f"user and password are right; {ONE_CONNECTION}",
        )
    offered = [name.lower() for name in schemes(at.offered)]
    if wanted and offered and not any(name in offered for name in wanted):
        names = ", ".join(schemes(at.offered)) or "none"
        hint = "choose another `auth`, or enable this one on the node (winrm/config/service/auth)"
        if auth == "credssp":
            hint = "run Enable-WSManCredSSP -Role Server on the node (or the policy `Allow CredSSP authentication`)"
        return AuthenticationError(f"the node does not offer {auth} logins (it offers: {names})", hint=hint)
    if auth in SEALED and (several := _several(at)):
        return ProtocolError(
            f"more than one server answers at port {at.settings.port}: {several}; a login that began with one of them "
            "was judged by another",
            hint=f"this says nothing of user and password; {ONE_CONNECTION}",
        )
    if auth in SEALED and at.stage is not Stage.ANSWERED:
        return _broken_off(at)
    return _rejected(at)


def _several(at: Situation) -> str:
    """What shows that the messages of one login reached several servers; empty where nothing does."""
    if at.several:
        return at.several
    names = list(dict.fromkeys(filter(None, (at.node, *at.names())))) if at.node else []
    return f"they call themselves {' and '.join(brief(name, 40) for name in names)}" if len(names) > 1 else ""


def _broken_off(at: Situation) -> NodeError:
    """A 401 before the node can know whether the password is right."""
    in_between = f" ({at.between})" if at.between else ""
    auth = at.settings.auth
    if at.stage is Stage.CHALLENGED:
        return ProtocolError(
            f"the node broke off the {auth} login before it looked at the password{in_between}",
            hint=f"the password is not the cause; {ONE_CONNECTION}",
        )
    return ProtocolError(
        f"the node leaves the {auth} login unanswered: no challenge came (HTTP 401){in_between}",
        hint=f"the password was not tried; a proxy may take the Authorization header away; {ONE_CONNECTION}",
    )


def _rejected(at: Situation) -> NodeError:
    """The node's verdict."""
    auth, user = at.settings.auth, at.settings.user
    if auth == "certificate":
        return AuthenticationError(
            "the node does not map the client certificate to an account",
            hint="check WSMan:\\localhost\\ClientCertificate on the node, and that Certificate logins are enabled",
        )
    named = f"the node (it calls itself {brief(at.node, 40)})" if at.node else "the node"
    if auth == "kerberos":
        return AuthenticationError(
            f"{named} rejects the Kerberos login of {user or 'the current ticket'}",
            hint="check its clock, whose SPN the ticket is for (`kerberos_hostname`, `service`, setspn -X), and that "
            f"the account may log on from the network; {_PERHAPS_SEVERAL}",
        )
    hints = ["check `user` and the password, once: repeated attempts lock the account"]
    if auth == "ntlm":
        hints.append("the policy 'Restrict NTLM' may forbid NTLM")
    if auth == "credssp":
        hints.append("the node may be set to take no credentials (CredSSP policies), or its clock be wrong")
    if auth != "basic" or ("\\" not in user and "@" not in user):
        hints.append(NOT_A_MEMBER)
    else:
        hints.append("Basic takes local accounts only")
    if at.settings.scheme == "https" and auth == "ntlm":
        seen = at.seen()
        issuer = f" (the certificate here is from {seen.issuer})" if seen and seen.issuer else ""
        hints.append(f"where TLS is inspected on the way{issuer} the node refuses every password")
    if at.between:
        hints.append(f"somebody is in between ({at.between}), who may spoil the login")
    if auth != "basic":
        hints.append(_PERHAPS_SEVERAL)
    return AuthenticationError(f"{named} rejects the {auth} login of {user}", hint="; ".join(hints))


def login_failed(error: Exception, at: Situation) -> NodeError:
    """What pyspnego raises: about the login, or about a sealed message."""
    auth, user = at.settings.auth, at.settings.user
    status = _nt_status(error)
    if auth == "credssp" and status is not None:
        found = LOGON.get(status)
        if found:
            return AuthenticationError(
                f"the node refuses the credssp login of {user}: {found.said} ({found.name})", hint=found.hint
            )
        return AuthenticationError(
            f"the node refuses the credssp login of {user} (NTSTATUS 0x{status:08X})",
            hint="look at the Security log of the node, event 4625",
        )
    tls = next((each for each in chain(error) if isinstance(each, ssl.SSLError)), None)
    if auth == "credssp" and tls is not None:
        return ProtocolError(
            f"the TLS inside CredSSP fails: {innermost(tls)}",
            hint="CredSSP needs TLS 1.2 on the node (Schannel; Windows Server 2008 R2 has it switched off by default)",
        )
    if isinstance(error, spnego.exceptions.BadBindingsError):
        return UntrustedPeerError(
            "somebody between here and the node stands in for its key: the password was not sent",
            hint="CredSSP proves the node's key to us, and it is another one: look for TLS inspection on the way",
        )
    broken = (
        spnego.exceptions.BadMICError,
        spnego.exceptions.InvalidTokenError,
        spnego.exceptions.UnsupportedQop,
        spnego.exceptions.OperationNotAvailableError,
    )
    if isinstance(error, broken):
        return ProtocolError(f"the node's part of the login or a sealed message is not valid: {innermost(error)}")
    return AuthenticationError(f"the {auth} login failed: {innermost(error)}", hint=_rejected(at).hint)


def _nt_status(error: BaseException) -> int | None:
    """The errorCode of a TSRequest, [MS-CSSP] 2.2.1, which pyspnego hands on as an error of Windows."""
    native = getattr(error, "base_error", None)
    code = getattr(native, "winerror", None)
    return code & 0xFFFFFFFF if isinstance(code, int) else None


def old_credssp(error: OldCredsspError, at: Situation) -> NodeError:
    """A node without the updates of May 2018, asked over http."""
    return RefusedError(
        f"the node speaks CredSSP version {error.version}, which gives the password away to whoever is in between "
        "(CVE-2018-0886): it was not sent",
        hint=f'install the updates of May 2018 on {at.host}, or use `scheme = "https"` with a verified certificate',
    )
