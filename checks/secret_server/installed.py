"""Which Secret Server a web node runs: what the application's libraries say."""

from __future__ import annotations

from collections import Counter

from checks.check import NodeView
from checks.engine.wording import count
from checks.facts import Unknown
from checks.secret_server.facts.node import AppFiles
from checks.versions import (
    Installed,
    VersionError,
    parse_file_version,
    parse_secret_server,
    secret_server_text,
)

MAIN_LIBRARY = "thycotic.ihawu.business.dll"
"""The library whose version is taken for the product's, where the libraries disagree."""


def read_installed(view: NodeView) -> Installed:
    """The version that the libraries agree on, else that of the main one, with what speaks against it."""
    found = view.get(AppFiles)
    if isinstance(found, Unknown):
        return Installed(version=None, read=False, problem=found.reason)
    as_read = tuple((file.name, file.version or file.problem) for file in found.files)
    versions: dict[str, str] = {}
    malformed, odd = "", []
    closed = {file.name.lower(): file.problem for file in found.files if file.problem}
    for file in found.files:
        name, text = file.name, file.version
        if file.problem:
            malformed = malformed or f"{name}: {file.problem}"
            continue
        try:
            version = secret_server_text(parse_file_version(text))
            parse_secret_server(version)
            versions[name.lower()] = version
        except VersionError as error:
            malformed = malformed or (f"{name}: {error}" if text else f"{name} carries no version")
            odd += [f"{name}: {error}"] if text and name.lower() != MAIN_LIBRARY else []
    if not versions:
        problem = malformed or f"no Thycotic*.dll in {found.root}\\bin"
        return Installed(version=None, read=False, problem=problem, as_read=as_read)
    ranked = Counter(versions.values()).most_common()
    mute = MAIN_LIBRARY not in versions and any(name.lower() == MAIN_LIBRARY for name, _ in as_read)
    why = closed.get(MAIN_LIBRARY, "it tells no version")
    odd += [f"{MAIN_LIBRARY}: {why}"] if mute else []
    doubts = tuple(f"{each}; the other libraries stand in" for each in odd)
    if len(ranked) == 1:
        shut = mute and MAIN_LIBRARY in closed and len(odd) == 1
        return Installed(version=ranked[0][0], read=True, doubts=doubts, as_read=as_read, closed=shut)
    text = ", ".join(f"{version} ({count(number, 'file')})" for version, number in ranked)
    doubts = (f"the application's libraries disagree: {text}", *doubts)
    if MAIN_LIBRARY in versions:
        return Installed(version=versions[MAIN_LIBRARY], read=True, doubts=doubts, as_read=as_read)
    if ranked[0][1] > ranked[1][1]:
        return Installed(version=ranked[0][0], read=True, doubts=doubts, as_read=as_read)
    return Installed(version=None, read=False, problem=doubts[0], as_read=as_read)
