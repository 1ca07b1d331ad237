"""Which sections of IIS's configuration an application may not set in its own web.config, and what of it breaks that.

Microsoft documents it as section locking (`overrideModeDefault`, `location` with `overrideMode` or `allowOverride`) and
as locking of attributes and elements (`lockAttributes` and its siblings): IIS answers each request with 500.19.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from checks.common.dataclass import dataclass
from checks.engine.wording import enumerate_names
from checks.outcome import Outcome, Remediation, failed
from checks.runbook.quoting import for_cmd, joined
from checks.secret_server.facts.node import IisApplication
from checks.secret_server.iis.appcmd import APPCMD
from checks.secret_server.iis.places import AuthenticationPlace, ConfigSection, IisAuthentication, places_above
from checks.secret_server.iis.serving import application_name

_EXPECTED = "web.config sets no section that is locked above it"
_LOCKING_URL = (
    "https://learn.microsoft.com/en-us/iis/get-started/planning-for-security/how-to-use-locking-in-iis-configuration"
)
_SECTION = re.compile(r"[\w./]+", re.ASCII)
_ALL = "*"


def locked_out(
    found: IisAuthentication,
    own: AuthenticationPlace,
    serving: Sequence[IisApplication],
    applications: Sequence[IisApplication],
) -> list[Outcome]:
    """A failure for each of `serving` whose web.config, `own`, sets what is locked for it."""
    outcomes = []
    for app in serving:
        broken = _violations(own.sections, found.denied, places_above(found, app, applications))
        anyway = list(dict.fromkeys(one.told for one in broken))
        if anyway:
            told = enumerate_names(anyway)
            message = f"IIS answers {application_name(app)} with 500.19: its web.config sets {told}"
            outcomes.append(
                failed(message, expected=_EXPECTED, observed=told, remediation=_remedy(app, broken), locked=anyway)
            )
    return outcomes


@dataclass(frozen=True, slots=True)
class _Violation:
    """A section that a web.config sets although it may not."""

    told: str
    section: str
    whole: bool
    """Whether the section is locked as such, so that it can be unlocked for one application."""


def _remedy(app: IisApplication, broken: Sequence[_Violation]) -> Remediation:
    place = for_cmd(application_name(app)) or '"<application>"'
    sections = [one.section for one in broken if one.whole and _SECTION.fullmatch(one.section)]
    unlock = [f"{APPCMD} unlock config {place} -section:system.webServer/{name} -commit:apphost" for name in sections]
    summary = "Take out of web.config what is locked, and set it for the application in IIS Manager."
    if unlock:
        summary = f"{summary} Where it has to stay in web.config, unlock the section for {application_name(app)}."
    return Remediation(summary, joined(unlock, "cmd"), url=_LOCKING_URL, language="cmd" if unlock else "")


def _violations(
    own: Sequence[ConfigSection], denied: Sequence[str], above: Sequence[AuthenticationPlace]
) -> list[_Violation]:
    """What `own`, the sections of a web.config, set although it is locked.

    `denied` are the sections that are locked unless a place says otherwise; `above` goes from the server downwards.
    """
    locked = {name.lower() for name in denied}
    return [found for section in own if (found := _violation(section, locked, above))]


def _violation(section: ConfigSection, denied: set[str], above: Sequence[AuthenticationPlace]) -> _Violation | None:
    name = section.name.lower()
    mode, by = ("deny", 'overrideModeDefault="Deny"') if name in denied else ("allow", "")
    held = ""
    for place in above:
        where = f"location {place.path}" if place.path else "the server's settings"
        override = place.override.lower()
        for other in place.sections:
            if other.name.lower() != name:
                continue
            if override in ("allow", "deny"):
                mode, by = override, where
            held = held or _held(section, dict(other.locks), where)
    if mode == "deny":
        return _Violation(f"{section.name} (locked by {by})", section.name, whole=True)
    return _Violation(held, section.name, whole=False) if held else None


def _held(section: ConfigSection, locks: dict[str, str], where: str) -> str:
    """What single locks of a section forbid of what `section` sets."""
    if locks.get("lockItem", "").lower() == "true" and (section.attributes or section.elements):
        return f"{section.name} (locked by lockItem in {where})"
    for attribute, kept, inside in (
        ("lockAttributes", section.attributes, True),
        ("lockAllAttributesExcept", section.attributes, False),
        ("lockElements", section.elements, True),
        ("lockAllElementsExcept", section.elements, False),
    ):
        names = {one.strip().lower() for one in locks.get(attribute, "").split(",") if one.strip()}
        if not names:
            continue
        hit = [one for one in kept if ((one.lower() in names or _ALL in names) is inside)]
        if hit:
            return f"{section.name}: {', '.join(hit)} (locked by {attribute} in {where})"
    return ""
