"""Where a node's WinRM is, as HTTP and TLS spell it."""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from urllib.parse import quote

from checks.common.dataclass import dataclass

_PATH = "!#$%&'()*+,/:;=?@[]~"
"""What a path may hold as it is (RFC 3986), escapes included."""


@dataclass(frozen=True, slots=True)
class HttpEndpoint:
    """Where messages go."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def url(self) -> str:
        """As a whole."""
        return f"{self.scheme}://{self.authority}:{self.port}{self.target}"

    @property
    def authority(self) -> str:
        """The host as HTTP spells it: a name in ASCII, an address of IPv6 in brackets and without its zone."""
        if ":" in self.host:
            return f"[{self.host.partition('%')[0]}]"
        return self.host if self.host.isascii() else self.host.encode("idna").decode("ascii")

    @property
    def target(self) -> str:
        """The path, with what may not stand in a request escaped."""
        return quote(self.path.partition("#")[0], safe=_PATH)

    @property
    def tls_name(self) -> str:
        """What the certificate has to be made out to."""
        bare = self.host.partition("%")[0]
        with suppress(ValueError):
            return str(ipaddress.ip_address(bare))
        return self.host.rstrip(".")
