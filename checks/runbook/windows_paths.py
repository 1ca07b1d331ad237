r"""Folders of Windows as they are typed: on their own machine, and from another one over its administrative share."""

from __future__ import annotations

import ipaddress
import re

from checks.common.addresses import is_address

_LONG = re.compile(r"^\\\\\?\\(UNC\\)?", re.IGNORECASE)
_DRIVE = re.compile(r"[A-Za-z]:(?=\\|$)")
_SHARE = re.compile(r"\\\\[^\\]+\\[^\\]+")


def tidy(path: str) -> str:
    r"""The folder without what breaks a command: a backslash at its end, slashes, `\\?\`; "D:\" becomes "D:\.".

    A backslash before a closing quote escapes it, for robocopy as for most programs.
    """
    plain = path.strip().strip('"').replace("/", "\\")
    plain = _LONG.sub(lambda found: "\\\\" if found[1] else "", plain)
    plain = squeezed(plain)
    return f"{plain}\\." if _DRIVE.fullmatch(plain) else plain


def squeezed(path: str) -> str:
    r"""The path without backslashes at its end and doubled ones, but for those that a share begins with."""
    head, body = path[:2], path[2:]
    while "\\\\" in body:
        body = body.replace("\\\\", "\\")
    return (head + body).rstrip("\\")


def is_on_a_share(path: str) -> bool:
    r"""Whether the folder lies on a file share, "\\filer\web\SecretServer", and not on a drive of the machine."""
    return path.startswith("\\\\")


def is_same_folder(one: str | None, other: str | None) -> bool:
    """Whether two machines serve one and the same folder of a file share."""
    if one is None or other is None or not is_on_a_share(one):
        return False
    return tidy(one).lower() == tidy(other).lower()


def shared(host: str, path: str) -> str | None:
    r"""How another machine reaches the folder: "\\web2\D$\Sites\SecretServer"; None where that cannot be told."""
    if is_on_a_share(path):
        return path
    drive = _DRIVE.match(path)
    return f"\\\\{host}\\{path[0].upper()}${path[2:]}".removesuffix("\\.") if drive else None


def share_host(host: str) -> str:
    """A host as it stands in a UNC path: Windows takes an IPv6 address with dashes, in a domain of its own."""
    if not _is_ipv6(host):
        return host
    return host.replace(":", "-").replace("%", "s") + ".ipv6-literal.net"


def url_host(host: str) -> str:
    """A host as it stands in a URL: an IPv6 address in brackets."""
    return f"[{host}]" if _is_ipv6(host) else host


def is_seen_from_here_alone(host: str) -> bool:
    """Whether `host` means another machine wherever it is typed: the machine itself, or an address on one link."""
    if host.lower().rstrip(".") in ("localhost", ""):  # a lone dot is this machine, too
        return True
    return is_address(host) and (ipaddress.ip_address(host).is_loopback or "%" in host)


def aside(path: str, what: str) -> str | None:
    r"""A folder on the same volume that no web site serves: "C:\SecretServer-what"; None where there is none.

    On the same volume what is moved is renamed: it takes no room and no time, and keeps its permissions.
    """
    leaf = path.rpartition("\\")[2]
    if _DRIVE.match(path) and leaf not in ("", "."):
        return f"{path[:2]}\\{leaf}-{what}"
    share = _SHARE.match(path)
    if share and share[0] != path:
        return f"{path.removesuffix(leaf)}{leaf}-{what}"
    return None


def _is_ipv6(host: str) -> bool:
    return is_address(host) and ipaddress.ip_address(host).version == 6
