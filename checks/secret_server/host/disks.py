"""On which drives of a host of Secret Server there has to be room."""

from __future__ import annotations

from checks.check import NodeView
from checks.common.disk_facts import Disks
from checks.facts import Unknown
from checks.secret_server.facts.node import WebRoot


def relevant(disks: Disks, role: str, view: NodeView) -> list[str]:
    """Folders whose drives matter to `role`; the system drive where nothing better is known."""
    if role == "database":
        return list(disks.sql_folders) or [drive.name for drive in disks.drives]
    root = view.get(WebRoot)
    return [disks.system] if isinstance(root, Unknown) else list(dict.fromkeys((disks.system, root.path)))
