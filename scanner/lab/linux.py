"""What the machines of a simulated Chef Backend cluster say of themselves: packages, files, hardware."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from scanner.lab.chef import Backend, CommandOutput
from scanner.lab.tables import choice, get, known_keys

NOW_S = 1_900_000_000
"""What the simulated nodes' clocks say, seconds since 1970."""
_DAY_S = 86_400
_KEYS = ("package", "manager", "manifest", "installed_days_ago")


@dataclass(frozen=True, slots=True)
class LinuxNode:
    """One machine. Nothing said is a healthy one, of the version that `chef` says.

    In a scenario: `package` (the package's version; "none"), `manager` (rpm, deb), `manifest` (what its manifest
    says; "none"), `installed_days_ago`.
    """

    package: str = ""
    manager: str = "rpm"
    manifest: str = ""
    installed_days_ago: float = 400.0


@dataclass(frozen=True, slots=True)
class Host:
    """A machine with what its answers depend on."""

    linux: LinuxNode
    roles: tuple[str, ...]
    backend: Backend | None
    package: str
    """`package` of the inventory; empty where it declares none."""

    @property
    def version(self) -> str:
        """The version of the product that it runs."""
        return self.backend.version if self.backend else "15.0.9"


def read_linux(table: Mapping[str, object], place: str) -> LinuxNode:
    """A machine from its scenario table. Raises ScenarioError."""
    known_keys(table, _KEYS, place)
    return LinuxNode(
        package=get(table, "package", "", place),
        manager=choice(get(table, "manager", "rpm", place), ("rpm", "deb"), f"{place}.manager"),
        manifest=get(table, "manifest", "", place),
        installed_days_ago=get(table, "installed_days_ago", 400.0, place),
    )


def installed_package(host: Host) -> CommandOutput:
    """What rpm or dpkg, and the manifest, say of Chef Backend."""
    linux = host.linux
    at = NOW_S - int(linux.installed_days_ago * _DAY_S)
    version = linux.package or f"{host.version}-1"
    package = f"rpm {version} {at}|" if linux.manager == "rpm" else f"deb install ok installed {version} {at}"
    manifest = linux.manifest or host.version
    path = "/opt/chef-backend/version-manifest.json"
    missing = f"grep: {path}: No such file or directory"
    said = missing if manifest == "none" else f'"build_version": "{manifest}"'
    return CommandOutput(f"{'none' if version == 'none' else package}\nnow {NOW_S}\nmanifest {said}\n")


PROBES: Mapping[str, Callable[[Host], CommandOutput]] = {
    "chef-package": installed_package,
}
"""Which function answers which probe."""
