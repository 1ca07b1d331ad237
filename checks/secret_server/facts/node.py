"""What is known of a Secret Server node."""

from __future__ import annotations

from checks.common.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowsVersion:
    """The operating system, from the registry."""

    name: str
    """As Windows calls itself: "Windows Server 2008 R2 Standard"."""
    major: int
    minor: int
    build: int
    product_type: int
    """1 client, 2 domain controller, 3 server (Win32_OperatingSystem.ProductType)."""
    service_pack: str = ""


@dataclass(frozen=True, slots=True)
class DotnetFramework:
    """The .NET Framework 4 that is installed."""

    release: int | None
    """The `Release` DWORD; None where there is none, which means older than 4.5."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlInstance:
    """One instance of SQL Server on a host."""

    name: str
    """MSSQLSERVER for the default instance."""
    instance_id: str
    """The registry's id, for example MSSQL11.MSSQLSERVER."""
    version: str
    """Setup\\Version as read; empty where it could not be read."""
    patch_level: str
    """Setup\\PatchLevel as read; empty where it could not be read."""
    edition: str = ""
    problem: str = ""
    """Why the versions could not be read, one line; empty where the registry was open."""


@dataclass(frozen=True, slots=True)
class SqlInstances:
    """Every instance that the host's registry names; empty where SQL Server is not installed there."""

    instances: tuple[SqlInstance, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlPrelogin:
    """What a TDS listener says of itself before any login, asked from the scanner's own machine."""

    port: int
    major: int
    minor: int
    build: int
    sub_build: int = 0


@dataclass(frozen=True, slots=True)
class RootCandidate:
    """A folder that may hold the application."""

    path: str
    sources: tuple[str, ...]
    """How it was found: any of "registry", "iis", "inventory", or "default" where nothing else was there."""
    exists: bool
    has_encryption_config: bool


@dataclass(frozen=True, slots=True)
class WebRoot:
    """The application's folder on the node. A reader that finds none, or several, makes it Unknown and lists them."""

    path: str
    sources: tuple[str, ...]
    candidates: tuple[RootCandidate, ...]


@dataclass(frozen=True, slots=True)
class FileVersion:
    """One file and the version its resources carry."""

    name: str
    version: str
    """As read; empty where the file carries none. A build above 65535, which the numbers of a file cannot hold, comes
    from the text beside them."""
    problem: str = ""
    """Why the file could not be looked into, one line; empty where it could."""


@dataclass(frozen=True, slots=True)
class AppFiles:
    """The versions of the application's own libraries (`bin\\Thycotic*.dll`) in the web root."""

    root: str
    files: tuple[FileVersion, ...]


@dataclass(frozen=True, slots=True)
class AppPool:
    """One application pool, with `applicationPoolDefaults` already applied."""

    name: str
    pipeline_mode: str
    """Integrated or Classic; anything else as read."""
    mode_source: str
    """Where the mode comes from: "pool", "applicationPoolDefaults" or "default"."""
    runtime_version: str = ""


@dataclass(frozen=True, slots=True)
class PoolSetting:
    """One setting of an application pool."""

    value: str
    """As read; empty where nothing sets it, or where it is set to nothing."""
    source: str
    """Where it is set: "pool", "applicationPoolDefaults", or "default" where nothing sets it."""


_UNTOLD = PoolSetting("", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSettings:
    """What one application pool runs with. The account's name is not among it."""

    name: str
    runtime: PoolSetting
    """managedRuntimeVersion: "v4.0"; set to nothing, it is "No Managed Code"."""
    load_user_profile: PoolSetting
    max_processes: PoolSetting
    identity_type: PoolSetting
    enable_32_bit: PoolSetting = _UNTOLD
    """enable32BitAppOnWin64; its source is empty in evidence of earlier versions, which did not ask."""
    auto_start: PoolSetting = _UNTOLD
    """autoStart; likewise."""


@dataclass(frozen=True, slots=True)
class AppPools:
    """The settings of every application pool of a node."""

    pools: tuple[PoolSettings, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class IisApplication:
    """One application of a site, with `applicationDefaults` already applied."""

    site: str
    path: str
    """Virtual path, "/" or "/SecretServer"."""
    physical_path: str
    """Of the application's root virtual directory, environment variables expanded."""
    pool: str
    """Name of the pool; empty where neither the application nor any default names one."""
    site_auto_start: str = ""
    """serverAutoStart of its site, as read; empty where it is not set, which means true."""


@dataclass(frozen=True, slots=True)
class IsapiRestriction:
    """Whether IIS lets one of ASP.NET's ISAPI extensions run."""

    path: str
    allowed: str
    """As read; empty where it is not set, which means false."""
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IisConfiguration:
    """What was extracted from applicationHost.config on the node; the file itself never leaves it."""

    path: str
    """The file read, after `redirection.config`."""
    shared: bool
    """True where `redirection.config` pointed elsewhere."""
    pools: tuple[AppPool, ...]
    applications: tuple[IisApplication, ...]
    isapi: tuple[IsapiRestriction, ...] = ()
    """Those of aspnet_isapi.dll."""
