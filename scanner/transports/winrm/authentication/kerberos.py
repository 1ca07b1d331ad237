"""Kerberos tickets, got before a conversation begins and within its patience; and sentences for why there is none.

With a user and a password a ticket is got for this process alone, in its memory; without them the caller's own tickets
or its client keytab (KRB5_CLIENT_KTNAME) count. libkrb5 reports by number; its texts are nobody's interface.
"""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from checks.common.dataclass import dataclass
from scanner.errors import AuthenticationError, NodeError, cause_of, shortened
from scanner.transports.bounded import within

if TYPE_CHECKING:
    from spnego import ContextProxy
    from spnego.channel_bindings import GssChannelBindings

_TABLE = -1765328384
"""ERROR_TABLE_BASE_krb5: numbers of the protocol (RFC 4120, 7.5.9) and of MIT's library count from here (krb5.h)."""
_WRONG_PASSWORD = (24, 31)
_SERVER = re.compile(r"Server (\S{1,200}) not found")

# By number from the table's base: fault, what is said, what to do. {who}, {spn}, {realm} and {said} are filled in.
_CAUSES: tuple[tuple[frozenset[int], str, str, str], ...] = (
    (
        frozenset((156,)),
        "kerberos-kdc-unreachable",
        "no KDC of {realm} answers ({said})",
        "check that ports 88/tcp and 88/udp of the domain controllers are reached from here, and krb5.conf",
    ),
    (
        frozenset((154, 220)),
        "kerberos-realm-unknown",
        "where the KDC of {realm} is, this machine does not know ({said})",
        "realms are written in capitals (user@CORP.EXAMPLE); name the realm's KDC in krb5.conf, or check DNS",
    ),
    (
        frozenset((224, 135, 136)),
        "kerberos-configuration",
        "this machine's krb5.conf does not help ({said})",
        "write the realm (user@CORP.EXAMPLE), and mend krb5.conf",
    ),
    (
        frozenset((6,)),
        "kerberos-account-unknown",
        "the KDC knows no account {who}",
        "check `user`: name@REALM as in Active Directory, its realm in capitals",
    ),
    (
        frozenset(_WRONG_PASSWORD),
        "kerberos-wrong-password",
        "the KDC refuses the password of {who}",
        "set the right one before the next scan: repeated attempts lock the account",
    ),
    (
        frozenset((18,)),
        "kerberos-account-disabled",
        "the KDC refuses {who}: the account is disabled, locked or expired",
        "unlock it in Active Directory, and look why it was locked",
    ),
    (
        frozenset((1, 21)),
        "kerberos-account-expired",
        "the KDC refuses {who}: the account is not valid now",
        "extend it",
    ),
    (
        frozenset((23,)),
        "kerberos-password-expired",
        "the password of {who} has expired",
        "change it; service accounts are set not to expire, or use a group managed account",
    ),
    (
        frozenset((7, 155)),
        "kerberos-spn-unknown",
        "the KDC knows no service {spn}",
        (
            "`host` must be the name that the node is registered by (setspn -L NODE), not an alias or an address; "
            "else set `kerberos_hostname`, or `service`"
        ),
    ),
    (
        frozenset((37,)),
        "kerberos-clock-skew",
        "this machine's clock and the domain's are too far apart for Kerberos",
        "set this machine's clock by the domain's (five minutes are tolerated)",
    ),
    (
        frozenset((32,)),
        "kerberos-ticket-expired",
        "the Kerberos ticket of {who} has expired",
        "get a new one with kinit, or set `user` and a password, with which a scan gets its own",
    ),
    (
        frozenset((33,)),
        "kerberos-clock-skew",
        "the Kerberos ticket of {who} is not valid yet",
        "check this machine's clock",
    ),
    (
        frozenset((141, 142, 195, 194, 199)),
        "kerberos-no-ticket",
        "there is no Kerberos ticket of {who} ({said})",
        "get one with kinit (see klist), or set `user` and a password, with which a scan gets its own",
    ),
    (
        frozenset((181,)),
        "kerberos-keytab",
        "the keytab holds no key for {who} ({said})",
        "check KRB5_CLIENT_KTNAME with klist -k",
    ),
    (
        frozenset((14, 150)),
        "kerberos-encryption-type",
        "the KDC, the account and this machine have no encryption type in common ({said})",
        "allow AES for the account in Active Directory (msDS-SupportedEncryptionTypes), and set its password anew",
    ),
    (
        frozenset((12,)),
        "kerberos-policy",
        "the KDC's policy refuses {who} ({said})",
        "check the account's log-on hours, workstations, and whether a smart card is demanded",
    ),
    (
        frozenset((35, 41)),
        "kerberos-spn-of-another",
        "the node cannot read a ticket for {spn}: another account holds that name",
        "look for duplicates with `setspn -X`, and set `service` or `kerberos_hostname`",
    ),
    (
        frozenset((29,)),
        "kerberos-kdc-unavailable",
        "the KDC of {realm} is not available now ({said})",
        "try again, and look at the domain controllers",
    ),
)
_NUMBERS_OF_GSS = {39756044: 195, 39756043: 141}
"""Where GSSAPI's own mechanism speaks: KG_EMPTY_CCACHE is no ticket."""
_EXPIRED = (720896, 786432)
"""GSS_S_CREDENTIALS_EXPIRED and GSS_S_CONTEXT_EXPIRED, which come without a number of libkrb5's."""
_NO_CRED = 458752

_lock = threading.Lock()
_caches: dict[tuple[str, str], Cache] = {}


class Cache:
    """The tickets of one user, got once for all nodes: a wrong password is not tried at each of them."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.name = ""
        self.refusal: Exception | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """Who wants to speak to which service."""

    user: str
    """name@REALM; empty: whoever has a ticket."""
    password: str
    """Empty: the caller's own tickets."""
    host: str
    service: str

    def __repr__(self) -> str:
        return f"Wish({self.who!r}, {self.spn!r})"

    @property
    def who(self) -> str:
        """For messages."""
        return self.user or "yours"

    @property
    def spn(self) -> str:
        """As setspn writes it."""
        return f"{self.service}/{self.host}"

    @property
    def realm(self) -> str:
        """As far as it is known here."""
        return self.user.rpartition("@")[2] if "@" in self.user else "the realm"


def available() -> bool:
    """Whether Kerberos can be spoken here."""
    if sys.platform == "win32":
        return find_spec("sspilib") is not None
    try:
        # The packages may be there and the C library not.
        import gssapi  # noqa: F401
        import krb5  # noqa: F401
    except ImportError:
        return False
    return True


def ticket(wish: Wish, seconds: float) -> None:
    """See to it that there is a ticket for the service, within `seconds`. Raises AuthenticationError, NodeError."""
    bounded_step(wish, lambda: context(wish).step(), seconds)


def bounded_step(wish: Wish, step: Callable[[], Any], seconds: float) -> Any:
    """What `step` gives, which may ask a KDC, within `seconds`; its failure as a sentence."""
    try:
        return within(seconds, step, "kerberos")
    except TimeoutError:
        raise AuthenticationError(
            f"the KDC of {wish.realm} does not answer within {seconds:g} s",
            hint="check that ports 88/tcp and 88/udp of the domain controllers are reached from here, and krb5.conf",
        ) from None
    except NodeError:
        raise
    except Exception as error:
        found = cause_of_kerberos(error, wish)
        if found is None:
            raise
        raise found from error


def context(wish: Wish, bindings: GssChannelBindings | None = None) -> ContextProxy:
    """The client's side of a login. May ask a KDC; so may its first step."""
    import spnego

    options = spnego.NegotiateOptions.wrapping_winrm
    user: Any = wish.user or None
    password = None
    if wish.password and sys.platform == "win32":
        password = wish.password
    elif wish.password:
        user = spnego.KerberosCCache(_cache(wish))
    return spnego.client(
        user,
        password,
        hostname=wish.host,
        service=wish.service,
        channel_bindings=bindings,
        protocol="kerberos",
        options=options,
    )


def _cache(wish: Wish) -> str:
    """The name of a ticket cache in memory, filled with the password."""
    with _lock:
        cache = _caches.setdefault((wish.user, wish.password), Cache())
    with cache.lock:
        if cache.refusal is not None:
            raise cache.refusal
        if not cache.name:
            try:
                cache.name = _kinit(wish.user, wish.password)
            except Exception as error:
                if _number(error) in _WRONG_PASSWORD:
                    cache.refusal = error
                raise
        return cache.name


def _kinit(user: str, password: str) -> str:
    import krb5

    library = krb5.init_context()
    principal = krb5.parse_name_flags(library, user.encode())
    options = krb5.get_init_creds_opt_alloc(library)
    krb5.get_init_creds_opt_set_canonicalize(options, True)  # noqa: FBT003  takes no keyword
    credential = krb5.get_init_creds_password(library, principal, options, password=password.encode())
    cache = krb5.cc_new_unique(library, b"MEMORY")
    krb5.cc_initialize(library, cache, credential.client)
    krb5.cc_store_cred(library, cache, credential)
    name: bytes = cache.name or b""
    return f"MEMORY:{name.decode()}"


def cause_of_kerberos(error: BaseException, wish: Wish) -> AuthenticationError | None:
    """What libkrb5 or GSSAPI raised, as a sentence; None for an error of another kind."""
    native = getattr(error, "base_error", None) or error
    number, major = _number(error), getattr(native, "maj_code", None)
    said = _said(native)
    if number is None and major is None:
        return None
    if major in _EXPIRED:
        number = 32
    for numbers, _, words, hint in _CAUSES:
        if number in numbers:
            asked = _SERVER.search(said)
            spn = asked[1] if asked else wish.spn
            return AuthenticationError(words.format(who=wish.who, spn=spn, realm=wish.realm, said=said), hint=hint)
    if major == _NO_CRED:
        return AuthenticationError(
            f"there is no Kerberos ticket of {wish.who} ({said})",
            hint="get one with kinit (see klist), or set `user` and a password, with which a scan gets its own",
        )
    return AuthenticationError(
        f"the Kerberos login of {wish.who} at {wish.spn} fails: {said}",
        hint="check the ticket (klist), the clock, and `kerberos_hostname` and `service` against the node's SPN",
    )


def _number(error: BaseException) -> int | None:
    """libkrb5's number, from its table's base."""
    native = getattr(error, "base_error", None) or error
    code = getattr(native, "err_code", None)
    if code is None:
        code = getattr(native, "min_code", None)
    if not isinstance(code, int):
        return None
    signed = code - (1 << 32) if code >= 1 << 31 else code
    return _NUMBERS_OF_GSS.get(signed, signed - _TABLE)


def _said(native: BaseException) -> str:
    """The library's own words, without what GSSAPI wraps around them."""
    text = cause_of(native).removeprefix(f"{type(native).__name__}: ")
    _, minor, rest = text.partition("Minor (")
    if minor:
        text = rest.partition("): ")[2] or text
    return shortened("".join(each if each.isprintable() else "?" for each in text), 200)
