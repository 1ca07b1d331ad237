"""How much of `checks/` its tests hold: `python -m tests.mutate [--most N] [--results FILE] [MODULE]...`.

One thing at a time is changed, never on the disk, and the tests that run it are run. A change that no test notices is
told with its place: a test is missing there, or the code says something that makes no difference.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import pytest

from tests.mutate import fresh
from tests.mutate.changes import Mutant, mutants
from tests.mutate.copies import in_a_copy
from tests.mutate.results import Results, table
from tests.mutate.warm import OPTIONS, Traced, Warm, Way, quietly

_OURS = {"checks", "reports", "scanner", "tests", "conftest", "preflight_scanner", "__main__", "__mp_main__"}


def main(arguments: Sequence[str], say: Callable[[str], None]) -> int:
    """Tell the survivors and the score."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutate", description="Mutate checks/, and run its tests.")
    parser.add_argument(
        "modules",
        nargs="*",
        type=Path,
        help="files or folders below checks/, in the order in which they are judged; all without one",
    )
    parser.add_argument("--top", type=Path, default=Path(__file__).parents[2], help="where checks/ and tests/ are")
    parser.add_argument(
        "--tests", type=Path, action="append", help="a folder or file of tests instead of tests/test_checks; several"
    )
    parser.add_argument("--seconds", type=float, default=20, help="of the processor, for the tests of one mutant")
    parser.add_argument("--most", type=int, default=0, help="a sample of so many mutants; all without it")
    parser.add_argument("--seed", type=int, default=1, help="of the sample")
    parser.add_argument("--parts", type=int, default=1, help="several processes share the mutants, each with its part")
    parser.add_argument("--part", type=int, default=1, help="which part is this one's, from 1")
    parser.add_argument("--results", type=Path, help="keep what is judged in this file, and go on where it ends")
    parser.add_argument("--again", action="store_true", help="judge those in it anew that no test noticed")
    chosen = parser.parse_args(arguments)
    top = chosen.top.resolve()
    given = [path.resolve() for path in chosen.modules] or [top / "checks"]
    paths = list(
        dict.fromkeys(each for path in given for each in sorted(path.rglob("*.py") if path.is_dir() else [path]))
    )
    every = _sampled([each for path in paths for each in mutants(path, top)], chosen.most, chosen.seed)
    every = every[chosen.part - 1 :: chosen.parts]
    with tempfile.TemporaryDirectory() as folder:
        file = chosen.results or Path(folder, "results")
        missing = Results(file).missing(every, again=chosen.again)
        if missing:
            tests = tuple(path.resolve() for path in chosen.tests or [top / "tests" / "test_checks"])
            _judge(missing, Way(top, tests, chosen.seconds), file, say)
        results = Results(file)
    ended = [(mutant, judged) for mutant in every if (judged := results.of(mutant)) is not None]
    for mutant, judged in ended:
        if not judged.noticed:
            say(f"not noticed: {mutant}  ({judged.by})")
    for row in table(ended):
        say(row)
    return 0


def _sampled(every: Sequence[Mutant], most: int, seed: int) -> list[Mutant]:
    """`most` of all mutants, the same for the same seed; all of them for 0."""
    if not 0 < most < len(every):
        return list(every)
    return sorted(Random(seed).sample(every, most), key=lambda mutant: (mutant.path, mutant.node.lineno))


def _judge(missing: Sequence[Mutant], way: Way, file: Path, say: Callable[[str], None]) -> None:
    """First what can be exchanged in a process that has all, which is a copy: this one imports nothing of ours."""

    def judged() -> tuple[int, str]:
        traced = Traced(way.product)
        warm = Warm(way=way, mutants=missing, results=Results(file), traced=traced, say=say)
        with traced.on():
            arguments = [*OPTIONS, f"--rootdir={way.top}", *map(str, way.tests)]
            _, said = quietly(lambda: pytest.main(arguments, plugins=[warm]))
        if not warm.ended:
            say(f"the tests do not pass as they are: {warm.failed}\n{said[-2000:]}")
            return 1, ""
        modules = sorted({name.split(".")[0] for name in sys.modules} - _OURS)
        return 0, json.dumps({"anew": [missing.index(each) for each in warm.anew], "modules": modules})

    status, said = in_a_copy(judged, broken=(1, ""))
    if status:
        raise SystemExit(1)
    done = json.loads(said)
    fresh.import_ahead(done["modules"])
    say(f"{len(done['anew'])} mutants need the module imported anew")
    results = Results(file)
    for at in done["anew"]:
        fresh.judge(missing[at], way, results)


def _tell(line: str) -> None:
    """On the real output: what pytest runs is silent."""
    print(line, file=sys.__stdout__, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], _tell))
