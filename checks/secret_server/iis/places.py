"""The places of IIS's configuration that hold for an application, as Microsoft documents `location`.

From the server's own downwards, unless `inheritInChildApplications="false"` keeps one to the application it belongs to.
"""

from __future__ import annotations

from collections.abc import Sequence

from checks.common.dataclass import dataclass
from checks.secret_server.facts.node import IisApplication

KINDS = ("anonymous", "windows", "basic", "digest")
"""IIS's own ways of authentication."""


@dataclass(frozen=True, slots=True)
class ConfigSection:
    """A section below system.webServer in one place of the configuration."""

    name: str
    """Its path there: "security/authentication/windowsAuthentication"."""
    attributes: tuple[str, ...] = ()
    """The attributes that are set, by name alone; of a web.config."""
    elements: tuple[str, ...] = ()
    """The elements in it, each name once; of a web.config."""
    locks: tuple[tuple[str, str], ...] = ()
    """Its lockAttributes, lockElements, lockAllAttributesExcept, lockAllElementsExcept and lockItem, as read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticationPlace:
    """What one place of the configuration says of authentication."""

    path: str
    """The location's path ("Default Web Site/SecretServer", empty for the whole server), or a folder."""
    enabled: tuple[tuple[str, str], ...]
    """Each of KINDS that is set there, with "true" or "false"."""
    mode: str = ""
    """`authentication mode` of a web.config: "Forms", "Windows"; empty where it says nothing."""
    error: str = ""
    """Why the web.config could not be read; empty where it could."""
    inherits: bool = True
    """False where `inheritInChildApplications="false"` keeps it from the applications below."""
    override: str = ""
    """`overrideMode` of a location, or what `allowOverride` stands for: "allow", "deny", else neither."""
    sections: tuple[ConfigSection, ...] = ()
    """Of a web.config the sections that it sets; of a place above those that it locks or unlocks."""


@dataclass(frozen=True, slots=True)
class IisAuthentication:
    """What IIS and the application's web.config say of authentication."""

    places: tuple[AuthenticationPlace, ...]
    """Of applicationHost.config."""
    folders: tuple[AuthenticationPlace, ...]
    """The web.config of each folder that may hold the application."""
    denied: tuple[str, ...] = ()
    """Sections below system.webServer that no web.config may set unless a location allows it."""


def places_above(
    found: IisAuthentication, app: IisApplication, applications: Sequence[IisApplication]
) -> list[AuthenticationPlace]:
    """The places of applicationHost.config that hold for the application, from the server's down to its own."""
    full = _full(app)
    covering = [place for place in found.places if _covers(_path(place), full)]
    reaching = [place for place in covering if place.inherits or _owner(place, applications) in ("", full)]
    return sorted(reaching, key=lambda place: len(_path(place)))


def _owner(place: AuthenticationPlace, applications: Sequence[IisApplication]) -> str:
    """The application that a place belongs to: the closest at its path or above; empty for the server's own."""
    path = _path(place)
    owners = [full for one in applications if _covers(full := _full(one), path)]
    return max(owners, key=len, default=path)


def _full(app: IisApplication) -> str:
    return f"{app.site}{app.path}".strip("/").lower()


def _path(place: AuthenticationPlace) -> str:
    path = place.path.strip("/").lower()
    return "" if path == "." else path


def _covers(place: str, full: str) -> bool:
    return not place or place == full or full.startswith(place + "/")
