"""No check passes on what it did not see: every part of every answer of whole clusters is taken away in turn."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import pytest

from scanner.lab.scenario import load_scenario
from tests.field.samples import FOLDER as FIELD
from tests.field.samples import Sample, awaited, samples
from tests.recordings.collect import FOLDER as RECORDINGS
from tests.recordings.collect import evidence_path
from tests.test_scanner.semantic_fuzz.bench import Accepted, Bench, Tally
from tests.test_scanner.semantic_fuzz.exceptions import ACCEPTED, OLDER, TEXTS
from tests.test_scanner.test_field_samples import played
from tests.test_scanner.test_field_sites import FOLDER as SITES_FOLDER
from tests.test_scanner.test_field_sites import SITES


@dataclass(frozen=True, slots=True)
class Source:
    """A cluster whose answers are taken apart."""

    name: str
    bench: Callable[[], Bench]
    most: int
    """Of its mutations, how many are tried each time; all of them with the slow tests."""
    accepted: tuple[Accepted, ...] = ACCEPTED

    def __str__(self) -> str:
        return self.name


def recorded(name: str) -> Bench:
    return Bench.saved(name, RECORDINGS / f"{name}.inventory.toml", evidence_path(name))


RECORDED = {"chef-estate": 500, "chef-healthy": 200, "demo": 300, "secret-server-healthy": 400}
"""`chef-estate` is what today's preflight collected; the others are evidence of earlier versions."""
HARDENING = sorted(path.name.partition(".")[0] for path in (FIELD / "hardening").glob("*.evidence.json"))


def text(sample: Sample) -> Bench:
    return Bench.played(str(sample), played(sample))


def site(name: str) -> Bench:
    return Bench.played(name, load_scenario(str(SITES_FOLDER / f"{name}.toml")))


def hardened(name: str) -> Bench:
    place = FIELD / "hardening"
    return Bench.saved(name, place / f"{name}.inventory.toml", place / f"{name}.evidence.json")


PRINTED = [one for one in samples() if one.judged and one.scenario.startswith("chef") and not awaited(one)]
ENDLESS = ("linux/secrets-strays.txt", "linux/strays.txt")
"""Captured when the answer to that probe had no end yet."""
SOURCES = (
    *(
        Source(name, partial(recorded, name), most, ACCEPTED if name == "chef-estate" else (*ACCEPTED, *OLDER))
        for name, most in RECORDED.items()
    ),
    *(
        Source(str(one), partial(text, one), 30, (*ACCEPTED, *OLDER) if str(one) in ENDLESS else ACCEPTED)
        for one in PRINTED
    ),
    *(Source(name, partial(site, name), 35) for name in SITES),
    *(Source(name, partial(hardened, name), 30, (*ACCEPTED, *OLDER)) for name in HARDENING),
)


def told(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The counts, which a passing test would keep for itself."""
    with capsys.disabled():
        sys.stdout.write(f"\n{text}\n")


@pytest.mark.parametrize("source", SOURCES, ids=str)
def test_a_part_that_is_gone_is_missed(source: Source, capsys: pytest.CaptureFixture[str]) -> None:
    """Some, the same each time."""
    tally = source.bench().run(source.accepted, TEXTS, most=source.most, seed=1)
    told(f"{source}: {tally}", capsys)
    assert not tally.wrong, tally.wrong[:10]
    assert tally.refused > source.most // 4


def test_who_answered_first_does_not_choose() -> None:
    bench = site("dr-unreadable")
    said = bench.collected.said
    assert len(said) > 1
    turned = {key: said[key] for key in reversed(list(said))}
    other = Bench(bench.name, bench.job, replace(bench.collected, said=turned))
    of_each = [[(key, probe.id, lost.what) for key, probe, lost in one.chosen(35, 1)] for one in (bench, other)]
    assert of_each[0] == of_each[1]
    assert len({key for key, _, _ in of_each[0]}) > 1


WHOLE: dict[str, Tally] = {}
"""What all mutations of a source came to, of the slow tests of this process."""


@pytest.mark.slow
@pytest.mark.parametrize("source", SOURCES, ids=str)
def test_any_part_that_is_gone_is_missed(source: Source, capsys: pytest.CaptureFixture[str]) -> None:
    tally = WHOLE[source.name] = source.bench().run(source.accepted, TEXTS)
    lines = [f"{source}: {tally}", *(f"  {count:5} {reason}" for reason, count in sorted(tally.accepted.items()))]
    told("\n".join(lines), capsys)
    assert not tally.wrong, tally.wrong[:10]


@pytest.mark.slow
def test_every_exception_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    if WHOLE.keys() != {source.name for source in SOURCES}:
        pytest.skip("needs all mutations of all sources, in this process")
    whole: Counter[str] = Counter()
    for tally in WHOLE.values():
        whole.update(tally.numbers)
    told(", ".join(f"{count} {what}" for what, count in whole.items()), capsys)
    used = {reason for tally in WHOLE.values() for reason in tally.accepted}
    assert [str(one) for one in (*ACCEPTED, *OLDER) if str(one) not in used] == []


UNMISSED = {
    "database-config folders[].config.detail": "words beside the state",
    "encryption-config folders[].config.detail": "words beside the state",
    "secret-server-files folders[].libraries_error": "where it is, no libraries are, and they are missed",
    "sql-instances instances[].error": "where it is, no version is, and it is missed",
    "monitoring-agent apm_start": "told beside the service, which has a key of its own",
    "windows-version current_version": "stands in where major and minor are not there",
    "windows-version service_pack": "told, and judged by nothing: the build has it",
    "sql-database computer": "which host of a failover cluster runs it; not told, the host is held to everything",
    "sql-database instances[].cluster": "likewise",
    "windows-version major": "current_version stands in",
    "windows-version minor": "likewise",
    "sql-database instances[].answers.server.rows[].sysadmin": "not told, a mirror's side stays unknown",
    "sql-database declared": "what the inventory says, repeated; not told, every database is looked at",
    "sql-database instance": "likewise, for instances",
}
"""Keys of answers that are read and whose absence is not noticed, each with the reason why it may be so."""


@pytest.mark.parametrize("name", RECORDED)
def test_a_key_that_is_gone_is_not_taken_for_what_it_says_most_often(name: str) -> None:
    assert {" ".join(one) for one in recorded(name).silent()} <= UNMISSED.keys()


IN_SPITE_OF_ALL = {
    # There is room enough for every version.
    "chef-version": {"disk-space"},
    # A second witness of the version.
    "chef-package": {"disk-space"},
}
"""Probe to the checks that pass although nobody answered to it, each looked at."""


@pytest.mark.parametrize(
    "probe", sorted({probe.id for each in recorded("chef-estate").probes.values() for probe in each})
)
def test_what_no_node_answered_lets_nothing_pass(probe: str) -> None:
    """Where the others make up for one node, nobody makes up for all."""
    assert set(recorded("chef-estate").without(probe)) == IN_SPITE_OF_ALL.get(probe, set())
