"""What has been judged, kept on the disk after each mutant: a run that was ended goes on where it was."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path

from tests.mutate.changes import Mutant


@dataclass(frozen=True, slots=True)
class Judged:
    """How one mutant ended."""

    mutant: str
    module: str
    """The hash of the module that it is a change of: another text of it is judged anew."""
    noticed: bool
    by: str
    """The test that failed, or why none could."""


@dataclass(slots=True)
class Results:
    """A line of JSON for each."""

    path: Path
    _judged: dict[tuple[str, str], Judged] = field(default_factory=dict)
    _modules: dict[Path, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Read what an earlier run left."""
        if self.path.exists():
            for line in self.path.read_text(encoding="utf-8").splitlines():
                with suppress(json.JSONDecodeError):  # a last line that was never finished
                    self._put(Judged(**json.loads(line)))

    def missing(self, every: Sequence[Mutant], *, again: bool) -> list[Mutant]:
        """Those that are still to be judged, or judged again since no test noticed them."""
        found = [(mutant, self.of(mutant)) for mutant in every]
        return [mutant for mutant, judged in found if judged is None or (again and not judged.noticed)]

    def add(self, mutant: Mutant, by: str, *, noticed: bool) -> None:
        """Keep it."""
        judged = Judged(str(mutant), self._module(mutant), noticed=noticed, by=by)
        self._put(judged)
        with self.path.open("a", encoding="utf-8") as file:
            file.write("\n" + json.dumps(asdict(judged)) + "\n")

    def of(self, mutant: Mutant) -> Judged | None:
        """How it ended, if it was judged."""
        return self._judged.get((str(mutant), self._module(mutant)))

    def _put(self, judged: Judged) -> None:
        self._judged[judged.mutant, judged.module] = judged

    def _module(self, mutant: Mutant) -> str:
        if mutant.path not in self._modules:
            self._modules[mutant.path] = sha256(mutant.text).hexdigest()[:16]
        return self._modules[mutant.path]


def table(every: Collection[tuple[Mutant, Judged]]) -> Iterator[str]:
    """A row for each folder, and one for all: mutants, how many were noticed, and how many were not."""
    whole = Counter(str(Path(mutant.name).parent) for mutant, _ in every)
    held = Counter(str(Path(mutant.name).parent) for mutant, judged in every if judged.noticed)
    yield "| folder | changes | noticed | survivors | held |"
    yield "|---|---:|---:|---:|---:|"
    for folder in sorted(whole):
        yield _row(f"`{folder}`", whole[folder], held[folder])
    yield _row("all", whole.total(), held.total())


def _row(name: str, whole: int, held: int) -> str:
    return f"| {name} | {whole:,} | {held:,} | {whole - held:,} | {100 * held / max(whole, 1):.1f} % |"
