"""Which IIS applications, and which of a node's pools, serve Secret Server: found by folder, never by name."""

from __future__ import annotations

import re

from checks.check import NodeView
from checks.facts import Unknown
from checks.outcome import Outcome, undetermined
from checks.runbook.windows_paths import squeezed
from checks.secret_server.facts.folder import EncryptionConfig
from checks.secret_server.facts.node import IisApplication, IisConfiguration, WebRoot

NO_APPLICATION = "found no folder that holds the application"
"""How the reason begins for which a host's web root is unknown where there is none."""


_CLOSED = re.compile(r"denied|cannot be read|is locked|cannot look")
"""What our own reasons say where something could not be looked into: the application may be in there."""


def is_bare(view: NodeView) -> bool:
    """Whether nothing on the host points to the application: no registry value, no site, no folder in its place."""
    root = view.get(WebRoot)
    if not isinstance(root, Unknown) or root.unanswered or NO_APPLICATION not in root.reason:
        return False
    if not isinstance(view.get(EncryptionConfig), Unknown):
        # Another answer of the host comes out of the folder that this one has not found.
        return False
    # A folder that something names and that is gone is a broken node, and none that was never one.
    return "(from " not in root.reason and not _CLOSED.search(root.reason)


def serving(view: NodeView) -> tuple[IisApplication, ...] | Outcome:
    """The applications whose folder is the web root, or why there are none.

    Raises UnknownFactError where the web root or IIS's configuration is unknown.
    """
    root = view.require(WebRoot).path
    iis = view.require(IisConfiguration)
    found = tuple(app for app in iis.applications if _folder(app.physical_path) == _folder(root))
    if found:
        return found
    told = "; ".join(f"{application_name(app)} in {app.physical_path}" for app in iis.applications) or "none"
    return undetermined(
        f"no IIS application has the web root {root} as its folder; applications found: {told}",
        observed=told,
        configuration=iis.path,
    )


def serving_pools(view: NodeView) -> tuple[str, ...] | Outcome:
    """The names of the pools of those applications, each once, or why they cannot be told. Raises as `serving`."""
    found = serving(view)
    if isinstance(found, Outcome):
        return found
    nameless = next((app for app in found if not app.pool), None)
    if nameless is not None:
        return undetermined(f"{application_name(nameless)} names no application pool, and no default does")
    return tuple({app.pool.lower(): app.pool for app in found}.values())


def application_name(app: IisApplication) -> str:
    """Site and virtual path: "Default Web Site/SecretServer"."""
    return f"{app.site}{app.path}"


def _folder(path: str) -> str:
    return squeezed(path.strip().strip('"').replace("/", "\\").removeprefix("\\\\?\\").lower())
