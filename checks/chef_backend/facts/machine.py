"""What is known of one machine of a Chef Backend cluster, backend or frontend, beside the cluster's own view."""

from __future__ import annotations

from checks.common.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledPackage:
    """The package of Chef Backend as the package manager knows it, and what the installed files say."""

    manager: str
    """rpm, deb, or empty where the package is not installed."""
    version: str
    """As the package manager writes it, with the release: "2.3.16-1.el7"."""
    state: str
    """installed, or what dpkg says of a package that is not wholly there: unpacked, half-configured, ..."""
    installed_s: int | None
    """When the package was installed, seconds since 1970 by the node's clock; None where that is not kept."""
    now_s: int
    """The node's clock, seconds since 1970."""
    manifest: str
    """`build_version` of /opt/chef-backend/version-manifest.json; empty where there is no such file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedPackage:
    """The package file that the inventory says lies ready (`package`)."""

    path: str
    """As declared; empty where nothing is declared."""
    state: str
    """hashed, missing, denied, too-large, empty, no-file or undeclared."""
    size_bytes: int | None = None
    sha256: str = ""
    name: str = ""
    """The package's name from its own metadata; empty where they could not be read on the node."""
    version: str = ""
    """Its version from its own metadata, with the release where it is an rpm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretsFile:
    """A file of secrets: its hash, never its content."""

    path: str
    state: str
    """hashed, missing or denied."""
    sha256: str = ""
    mode: str = ""
    """Octal, as `stat` prints it: "640"; empty where it could not be read."""
    owner: str = ""
    """The owner's name; empty where it was not asked for, as earlier versions did not."""
    group: str = ""


@dataclass(frozen=True, slots=True)
class SecretsFiles:
    """The files of secrets of both roles, as they are on one machine."""

    backend: SecretsFile
    """/etc/chef-backend/chef-backend-secrets.json"""
    frontend: SecretsFile
    """/etc/opscode/private-chef-secrets.json"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StraySecrets:
    """Where a bounded search found the backends' file of secrets."""

    paths: tuple[str, ...]
    """All of them, the file's own place on a backend too."""
    unseen: tuple[str, ...] = ()
    """What the search could not look into, each as `find` said it."""
    closed: tuple[str, ...] = ()
    """Those of `paths` that only root can get at, by the rights of the file and of the folders above it; in answers to
    earlier versions, which did not ask for rights, those in root's home."""
    links: tuple[str, ...] = ()
    """Those that are symbolic links: "PATH -> TARGET"."""
    homes: tuple[str, ...] = ()
    """Home directories that even root may not enter (NFS with root_squash, FUSE), each as `find` said it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigDigest:
    """/etc/chef-backend/chef-backend.rb as names of settings with hashes of their values; no value is in it."""

    state: str
    """read or missing."""
    named: tuple[tuple[str, str], ...] = ()
    """Each setting in order: its name and 16 hex digits, which are the same for the same value however it is written.
    A name may be there twice: the last one holds."""
    unclear: tuple[tuple[str, str], ...] = ()
    """What it takes Ruby to know: the name, or "-" where none is told, and a hash of the text."""
    cut: bool = False
    """True where the file holds more than is looked at."""
    as_written: bool = False
    """True for an answer to an earlier preflight, which hashed values as they stood in the file."""


@dataclass(frozen=True, slots=True)
class LeaderAnswer:
    """What leaderl answers to `GET /leader`, asked on the node itself."""

    code: int | None
    """The HTTP status; 0 where nothing answers, None where the node has neither curl nor wget."""
    asked: tuple[str, ...] = ()
    """The URLs that were tried, in order."""
    is_guess: bool = False
    """Whether nothing answered where the node's own configuration could not say where it listens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontendPackage:
    """The package of Chef Infra Server on a frontend, and how far its data were migrated."""

    version: str
    """As the package manager writes it, with the release; empty where it is not installed."""
    migration_level: str
    """The content of /var/opt/opscode/upgrades/migration-level without blanks; empty where it was not read."""
    level_state: str = "read"
    """read, missing, empty or unread."""
    level_problem: str = ""
    """Why it was not read."""
    state: str = "installed"
    """installed, or what dpkg says of a package that is not wholly there: unpacked, half-configured, ..."""
    manager: str = ""
    """rpm or deb; empty where the package is not installed, or where that was not asked."""
    addons: tuple[str, ...] | None = None
    """The packages of add-ons that are installed; None where that was not asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontendServices:
    """`chef-server-ctl status` of a frontend."""

    running: tuple[str, ...]
    """Names of the services that run, the external ones that are connected among them."""
    down: tuple[str, ...]
    """The lines of those that do not, though they should."""
    kept_down: tuple[str, ...] = ()
    """Names of those that do not because a file `down` keeps them from starting by themselves."""
    ailing: tuple[str, ...] = ()
    """The lines of those that run no more than half: paused, told to stop, between their end and the next start."""
    restarted: tuple[str, ...] = ()
    """Names of those that started just now, while what runs beside them is old: runit starts again what fails."""
    mute: tuple[str, ...] = ()
    """Names of those whose log service does not run."""
    external: tuple[str, ...] = ()
    """Names of the external services, connected or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontendApi:
    """What a frontend answers to `GET /_status`, asked on the node itself."""

    code: int | None
    """The HTTP status; 0 where nothing answers, None where the node has neither curl nor wget."""
    status: str = ""
    """pong or fail; empty where the body is not the server's own."""
    upstreams: tuple[tuple[str, str], ...] = ()
    """Name and pong or fail of each service behind it."""
    asked: tuple[str, ...] = ()
    """The URLs that were tried, in order."""
    is_guess: bool = False
    """Whether nothing answered where the node's own configuration could not say where it listens."""


@dataclass(frozen=True, slots=True)
class FrontendMembers:
    """The setting `chef_backend_members` of a frontend's chef-server.rb."""

    state: str
    """listed, unset, or unclear where it is set in a way that is not understood."""
    members: tuple[str, ...] = ()
    """Addresses or names, in order."""


@dataclass(frozen=True, slots=True)
class MachineResources:
    """What a machine has to compute with."""

    cores: int
    """Processors as the kernel counts them, hardware threads among them."""
    memory_bytes: int
    """What the kernel counts, which is a little less than what is installed."""


@dataclass(frozen=True, slots=True)
class DrbdTraces:
    """What is there of the DRBD and keepalived high availability of old Chef servers."""

    settings: tuple[str, ...] = ()
    """Lines of chef-server.rb that turn it on: `topology "ha"`, `backend_vip ...`, without comments."""
    paths: tuple[str, ...] = ()
    """Which of /proc/drbd and its folders under /var/opt/opscode exist."""
    packages: tuple[str, ...] = ()
