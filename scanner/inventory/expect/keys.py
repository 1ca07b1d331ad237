"""Keys of an expectation."""

from __future__ import annotations

from checks.outcome import Severity
from scanner.inventory.settings.setting import TEXT, Setting

ID = r"[a-z][a-z0-9]*(-[a-z0-9]+)*"
_MODE = r"0?[0-7]{3,4}"
_WINDOWS_PATH = r"([A-Za-z]:|[\\/]{2}[^\\/\u0000-\u001f\u007f]+)[\\/][^\u0000-\u001f\u007f]*"
_VERSION = r"(>=|<=|==|!=|>|<|=)?\s*[0-9A-Za-z][0-9A-Za-z.+~^_:-]*"
_VERSIONS = rf"{_VERSION}(\s*,\s*{_VERSION})*"

SUBJECTS: tuple[Setting, ...] = (
    Setting(
        name="file",
        doc="A file or folder on the node, by its absolute path; a link is followed.",
        example="/etc/ssh/sshd_config",
        pattern=rf"/[^\u0000-\u001f\u007f]*|{_WINDOWS_PATH}",
        expects="an absolute path on the node",
    ),
    Setting(
        name="registry",
        doc="A key of Windows' registry, below HKLM; with `name`, a value in it.",
        example="HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows",
        pattern=r"HKLM\\[^\u0000-\u001f\u007f]*[^\\\u0000-\u001f\u007f]",
        expects="a key that begins with HKLM\\",
    ),
    Setting(
        name="service",
        doc="A service, by the name that its system knows it by (on Windows not the one that is displayed).",
        example="chronyd",
        pattern=r"[A-Za-z0-9_/@][A-Za-z0-9_.$@:/\\ -]*",
        expects="a service's name",
    ),
    Setting(
        name="package",
        doc="A package of dpkg or rpm; on Windows what Programs and Features lists, with * for any text.",
        example="openssh-server",
        pattern=TEXT,
        expects="a package's name",
    ),
    Setting(name="port", kind="integer", doc="A port of the node.", example=8443, least=1, most=65535),
    Setting(
        name="command",
        doc="A command, run as it is given with the rights of the login: by sh, on Windows by PowerShell. It must only "
        "read; nobody but you sees to that.",
        example="sshd -T",
        pattern=TEXT,
        expects="a command",
    ),
    Setting(
        name="sql",
        doc="A single SELECT, put to SQL Server on nodes with the role database, by the script there (not over tds).",
        example="SELECT COUNT(*) FROM sys.databases WHERE is_trustworthy_on = 1 AND database_id > 4",
        pattern=TEXT,
        expects="a SELECT",
    ),
)
"""What it is about: one of these."""

WISHES: tuple[Setting, ...] = (
    Setting(
        name="exists",
        kind="boolean",
        doc="Whether the file, the registry's key or value, or the service has to be there.",
        default=True,
    ),
    Setting(name="type", doc="What is at the path.", choices=("file", "folder"), example="file"),
    Setting(
        name="sha256",
        doc="The SHA-256 of the file's content.",
        example="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        pattern=r"[0-9A-Fa-f]{64}",
        expects="64 hex digits",
    ),
    Setting(
        name="mode",
        doc="The file's mode, exactly. Linux.",
        example="0600",
        pattern=_MODE,
        expects='octal digits such as "0640"',
    ),
    Setting(
        name="max_mode",
        doc="The most that its mode may allow: no bit beyond these. Linux.",
        example="0640",
        pattern=_MODE,
        expects='octal digits such as "0640"',
    ),
    Setting(name="owner", doc="Whose file it is, by name. Linux.", example="root", pattern=TEXT),
    Setting(name="group", doc="Which group's it is, by name. Linux.", example="root", pattern=TEXT),
    Setting(name="size", kind="integer", doc="The file's size in bytes, exactly.", example=4096, least=0),
    Setting(
        name="contains",
        kind="texts",
        several=True,
        doc="A text that has to be in it: in the file, the value, what is printed. A list for several.",
        example=("PermitRootLogin no",),
    ),
    Setting(
        name="lacks",
        kind="texts",
        several=True,
        doc="A text that must not be in it. A list for several.",
        example=("PermitRootLogin yes",),
    ),
    Setting(
        name="matches",
        kind="texts",
        several=True,
        doc="A regular expression that a line has to match: in files on Linux as grep -E has it, on Windows as .NET "
        "does, elsewhere as Python does.",
        example=("^permitrootlogin (no|without-password)$",),
    ),
    Setting(
        name="matches_not",
        kind="texts",
        several=True,
        doc="A regular expression that no line may match.",
        example=("^[^#]*NOPASSWD: ALL",),
    ),
    Setting(
        name="name",
        doc="The name of a value in the registry's key.",
        otherwise="only whether the key exists",
        example="Start",
        pattern=TEXT,
        expects="a value's name",
    ),
    Setting(
        name="value",
        kind="scalar",
        doc="What exactly it has to be: the registry's value, the SELECT's one value, what the command prints.",
        example="1",
    ),
    Setting(
        name="least", kind="number", doc="The least that the value, or the file's size in bytes, may be.", example=14
    ),
    Setting(
        name="most", kind="number", doc="The most that the value, or the file's size in bytes, may be.", example=60
    ),
    Setting(
        name="running",
        kind="boolean",
        doc="Whether the service has to run.",
        otherwise="true, unless `enabled` is asked alone",
        example=True,
    ),
    Setting(
        name="enabled",
        kind="boolean",
        doc="Whether the service has to start by itself.",
        otherwise="it is not looked at",
        example=True,
    ),
    Setting(
        name="manager",
        doc="Who manages the service. Linux.",
        otherwise="systemd where it runs, else runit",
        choices=("systemd", "runit"),
        example="runit",
    ),
    Setting(name="installed", kind="boolean", doc="Whether the package has to be there.", default=True),
    Setting(
        name="version",
        doc="Conditions for the version of the package, or the first version that the command prints; every one that "
        "is installed has to meet them. Compared as dpkg or rpm does.",
        example=">=9.2, <10",
        pattern=_VERSIONS,
        expects="conditions such as >=1.2.3 or >=9.2, <10",
    ),
    Setting(name="listening", kind="boolean", doc="Whether somebody has to listen at the port.", default=True),
    Setting(
        name="address",
        doc="The one IP address that the port may be listened at; all addresses are 0.0.0.0 and ::.",
        otherwise="any",
        example="127.0.0.1",
        pattern=r"[0-9A-Fa-f.:]{2,39}",
        expects="an IP address",
    ),
    Setting(name="protocol", doc="The port's protocol.", default="tcp", choices=("tcp", "udp")),
    Setting(name="exit", kind="integer", doc="What the command has to end with.", default=0, least=0, most=65535),
    Setting(
        name="timeout",
        kind="integer",
        doc="Seconds that the question may take. Linux.",
        default=30,
        least=1,
        most=600,
    ),
    Setting(name="rows", kind="integer", doc="How many rows the SELECT has to give.", example=0, least=0),
    Setting(
        name="database",
        doc="The database that the SELECT is put to.",
        default="master",
        pattern=r"[^\u0000-\u001f\u007f]{1,128}",
        expects="a database's name",
    ),
    Setting(
        name="same",
        kind="boolean",
        doc="Whether it has to be the same on all nodes, beside what else is expected; of a file alone, its content.",
        default=False,
    ),
    Setting(
        name="sudo",
        kind="boolean",
        doc="Whether the file is read as root, with sudo -n; `preflight probes --sudoers` prints the lines. Linux.",
        default=False,
    ),
)
"""What is wanted of it. Which of them go with what, `BY_KIND` says."""

ABOUT: tuple[Setting, ...] = (
    Setting(
        name="id",
        doc="What the check is called everywhere: in reports, waivers, --check. It is for ever.",
        required=True,
        example="sshd-no-root-login",
        pattern=rf"(?=.{{1,60}}$){ID}",
        expects="lower-case words with dashes between, such as sshd-no-root-login, at most 60 characters",
    ),
    Setting(
        name="title",
        doc="What is so when all is well, in one line.",
        required=True,
        example="Nobody logs in as root",
        pattern=TEXT,
        expects="a title",
    ),
    Setting(
        name="roles",
        kind="texts",
        doc="The roles of the nodes that it is for.",
        otherwise="all nodes",
        example=("web",),
    ),
    Setting(
        name="severity",
        doc="What a breach can cost.",
        default="medium",
        choices=tuple(severity.value for severity in Severity),
    ),
    Setting(name="effect", doc="What a breach amounts to.", default="fail", choices=("fail", "warn")),
    Setting(name="why", doc="Why it matters.", example="who is root leaves no name in the log", pattern=TEXT),
    Setting(name="fix", doc="What to do about a breach.", example="Set PermitRootLogin no.", pattern=TEXT),
    Setting(
        name="url",
        doc="Where to read on.",
        example="https://man.openbsd.org/sshd_config",
        pattern=r"https?://[^\s/\u0000-\u001f\u007f]+(/[^\s\u0000-\u001f\u007f]*)?",
        expects="an address that begins with https://",
    ),
)
"""What every expectation says of itself."""

EXPECT: tuple[Setting, ...] = (*ABOUT[:2], *SUBJECTS, *WISHES, *ABOUT[2:])
"""Keys of [[clusters.NAME.expect]]."""

ABOUT_EXPECT = (
    "A check of your own, one block each: it is asked and reported like any other. It is about one thing (a file, a "
    "registry key, a service, a package, a port, a command or a SELECT), so that one of those keys stands in it, and "
    "of the others those that go with it. What is for several clusters stands as [[expect]] in checks.d/NAME.toml "
    "beside this file."
)

OF_FILES: tuple[Setting, ...] = (
    Setting(
        name="clusters",
        kind="texts",
        doc="The clusters that it is for.",
        otherwise="all clusters of the product",
        example=("vault-prod",),
    ),
    Setting(
        name="product",
        doc="The product whose clusters it is for.",
        otherwise="all products",
        example="secret-server",
        pattern=TEXT,
    ),
)
"""Keys of [[expect]] in a file of `checks.d`, beside the same."""

_CONTENT = ("contains", "lacks", "matches", "matches_not")
BY_KIND: dict[str, tuple[str, ...]] = {
    "file": (
        "exists",
        "type",
        "sha256",
        "mode",
        "max_mode",
        "owner",
        "group",
        "size",
        "least",
        "most",
        "sudo",
        *_CONTENT,
    ),
    "registry": ("exists", "name", "value", "least", "most", *_CONTENT),
    "service": ("exists", "running", "enabled", "manager"),
    "package": ("installed", "version"),
    "port": ("listening", "address", "protocol"),
    "command": ("exit", "version", "value", "least", "most", *_CONTENT),
    "sql": ("value", "least", "most", "rows", "database", *_CONTENT),
}
"""The wishes that go with each subject; `same` and `timeout` go with all."""
