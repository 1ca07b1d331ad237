"""Which of the folders that were found holds the application. Never a guess: one, or an error that lists them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from checks.common.dataclass import dataclass
from checks.runbook.windows_paths import squeezed
from checks.secret_server.facts.node import RootCandidate
from checks.secret_server.iis.serving import NO_APPLICATION
from scanner.probes.probe import UnreadableError


@dataclass(frozen=True, slots=True)
class Folder:
    """One candidate, with the rest of what the probe said of it."""

    candidate: RootCandidate
    has_bin: bool
    error: str
    """Why its state could not be determined; empty where it could."""
    row: Mapping[str, object]
    """The probe's own findings in this folder."""

    @property
    def open(self) -> bool:
        """Whether it may be the one: it looks like the application, or could not be looked at."""
        looks_right = self.candidate.has_encryption_config or self.has_bin
        return bool(self.error) or (self.candidate.exists and looks_right)

    @property
    def described(self) -> str:
        """For the list in an error."""
        if self.error:
            state = self.error
        elif not self.candidate.exists:
            state = "does not exist"
        else:
            holds = "with" if self.candidate.has_encryption_config else "without"
            state = f"{holds} encryption.config, {'with' if self.has_bin else 'without'} bin"
        return f"{self.candidate.path} (from {', '.join(self.candidate.sources)}; {state})"


def read_folders(rows: Sequence[Mapping[str, object]], need: Callable[..., Any]) -> list[Folder]:
    """The candidates of an answer; rows that name the same path are one. Raises UnreadableError."""
    folders: dict[str, Folder] = {}
    for row in rows:
        root = need(row, "root", dict)
        path = need(root, "path", str)
        if not path.strip():
            raise UnreadableError("a folder that may hold the application has an empty path")
        sources = tuple(str(source) for source in need(root, "sources", list))
        candidate = RootCandidate(path, sources, need(root, "exists", bool), need(root, "has_encryption_config", bool))
        folder = Folder(candidate, need(root, "has_bin", bool), need(root, "error", str), row)
        same = folders.setdefault(folded(path), folder)
        if same is not folder:
            both = tuple(dict.fromkeys((*same.candidate.sources, *sources)))
            folders[folded(path)] = replace(same, candidate=replace(same.candidate, sources=both))
    return list(folders.values())


def folded(path: str) -> str:
    """What two spellings of one path share."""
    return squeezed(path.strip().replace("/", "\\").lower())


def choose(folders: Sequence[Folder], notes: Sequence[str]) -> Folder:
    """The one folder that holds the application.

    What the inventory names settles it: it is the operator's word. Else exactly one must look right. Raises
    UnreadableError, listing what was found and which sources could not be read.
    """
    named = [folder for folder in folders if "inventory" in folder.candidate.sources]
    fitting = named or [folder for folder in folders if folder.open]
    listed = "; ".join([*(folder.described for folder in folders), *notes])
    if len(fitting) == 1:
        chosen = fitting[0]
        if chosen.candidate.exists:
            return chosen
        if chosen.error:
            raise UnreadableError(f"cannot look at the application's folder: {listed}")
        raise UnreadableError(f"`web_root` names a folder that does not exist: {listed}; correct or remove it")
    if fitting:
        raise UnreadableError(f"several folders may hold the application: {listed}; set `web_root` for this node")
    raise UnreadableError(f"{NO_APPLICATION}{': ' if listed else ''}{listed}; set `web_root` for this node")
