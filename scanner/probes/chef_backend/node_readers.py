"""Readers of what the machines of a Chef Backend cluster say of themselves. What is not understood is shown."""

from __future__ import annotations

import re
from collections.abc import Mapping

from checks.chef_backend.facts.machine import (
    ConfigDigest,
    DrbdTraces,
    InstalledPackage,
    LeaderAnswer,
    SecretsFile,
    SecretsFiles,
    StagedPackage,
    StraySecrets,
)
from scanner.probes.linux.local_http import read_said
from scanner.probes.linux.printed import between_ends, error_lines, printed_lines, refuse, shown
from scanner.probes.probe import Answer, UnreadableError

BACKEND_SECRETS = "/etc/chef-backend/chef-backend-secrets.json"
FRONTEND_CONFIG = "/etc/opscode/chef-server.rb"
FRONTEND_SECRETS = "/etc/opscode/private-chef-secrets.json"
_SECRETS_NAME = "/chef-backend-secrets.json"
BACKEND_CONFIG = "/etc/chef-backend/chef-backend.rb"
STAGED_BYTES = 2 * 1024**3
"""A package file that is larger is not hashed."""

PACKAGE_VERSION = r"(?:\d+:)?\d+(?:\.\d+){2}(?:[.~+][0-9A-Za-z.~+]*)?(?:-\d[0-9A-Za-z.~+]*)?"
"""Of Chef's packages: three numbers, perhaps a build's stamp, and the package's own number behind the hyphen."""
DPKG_STATE = (
    r"(?:unknown|install|hold|deinstall|purge) (?:ok|reinstreq) "
    r"(?P<state>not-installed|config-files|half-installed|unpacked|half-configured|triggers-(?:awaited|pending)|installed)"
)
"""What dpkg-query tells as ${Status}."""
_RPM = re.compile(rf"rpm (?P<version>{PACKAGE_VERSION}) (?P<at>\d{{1,12}})\|", re.ASCII)
_DEB = re.compile(rf"deb {DPKG_STATE}(?: (?P<version>{PACKAGE_VERSION}))?(?: (?P<at>\d{{9,12}}))?", re.ASCII)
_NOW = re.compile(r"now (\d{1,12})")
_MANIFEST = re.compile(r'manifest (?:.*: No such file or directory|"build_version"\s*:\s*"(?P<version>[^"]+)")')
# What dpkg says of a package that was removed, or never there.
_ABSENT = ("not-installed", "config-files")


def read_installed_package(answer: Answer) -> InstalledPackage:
    """What rpm or dpkg, and the manifest, say of Chef Backend. Raises UnreadableError."""
    what = "the installed package of chef-backend"
    lines = printed_lines(answer, what)
    if len(lines) != 3:
        raise UnreadableError(f"{what}: expected three lines, not {shown(lines)}")
    now, manifest = _NOW.fullmatch(lines[1]), _MANIFEST.fullmatch(lines[2])
    rpm, deb = _RPM.fullmatch(lines[0]), _DEB.fullmatch(lines[0])
    if not now or not manifest or not (rpm or deb or lines[0] == "none"):
        raise UnreadableError(f"{what}: not understood: {shown(lines)}")
    version, state, at, manager = "", "", None, ""
    if rpm:
        manager, version, state, at = "rpm", rpm["version"], "installed", int(rpm["at"])
    elif deb and deb["state"] not in _ABSENT:
        if not deb["version"]:
            raise UnreadableError(f"{what}: dpkg names no version: {shown(lines)}")
        manager, version, state = "deb", deb["version"], deb["state"]
        at = int(deb["at"]) if deb["at"] else None
    return InstalledPackage(
        manager=manager,
        version=version,
        state=state,
        installed_s=at,
        now_s=int(now[1]),
        manifest=manifest["version"] or "",
    )


_SIZE = re.compile(r"size (?P<size>\d{1,15}) (?P<kind>.+)")
_SHA256 = re.compile(r"sha256 (?P<sha256>[0-9a-f]{64})  ?-")
_NAME = re.compile(r"name ?(?:(?P<name>\S+) (?P<version>\S+))?")


def read_staged_package(answer: Answer) -> StagedPackage:
    """What lies where the inventory says that the package lies. Raises UnreadableError."""
    what = "the staged package"
    lines = printed_lines(answer, what)
    if lines == ["undeclared"]:
        return StagedPackage(path="", state="undeclared")
    size = _SIZE.fullmatch(lines[0]) if lines else None
    if not size:
        text = "; ".join(lines)
        for said, state in (
            ("No such file", "missing"),
            ("Not a directory", "missing"),
            ("ermission denied", "denied"),
        ):
            if said in text and len(lines) == 1:
                return StagedPackage(path="declared", state=state)
        raise UnreadableError(f"{what}: not understood: {shown(lines)}")
    size_bytes = int(size["size"])
    if size["kind"] != "regular file":
        return StagedPackage(
            path="declared", state="no-file" if "empty" not in size["kind"] else "empty", size_bytes=size_bytes
        )
    if size_bytes > STAGED_BYTES:
        return StagedPackage(path="declared", state="too-large", size_bytes=size_bytes)
    hashed = _SHA256.fullmatch(lines[1]) if len(lines) > 1 else None
    if not hashed:
        # The shell that opens the file for sha256sum complains by itself.
        if "ermission denied" in "; ".join([*lines[1:], *error_lines(answer)]):
            return StagedPackage(path="declared", state="denied", size_bytes=size_bytes)
        raise UnreadableError(f"{what}: no hash of it: {shown(lines)}")
    named = _NAME.fullmatch(lines[2]) if len(lines) > 2 else None
    if len(lines) > 2 + bool(named):
        raise UnreadableError(f"{what}: not understood: {shown(lines)}")
    name, version = (named["name"] or "", named["version"] or "") if named else ("", "")
    return StagedPackage(
        path="declared", state="hashed", size_bytes=size_bytes, sha256=hashed["sha256"], name=name, version=version
    )


_SECRETS_LINES = 4
"""A hash and a mode of each of the two files."""


def read_secrets_files(answer: Answer) -> SecretsFiles:
    """Hash and rights of the files of secrets, or why they have none. Raises UnreadableError."""
    what = "sha256sum, stat"
    lines = printed_lines(answer, what)
    odd = [line for line in lines if BACKEND_SECRETS not in line and FRONTEND_SECRETS not in line]
    if odd:
        raise UnreadableError(f"{what}: not understood: {shown(odd)}")
    if len(lines) < _SECRETS_LINES:
        refuse(answer, what)
        lines += [line for line in error_lines(answer) if re.match(r"(sha256sum|stat): .*-secrets\.json", line)]
    return SecretsFiles(_secrets(lines, BACKEND_SECRETS), _secrets(lines, FRONTEND_SECRETS))


def _secrets(lines: list[str], path: str) -> SecretsFile:
    own = [line for line in lines if path in line]
    hashes = [line.split()[0] for line in own if re.fullmatch(rf"[0-9a-f]{{64}}  ?\*?{re.escape(path)}", line)]
    # Earlier versions asked for the mode alone.
    known = re.compile(rf"(?P<mode>[0-7]{{1,5}})(?:/(?P<owner>[^/]+)/(?P<group>[^/]+))?{re.escape(path)}")
    rights = [found for line in own if (found := known.fullmatch(line))]
    text = "; ".join(own)
    if len(hashes) == 1 and len(rights) == 1:
        return SecretsFile(
            path=path,
            state="hashed",
            sha256=hashes[0],
            mode=rights[0]["mode"],
            owner=rights[0]["owner"] or "",
            group=rights[0]["group"] or "",
        )
    if len(hashes) == 1 and not rights:
        return SecretsFile(path=path, state="hashed", sha256=hashes[0])
    if not hashes and not rights and own and all("No such file or directory" in line for line in own):
        return SecretsFile(path=path, state="missing")
    if not hashes and "ermission denied" in text:
        return SecretsFile(path=path, state="denied")
    raise UnreadableError(f"the hash of {path} is not understood: {shown(lines)}")


# Every column is counted, so that one that is missing does not put the others in its place. The time is two words or
# three, as the node's language has it; a device has two numbers for a size.
_LISTED = re.compile(
    r"(?P<kind>[-dlbcps])(?P<bits>[rwxsStT-]{9})(?P<more>[.+@]?) +\d+ +(?P<uid>\d+) +(?P<gid>\d+) +(?:\d+, *)?\d+ "
    r"+(?:\d{4}-\d\d-\d\d +[^/ ]+|[^/ ]+ +[^/ ]+ +[^/ ]+) +(?P<path>/.*)"
)


_HOME = re.compile(r"'?/home\b")
_ROOTS_HOME = re.compile(r"'?/root\b")


def read_stray_secrets(answer: Answer) -> StraySecrets:
    """What `find` found, who may get at it, and where it could not look. Raises UnreadableError."""
    what = "find -name chef-backend-secrets.json"
    lines = between_ends(printed_lines(answer, what), what)
    # Where it could not look it ends with 1, and says so on standard error.
    errors = error_lines(answer) if answer.exit_code else []
    told = [line for line in (*lines, *errors) if re.match(r"(find|ls): ", line)]
    if any(re.match(r"find: '?ls'?: ", line) for line in told):
        raise UnreadableError(f"`{what}` may not run ls: `noexec` is set in sudoers (put `EXEC:` before the command)")
    rest = [line for line in lines if line not in told and line not in ("as root", "as another")]
    listed = [found for line in rest if (found := _LISTED.fullmatch(line))]
    # Earlier versions asked for the paths alone.
    plain = [line for line in rest if line.startswith("/")]
    odd = [line for line in rest if line not in plain and not _LISTED.fullmatch(line)]
    odd += [line for line in plain if not line.endswith(_SECRETS_NAME)]
    # What is listed beside the files are the folders above them.
    odd += [found[0] for found in listed if found["kind"] not in "dl" and not found["path"].endswith(_SECRETS_NAME)]
    if odd or answer.exit_code not in (0, 1) or (answer.exit_code and not told):
        raise UnreadableError(f"`{what}` ended with exit code {answer.exit_code}: {shown(odd or lines or errors)}")
    missed = [line.partition(": ")[2] for line in told if not line.endswith("No such file or directory")]
    # Earlier versions did not say who searched: nobody but root gets into its home.
    as_root = "as root" in lines or not ("as another" in lines or any(_ROOTS_HOME.match(line) for line in missed))
    # Where root is searching, these are homes on file systems that do not obey it.
    homes = tuple(line for line in missed if as_root and _HOME.match(line))
    links = tuple(found["path"] for found in listed if found["kind"] == "l")
    rights = {found["path"]: found for found in listed}
    paths = (*plain, *(path for path in rights if path.endswith(_SECRETS_NAME) and rights[path]["kind"] != "l"))
    # Nor did they ask for rights: what lies in root's home is root's, unless somebody has opened it.
    closed = tuple(path for path in paths if _is_closed(path, rights) or (path in plain and path.startswith("/root/")))
    return StraySecrets(
        paths=paths, unseen=tuple(line for line in missed if line not in homes), closed=closed, links=links, homes=homes
    )


def _is_closed(path: str, rights: Mapping[str, re.Match[str]]) -> bool:
    """Whether root alone can get at it: the file is root's alone, or a folder above it that is known."""
    above = [path[:at] for at, char in enumerate(path) if char == "/" and at]
    return any(one in rights and _is_roots_alone(rights[one]) for one in (*above, path))


def _is_roots_alone(found: re.Match[str]) -> bool:
    """By an access list (`+`) others may be let in, which the bits do not tell."""
    needed = 2 if found["kind"] == "d" else 0
    group, others = found["bits"][3 + needed], found["bits"][6 + needed]
    no_others = others in "-T" and (group in "-S" or found["gid"] == "0")
    return found["uid"] == "0" and no_others and found["more"] != "+"


_SETTING = re.compile(r"(?P<kind>set|raw) (?P<key>[a-z0-9_.]{1,200}|-) (?P<hash>[0-9a-f]{16})")
_FORMS = ("form 2", "form 3")


def read_config_digest(answer: Answer) -> ConfigDigest:
    """The settings of a backend with hashes of their values. Raises UnreadableError."""
    what = f"cat {BACKEND_CONFIG}"
    lines = printed_lines(answer, what)
    if not lines and not error_lines(answer):
        raise UnreadableError(f"`{what}`, hashed, answered nothing")
    form = next((line for line in lines if line in _FORMS), "")
    if form == _FORMS[-1] and lines[-1:] != ["end"]:
        raise UnreadableError(f"`{what}`, hashed, is cut off: it has no end")
    as_written = not form
    lines = [line for line in lines if line not in (form, "end")]
    if not lines:
        refuse(answer, what)
    # An empty file and one that was not read look alike, but for what is said of it.
    errors = [line for line in error_lines(answer) if not lines or BACKEND_CONFIG in line]
    text = "; ".join([*lines, *errors])
    if len(lines) + len(errors) == 1 and BACKEND_CONFIG in text and "No such file or directory" in text:
        return ConfigDigest(state="missing")
    if "ermission denied" in text:
        raise UnreadableError(f"{BACKEND_CONFIG} may not be read: it needs root (set `sudo = true`, or log in as root)")
    found = [match for line in lines if (match := _SETTING.fullmatch(line))]
    odd = [line for line in lines if not _SETTING.fullmatch(line) and line != "set more"]
    if odd or answer.exit_code != 0:
        raise UnreadableError(f"`{what}`, hashed, is not understood: {shown(odd)}")
    if errors:
        raise UnreadableError(f"`{what}` failed: {shown(errors)}")
    named = tuple((match["key"], match["hash"]) for match in found if _is_literal(match))
    unclear = tuple((match["key"], match["hash"]) for match in found if not _is_literal(match))
    return ConfigDigest(state="read", named=named, unclear=unclear, cut="set more" in lines, as_written=as_written)


def _is_literal(match: re.Match[str]) -> bool:
    return match["kind"] == "set" and match["key"] != "-"


def read_leader_answer(answer: Answer) -> LeaderAnswer:
    """What `GET /leader` answered. Raises UnreadableError."""
    lines = printed_lines(answer, "GET /leader")
    said = read_said(answer, lines)
    if not said or said.body:
        raise UnreadableError(f"the answer of leaderl is not understood: {shown(lines)}")
    return LeaderAnswer(said.code, said.asked, said.is_guess)


def nothing_found(answer: Answer, subject: str) -> None:
    """Raise UnreadableError where grep found nothing because it did not search; a file that is not there holds none."""
    refuse(answer, f"grep {FRONTEND_CONFIG}")
    told = [line for line in error_lines(answer) if re.match(r"(sudo|grep)\b", line) or FRONTEND_CONFIG in line]
    if failed := [line for line in told if not line.endswith("No such file or directory")]:
        raise UnreadableError(f"{subject}: grep did not search: {shown(failed)}")


def read_drbd_traces(answer: Answer) -> DrbdTraces:
    """What is there of DRBD and keepalived. Raises UnreadableError."""
    lines = printed_lines(answer, f"grep {FRONTEND_CONFIG}")
    settings, odd = [], []
    named = {"path": list[str](), "package": list[str]()}
    for line in lines[:-1]:
        kind, _, value = line.partition(" ")
        if kind in named and value:
            named[kind].append(value)
        elif re.match(r"topology\b", line):
            settings += [line] if re.search(r"""["']ha["']""", line) else []
        elif re.match(r"backend_vip\b", line):
            settings.append("backend_vip")
        elif not line.startswith("#") and not line.endswith("No such file or directory"):
            odd.append(line)
    if odd or lines[-1:] != ["asked"]:
        raise UnreadableError(f"the traces of DRBD are not understood: {shown(odd or lines)}")
    if not settings:
        nothing_found(answer, "the traces of DRBD")
    return DrbdTraces(tuple(settings), tuple(named["path"]), tuple(named["package"]))
